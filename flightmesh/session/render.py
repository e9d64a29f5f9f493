"""A table drawn with characters: names and types in its header, numbers to the right, NULL told from text.

Handed a table or a stream of batches; hands on a text. What always holds: no line is wider than `width` (unless a number
alone is), rows that are not shown are counted, and a stream is held only as far as it is shown.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import replace

import pyarrow as pa

from flightmesh.dataclass import dataclass
from flightmesh.session.cells import cell_texts, is_cuttable, is_numeric, type_text

_NARROWEST_TEXT = 12
_GAP = "·"


class Style(enum.Enum):
    """Whether a drawing may hold terminal escapes."""

    PLAIN = "plain"
    ANSI = "ansi"


@dataclass(frozen=True, slots=True)
class Preview:
    """The first and the last rows of a result, and how many rows it has in all."""

    head: pa.Table
    tail: pa.Table
    total_rows: int


def preview(schema: pa.Schema, batches: Iterable[pa.RecordBatch], max_rows: int) -> Preview:
    """Reads all of `batches` and keeps `max_rows` rows, half of them from the end; all rows if `max_rows` is 0."""
    kept: list[pa.RecordBatch] = []
    last: list[pa.RecordBatch] = []
    total = 0
    for batch in batches:
        total += batch.num_rows
        missing = batch.num_rows if max_rows == 0 else max_rows - sum(part.num_rows for part in kept)
        if missing > 0:
            kept.append(batch.slice(0, missing))
        if max_rows:
            last.append(batch.slice(max(0, batch.num_rows - max_rows)))
            while sum(part.num_rows for part in last[1:]) >= max_rows:
                last.pop(0)
    head = pa.Table.from_batches(kept, schema)
    if total == head.num_rows:
        return Preview(head, head.slice(total), total)
    from_end = max_rows // 2
    tail = pa.Table.from_batches(last, schema)
    return Preview(head.slice(0, max_rows - from_end), tail.slice(tail.num_rows - from_end), total)


def render_table(table: pa.Table, *, max_rows: int = 40, width: int | None = None, style: Style = Style.PLAIN) -> str:
    """`table` as a text; `max_rows` 0 shows every row, `width` None as wide as it takes."""
    return render_preview(preview(table.schema, table.to_batches(), max_rows), width=width, style=style)


def render_preview(shown: Preview, *, width: int | None = None, style: Style = Style.PLAIN) -> str:
    """The drawing of what `preview` kept."""
    columns = [_column(shown, index) for index in range(shown.head.num_columns)]
    fitted = _fit(columns, width)
    lines = _draw(fitted, shown, style)
    rows = shown.head.num_rows + shown.tail.num_rows
    count = f"{shown.total_rows:,} {'row' if shown.total_rows == 1 else 'rows'}"
    if rows < shown.total_rows:
        count += f" ({rows:,} shown)"
    hidden = len(columns) - sum(1 for column in fitted if column is not _ELIDED)
    if hidden:
        count += f", {len(columns)} columns ({len(columns) - hidden} shown)"
    return "\n".join([*lines, count])


@dataclass(frozen=True, slots=True)
class _Column:
    name: str
    kind: str
    cells: tuple[str | None, ...]
    numeric: bool
    flexible: bool
    width: int

    @property
    def narrowest(self) -> int:
        """Text may be cut short; a number, a date or a time may not."""
        if self.flexible:
            return min(self.width, _NARROWEST_TEXT)
        widest = max((_display_width(cell or "NULL") for cell in self.cells), default=1)
        return max(widest, min(len(self.kind), _NARROWEST_TEXT + 1))


_ELIDED = _Column("…", "", (), False, False, 1)


def _column(shown: Preview, index: int) -> _Column:
    field = shown.head.schema.field(index)
    cells = tuple(cell_texts(shown.head.column(index)) + cell_texts(shown.tail.column(index)))
    name, kind = cell_name(field.name), type_text(field.type)
    width = max(_display_width(text) for text in (name, kind, *(cell if cell is not None else "NULL" for cell in cells)))
    return _Column(name, kind, cells, is_numeric(field.type), is_cuttable(field.type), width)


def cell_name(name: str) -> str:
    """A column's name on one line."""
    return "".join(char if char.isprintable() else "?" for char in name)


def _fit(columns: list[_Column], width: int | None) -> list[_Column]:
    """Narrows texts, widest first, until the table fits; past that leaves out columns from the middle."""
    if width is None or _total(columns) <= width:
        return columns
    kept = list(columns)
    while len(kept) > 2 and _total([_resized(column, column.narrowest) for column in kept]) > width:
        middle = kept.index(_ELIDED) if _ELIDED in kept else len(kept) // 2
        if _ELIDED in kept:
            neighbour = middle - 1 if middle >= len(kept) - middle - 1 else middle + 1
            kept.pop(neighbour)
        else:
            kept[middle] = _ELIDED
    excess = _total(kept) - width
    while excess > 0:
        widest = max(range(len(kept)), key=lambda index: kept[index].width - kept[index].narrowest)
        room = kept[widest].width - kept[widest].narrowest
        if room <= 0:
            break
        step = min(excess, max(1, room // 2))
        kept[widest] = _resized(kept[widest], kept[widest].width - step)
        excess -= step
    return kept


def _total(columns: list[_Column]) -> int:
    return sum(column.width + 3 for column in columns) + 1


def _resized(column: _Column, width: int) -> _Column:
    return column if column is _ELIDED else replace(column, width=width)


def _draw(columns: list[_Column], shown: Preview, style: Style) -> list[str]:
    dim, bold = ("\x1b[2m", "\x1b[1m") if style is Style.ANSI else ("", "")
    rules = ["─" * (column.width + 2) for column in columns]
    rows = shown.head.num_rows + shown.tail.num_rows
    lines = [
        "┌" + "┬".join(rules) + "┐",
        _line([_aligned(column.name, column, bold) for column in columns]),
        _line([_aligned(column.kind, column, dim) for column in columns]),
        "├" + "┼".join(rules) + "┤",
    ]
    gap = _line([_aligned(_GAP, column, dim) for column in columns])
    for row in range(rows):
        if row == shown.head.num_rows:
            lines += [gap] * 3
        lines.append(_line([_cell(column, row, dim) for column in columns]))
    return [*lines, "└" + "┴".join(rules) + "┘"]


def _line(cells: list[str]) -> str:
    return "│ " + " │ ".join(cells) + " │"


def _cell(column: _Column, row: int, dim: str) -> str:
    if column is _ELIDED:
        return _aligned("…", column, dim)
    text = column.cells[row]
    return _aligned("NULL", column, dim) if text is None else _aligned(text, column, "")


def _aligned(text: str, column: _Column, escape: str) -> str:
    text = _cut(text, column.width)
    padding = " " * (column.width - _display_width(text))
    text = f"{escape}{text}\x1b[0m" if escape else text
    return padding + text if column.numeric else text + padding


def _cut(text: str, width: int) -> str:
    if _display_width(text) <= width:
        return text
    from wcwidth import wcwidth

    used, kept = 0, []
    for char in text:
        used += max(0, wcwidth(char))
        if used > width - 1:
            break
        kept.append(char)
    return "".join(kept) + "…"


def _display_width(text: str) -> int:
    if text.isascii() or text in ("…", _GAP):
        return len(text)
    from wcwidth import wcswidth  # its tables take longer to load than a small result to draw

    return max(wcswidth(text), 0)
