"""CSV: sniffing, type inference over a sample, streaming.

Handed pinned files and options; hands on schemas with DuckDB's types (BOOLEAN, BIGINT, DOUBLE, DATE, TIME, TIMESTAMP, VARCHAR)
and batches of a table's types. What always holds: a record of the wrong width, or a text that is not of its column's type, is
an InvalidInput with file, line and column; nothing is dropped silently.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import IO, cast

import pyarrow as pa
import pyarrow.csv as pacsv

from flightmesh.catalog.formats.csv_options import CsvOptions, parse_options
from flightmesh.catalog.formats.csv_quotes import find_unclosed
from flightmesh.catalog.formats.csv_sniff import column_names, has_header, numbered_records, records, sniff_delimiter
from flightmesh.catalog.metrics import ReadMetrics
from flightmesh.catalog.normalise import conform
from flightmesh.catalog.storage import display
from flightmesh.catalog.streams import Block, Quoting, read_blocks, read_head
from flightmesh.catalog.table import File, FileSplit, FileTable, Storage
from flightmesh.catalog.text_splits import span_of, text_splits
from flightmesh.catalog.text_types import infer_type
from flightmesh.compute import pc
from flightmesh.dataclass import dataclass
from flightmesh.errors import InvalidInput, with_article
from flightmesh.expression.types import sql_type_name

SAMPLE_BYTES = 1024 * 1024
_BLOCK_BYTES = 4 * 1024 * 1024
_HEADER_BYTES = 64 * 1024
_TRUE, _FALSE = ["true", "True", "TRUE", "t", "T"], ["false", "False", "FALSE", "f", "F"]
_NOT_AVAILABLE = "NA"
_COLUMN_IN_ERROR = re.compile(r"In CSV column #(\d+)")
_TEXT_IN_ERROR = re.compile(r"'(.*)'$", re.DOTALL)


@dataclass(frozen=True, slots=True)
class _Sample:
    """The first lines of a file: the texts of each column (header left out), and the columns' names."""

    names: tuple[str, ...]
    texts: tuple[pa.Array, ...]
    header: bool


