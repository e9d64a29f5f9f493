"""Answers of a driver on a terminal and for programs: rows of text under headings, or one JSON object a line.

Handed the rows; writes them to stdout. What always holds: numbers stand to the right, texts from elsewhere cannot steer the
terminal, and without a terminal no column is cut.
"""

from __future__ import annotations

import dataclasses
import enum
import sys
import time
from collections.abc import Iterable, Sequence
from typing import Annotated, Any

import typer

from flightmesh.dataclass import dataclass


class ListingFormat(enum.StrEnum):
    """How answers are written."""

    TABLE = "table"
    JSON = "json"


Format = Annotated[ListingFormat, typer.Option("--format", help="table, or json: one object a line.", case_sensitive=False)]


@dataclass(frozen=True, slots=True)
class Column:
    """A heading, and on which side its cells stand."""

    title: str
    side: str = "left"


def number(title: str) -> Column:
    """A column of numbers."""
    return Column(title, "right")


def write_json(values: Iterable[Any]) -> None:
    """Each value (a message, or a map) as one line."""
    import json

    for value in values:
        print(json.dumps(_plain(value), ensure_ascii=False))


def write_rows(columns: Sequence[Column], rows: Sequence[Sequence[str]], title: str | None = None) -> None:
    """The rows as a table."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    on_terminal = sys.stdout.isatty()
    table = Table(box=SIMPLE_HEAD, title=title, title_justify="left", title_style="bold", pad_edge=False, show_edge=False)
    for column in columns:
        table.add_column(
            column.title,
            justify="right" if column.side == "right" else "left",
            no_wrap=column.side == "right" or not on_terminal,
            overflow="fold",
        )
    for row in rows:
        table.add_row(*(Text(clean(cell), style=_STYLES.get(cell, "")) for cell in row))
    console = Console(highlight=False) if on_terminal else Console(highlight=False, width=_WIDE, no_color=True)
    with console.capture() as drawn:
        console.print(table)
    print("\n".join(line.rstrip() for line in drawn.get().splitlines()))


def clean(text: str) -> str:
    """The text in one line, without control characters."""
    return "".join(part if part.isprintable() else " " for part in text)


def ago(seconds_since_epoch: float) -> str:
    """How long ago that was."""
    return f"{span(max(0.0, time.time() - seconds_since_epoch))} ago"


def span(seconds: float | None) -> str:
    """A length of time for people; empty for None."""
    if seconds is None:
        return ""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s"


_WIDE = 10_000
_STYLES = {
    "running": "cyan",
    "alive": "green",
    "succeeded": "green",
    "finished": "green",
    "failed": "red",
    "lost": "red",
    "cancelled": "yellow",
    "draining": "yellow",
    "queued": "yellow",
}


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    if isinstance(value, (tuple, list)):
        return [_plain(part) for part in value]
    return value.value if isinstance(value, enum.Enum) else value