def resolve(storage: Storage, file: File, pairs: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    """The options with what was not given sniffed from `file` (the table's first). Raises InvalidInput for wrong options."""
    options = parse_options(pairs)
    block = _first_block(storage, file, SAMPLE_BYTES, options)
    if options.delimiter is None:
        tabs = Path(file.path).name.lower().split(".", 1)[-1].startswith("tsv")
        text = _skip_lines(block.data, options.skip).decode(errors="replace")
        options = replace(options, delimiter="\t" if tabs else sniff_delimiter(text, options))
    if options.header is None:
        options = replace(options, header=_sample(storage, file, options, block).header)
    return options.to_pairs()


def describe(storage: Storage, file: File, pairs: tuple[tuple[str, str], ...], sample_bytes: int) -> pa.Schema:
    """The schema of a file, from its first `sample_bytes`; a column without texts there has the null type."""
    options = parse_options(pairs)
    sample = _sample(storage, file, options, _first_block(storage, file, sample_bytes, options))
    given = dict(options.types)
    for name in given:
        if name not in sample.names:
            where = display(storage, file.path)
            raise InvalidInput(
                f"{where} has no column {name!r} to give a type", hint=f"its columns are {', '.join(sample.names)}"
            )
    types = [given.get(name) or _infer(texts, options) for name, texts in zip(sample.names, sample.texts, strict=True)]
    return pa.schema(list(zip(sample.names, types, strict=True)))


def _first_block(storage: Storage, file: File, size: int, options: CsvOptions) -> Block:
    block = read_head(storage, file, size, _quoting(options))
    if block is None or not block.data.strip():
        raise InvalidInput(f"{display(storage, file.path)} is empty", hint="a CSV file needs at least a header")
    return block


def _quoting(options: CsvOptions) -> Quoting:
    return Quoting(options.quote.encode(), options.escape.encode())


def _skip_lines(data: bytes, count: int) -> bytes:
    for _ in range(count):
        data = data[data.find(b"\n") + 1 :] if b"\n" in data else b""
    return data


def _sample(storage: Storage, file: File, options: CsvOptions, block: Block) -> _Sample:
    first = _first_record(storage, file, options, block)
    width = len(first)
    loose = replace(options, header=False)
    labels = [str(number) for number in range(width)]
    text_types = pa.schema([(label, pa.string()) for label in labels])
    table = _parse(storage, file, loose, block, labels, text_types, labels)
    columns = [column.combine_chunks() for column in table.columns]
    header = options.header
    if header is None:
        header = has_header(first, [_infer(texts.slice(1), options) for texts in columns])
    names = options.columns or column_names(first if header else None, width)
    if len(names) != width:
        raise InvalidInput(
            f"{display(storage, file.path)} has {width} columns, but {len(names)} are named", hint="name all of them"
        )
    return _Sample(tuple(names), tuple(texts.slice(1) if header else texts for texts in columns), header)


def _first_record(storage: Storage, file: File, options: CsvOptions, block: Block) -> list[str]:
    text = _skip_lines(block.data, options.skip).decode(errors="replace")
    # A quoted header may span lines; a hundred lines are more than any has.
    head = "\n".join(text.split("\n", 100)[:100])
    found = [row for row in records(head, options.delimiter or ",", options) if row]
    if not found:
        raise InvalidInput(f"{display(storage, file.path)} has no lines after skip={options.skip}", hint="lower skip")
    return found[0]


def _infer(texts: pa.Array, options: CsvOptions) -> pa.DataType:
    if options.all_varchar:
        return pa.string()
    nulls = pa.array(_typed_nulls(options), pa.string())
    known = texts.filter(pc.invert(pc.is_in(texts, value_set=nulls)))
    kind = infer_type(known)
    if pa.types.is_null(kind) and pc.any(pc.equal(texts, pa.scalar(_NOT_AVAILABLE))).as_py() and options.nulls is None:
        # Nothing but NA: it may as well be a code (Namibia), so it is kept as text.
        return pa.string()
    return kind


def _typed_nulls(options: CsvOptions) -> list[str]:
    """The texts that are NULL in a column that is not text."""
    return ["", _NOT_AVAILABLE] if options.nulls is None else sorted({"", *options.nulls})


def _text_nulls(options: CsvOptions) -> list[str]:
    return [""] if options.nulls is None else list(options.nulls)


def read(
    table: FileTable,
    split: FileSplit,
    columns: Sequence[str],
    *,
    morsel_rows: int,
    check: Callable[[], None],
    metrics: ReadMetrics,
) -> Iterator[pa.RecordBatch]:
    """The rows of a split, as batches of at most `morsel_rows` rows with `columns`; without columns, of the first one."""
    file = table.files[split.file]
    options = parse_options(table.options)
    names = _names(table.storage, file, options)
    present = [name for name in columns if name in names] or [names[0]]
    types = _stored_types(table, present)
    wanted = pa.schema([table.schema.field(name) for name in columns])
    metrics.columns.update(name for name in columns if name in names)
    for block in read_blocks(table.storage, file, _BLOCK_BYTES, _quoting(options), span_of(split)):
        metrics.bytes += len(block.data)
        own = options if block.line == 1 else replace(options, header=False, skip=0)
        parsed = _parse(table.storage, file, own, block, names, types, present)
        check()
        for batch in _nulled(parsed, options).to_batches(max_chunksize=morsel_rows):
            yield conform(batch, wanted) if columns else batch.select([0])


def splits(table: FileTable, number: int) -> Iterator[FileSplit]:
    """The splits of one file of the table."""
    return text_splits(table, number, _quoting(parse_options(table.options)))


def _names(storage: Storage, file: File, options: CsvOptions) -> tuple[str, ...]:
    """The names of the columns in a file."""
    record = _first_record(storage, file, options, _first_block(storage, file, _HEADER_BYTES, options))
    return options.columns or column_names(record if options.header else None, len(record))


def _stored_types(table: FileTable, names: Sequence[str]) -> pa.Schema:
    return pa.schema(
        [table.schema.field(name) if name in table.schema.names else pa.field(name, pa.string()) for name in names]
    )


def _nulled(table: pa.Table, options: CsvOptions) -> pa.Table:
    """The table with the texts that stand for NULL made NULL in its text columns (the parser did so in the others)."""
    nulls = pa.array(_text_nulls(options), pa.string())
    for number, entry in enumerate(table.schema):
        if pa.types.is_string(entry.type):
            texts = table.column(number)
            absent = pc.is_in(texts, value_set=nulls)
            if pc.any(absent).as_py():
                table = table.set_column(number, entry.name, pc.if_else(absent, pa.scalar(None, pa.string()), texts))
    return table


def _parse(
    storage: Storage,
    file: File,
    options: CsvOptions,
    block: Block,
    names: Sequence[str],
    types: pa.Schema,
    include: Sequence[str],
) -> pa.Table:
    """The block's rows, columns `include` of `names`, as `types`. Raises InvalidInput naming file, line and column."""
    _check_closed(storage, file, options, block)
    # A header alone must end its line for the parser to skip it.
    data = block.data if block.data.endswith(b"\n") else block.data + b"\n"
    try:
        return pacsv.read_csv(
            cast("IO[bytes]", pa.BufferReader(data)),
            read_options=pacsv.ReadOptions(
                use_threads=False,
                block_size=max(len(data) + 1, 1024),
                column_names=list(names),
                skip_rows=options.skip,
                skip_rows_after_names=int(bool(options.header)),
            ),
            parse_options=pacsv.ParseOptions(
                delimiter=options.delimiter or ",",
                quote_char=options.quote or False,
                escape_char=options.escape or False,
                newlines_in_values=True,
                ignore_empty_lines=len(names) > 1,
            ),
            convert_options=pacsv.ConvertOptions(
                column_types=types,
                include_columns=list(include),
                null_values=_typed_nulls(options),
                strings_can_be_null=False,
                true_values=_TRUE,
                false_values=_FALSE,
            ),
        )
    except pa.ArrowInvalid as error:
        raise _explain(str(error), display(storage, file.path), options, block, names, types) from None


def _check_closed(storage: Storage, file: File, options: CsvOptions, block: Block) -> None:
    """Raises InvalidInput, naming the line, for a quoted field that is never closed: it would hold all lines after it."""
    records = _skip_lines(block.data, options.skip)
    position = find_unclosed(records, options)
    if position is None:
        return
    line = block.line + block.data.count(b"\n", 0, len(block.data) - len(records) + position)
    raise InvalidInput(
        f"{display(storage, file.path)}, line {line}: a quote opens a field and is never closed",
        hint="close it, or give quote='' when quotes are part of the text",
    )


def _explain(
    message: str, file: str, options: CsvOptions, block: Block, names: Sequence[str], types: pa.Schema
) -> InvalidInput:
    """The error for a block that pyarrow refused, with the line found by reading the block once more."""
    text = block.data.decode(errors="replace")
    rows = [pair for pair in numbered_records(text, options.delimiter or ",", options) if pair[0] >= options.skip]
    for line, row in rows:
        if len(row) != len(names):
            return InvalidInput(
                f"{file}, line {block.line + line}: {len(row)} fields where {len(names)} are expected",
                hint="is a quote or a delimiter missing? delimiter, quote and escape can be given as options",
            )
    found = _COLUMN_IN_ERROR.search(message)
    if found is None:
        return InvalidInput(
            f"{file}, from line {block.line}: {message}", hint="delimiter, quote and escape can be given as options"
        )
    number = int(found[1])
    if "invalid UTF8" in message:
        line = next((n for n, data in enumerate(block.data.split(b"\n")) if not _is_utf8(data)), 0)
        return InvalidInput(f"{file}, line {block.line + line}: the text is not UTF-8", hint="convert the file to UTF-8")
    kind = types.field(names[number]).type
    named = _TEXT_IN_ERROR.search(message)
    for line, row in rows[int(bool(options.header)) :]:
        if named is not None and row[number].strip() == named[1].strip():
            return InvalidInput(
                f"{file}, line {block.line + line}, column {names[number]!r}: {row[number]!r} is not "
                f"{with_article(sql_type_name(kind))}",
                hint=f'the type was told from the first lines: give another, types=\'{{"{names[number]}": "VARCHAR"}}\'',
            )
    return InvalidInput(f"{file}, from line {block.line}, column {names[number]!r}: {message}", hint="give the column's type")


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True
