"""JSON: one object a line, or one array of objects.

Handed pinned files; hands on schemas (integers, doubles, booleans, nested values; strings that are dates or times get those
types) and batches of a table's types. What always holds: members that the table has no column for are left out, missing ones
are NULL, and a line that cannot be read is an InvalidInput with file and line. An array is read whole; lines are read block by
block.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from typing import IO, Any, cast

import pyarrow as pa
import pyarrow.json as pajson

from flightmesh.catalog.metrics import ReadMetrics
from flightmesh.catalog.normalise import conform
from flightmesh.catalog.storage import display
from flightmesh.catalog.streams import Block, Quoting, Span, open_text, read_blocks, read_head
from flightmesh.catalog.table import File, FileSplit, FileTable, Storage
from flightmesh.catalog.text_splits import span_of, text_splits
from flightmesh.catalog.text_types import Texts, infer_type
from flightmesh.errors import DataError, InvalidInput, with_article
from flightmesh.expression.types import sql_type_name

SAMPLE_BYTES = 4 * 1024 * 1024
_BLOCK_BYTES = 4 * 1024 * 1024
_LINES = Quoting()
_ROW_IN_ERROR = re.compile(r" in row (\d+)")
_MEMBER_IN_ERROR = re.compile(r"Column\(/?([^)]*)\) ")


def describe(storage: Storage, file: File, sample_bytes: int) -> pa.Schema:
    """The schema of a file, from its first `sample_bytes` (all of it, if it is an array)."""
    block = read_head(storage, file, sample_bytes, _LINES)
    name = display(storage, file.path)
    if block is None or not block.data.strip():
        raise InvalidInput(f"{name} is empty", hint="a JSON file needs at least one object")
    if _is_array(block.data):
        table = _array_table(storage, file)
        return pa.schema([_retyped(entry.name, table.column(entry.name)) for entry in table.schema])
    found = _parse(block, name, None).schema
    texts = [entry.name for entry in found if pa.types.is_timestamp(entry.type) or pa.types.is_string(entry.type)]
    if not texts:
        return found
    table = _parse(block, name, pa.schema([(text, pa.string()) for text in texts]))
    return pa.schema([_retyped(entry.name, table.column(entry.name)) if entry.name in texts else entry for entry in found])


def _retyped(name: str, column: pa.ChunkedArray) -> pa.Field:
    """The field of a column; one of strings gets the type of the dates or times that they spell."""
    if not pa.types.is_string(column.type):
        return pa.field(name, column.type)
    return pa.field(name, infer_type(column.combine_chunks(), Texts.QUOTED))


def _is_array(data: bytes) -> bool:
    return data[:256].lstrip()[:1] == b"["


def read(
    table: FileTable,
    split: FileSplit,
    columns: Sequence[str],
    *,
    morsel_rows: int,
    check: Callable[[], None],
    metrics: ReadMetrics,
) -> Iterator[pa.RecordBatch]:
    """The rows of a split, as batches of at most `morsel_rows` rows with `columns`; without columns, of a narrow one."""
    file = table.files[split.file]
    name = display(table.storage, file.path)
    metrics.columns.update(columns)
    wanted = pa.schema([table.schema.field(column) for column in columns])
    # A parser that is asked for no column does not count rows; a member that no file has costs nothing.
    stored = pa.schema([pa.field(entry.name, _stored_type(entry.type)) for entry in wanted] or [("", pa.int8())])
    try:
        for parsed in _tables(table.storage, file, name, stored, span_of(split)):
            metrics.bytes += parsed.nbytes
            check()
            for batch in parsed.to_batches(max_chunksize=morsel_rows):
                yield conform(batch, wanted) if columns else batch
    except DataError as error:
        raise InvalidInput(f"{name}: {error.message}", hint="the type was told from the first lines of the file") from None


def splits(table: FileTable, number: int) -> Iterator[FileSplit]:
    """The splits of one file of the table; an array is one."""
    file = table.files[number]
    block = next(read_blocks(table.storage, file, 256, _LINES), None)
    if block is None or _is_array(block.data):
        yield FileSplit(number, (), None, file.size)
    else:
        yield from text_splits(table, number, _LINES)


def _tables(storage: Storage, file: File, name: str, schema: pa.Schema, span: Span | None) -> Iterator[pa.Table]:
    for block in read_blocks(storage, file, _BLOCK_BYTES, _LINES, span):
        if block.line == 1 and _is_array(block.data):
            yield _array_table(storage, file, schema)
            return
        if block.data.strip():
            yield _parse(block, name, schema)


def _stored_type(kind: pa.DataType) -> pa.DataType:
    """The type that the parser is asked for: it takes no dates or times, they are read as strings and cast."""
    return pa.string() if pa.types.is_temporal(kind) or pa.types.is_binary(kind) else kind


def _parse(block: Block, name: str, schema: pa.Schema | None) -> pa.Table:
    """The block's objects as a table of `schema`, or as they are. Raises InvalidInput naming file and line."""
    _require_utf8(block, name)
    options = pajson.ParseOptions(newlines_in_values=False)
    if schema is not None:
        options = pajson.ParseOptions(explicit_schema=schema, unexpected_field_behavior="ignore", newlines_in_values=False)
    try:
        return pajson.read_json(
            cast("IO[bytes]", pa.BufferReader(block.data)),
            read_options=pajson.ReadOptions(use_threads=False, block_size=max(len(block.data) + 1, 1024)),
            parse_options=options,
        )
    except pa.ArrowInvalid as error:
        raise _explain(str(error), name, block, schema) from None


def _require_utf8(block: Block, name: str) -> None:
    # pyarrow's reader takes any bytes for text; they would fail much later, far from their file.
    try:
        block.data.decode()
    except UnicodeDecodeError as error:
        line = block.line + block.data.count(b"\n", 0, error.start)
        raise InvalidInput(f"{name}, line {line}: the text is not UTF-8", hint="convert the file to UTF-8") from None


def _explain(message: str, name: str, block: Block, schema: pa.Schema | None) -> InvalidInput:
    """The error for a block that pyarrow refused, with the line: told by pyarrow, or found by reading line by line."""
    for number, text in enumerate(block.data.split(b"\n")):
        place = f"{name}, line {block.line + number}"
        if not text.strip():
            continue
        try:
            found = json.loads(text)
        except json.JSONDecodeError as error:
            hint = "write one object a line, or one array of objects"
            return InvalidInput(f"{place}, column {error.colno}: not JSON: {error.msg}", hint=hint)
        if not isinstance(found, dict):
            return InvalidInput(f"{place}: the line is not an object", hint="write one object a line")
    row, member = _ROW_IN_ERROR.search(message), _MEMBER_IN_ERROR.search(message)
    lines = [number for number, text in enumerate(block.data.split(b"\n")) if text.strip()]
    place = f"{name}, from line {block.line}"
    if row is not None and int(row[1]) < len(lines):
        place = f"{name}, line {block.line + lines[int(row[1])]}"
    if member is not None and schema is not None and member[1] in schema.names:
        kind = with_article(sql_type_name(schema.field(member[1]).type))
        return InvalidInput(f"{place}, member {member[1]!r}: the value is not {kind}", hint="a column has values of one type")
    plain = _ROW_IN_ERROR.sub("", message.removeprefix("JSON parse error: "))
    return InvalidInput(f"{place}: {_MEMBER_IN_ERROR.sub(_quoted, plain)}", hint="a column has values of one type")


def _quoted(found: re.Match[str]) -> str:
    return f"member {found[1]!r} "


def _array_table(storage: Storage, file: File, schema: pa.Schema | None = None) -> pa.Table:
    name = display(storage, file.path)
    with open_text(storage, file) as source:
        data = bytes(source.read())
    try:
        rows: list[Any] = json.loads(data)
    except UnicodeDecodeError:
        raise InvalidInput(f"{name}: the text is not UTF-8", hint="convert the file to UTF-8") from None
    except ValueError as error:
        raise InvalidInput(f"{name}: not JSON: {error}", hint="write one object a line, or one array of objects") from None
    for number, row in enumerate(rows):
        if not isinstance(row, dict):
            raise InvalidInput(f"{name}: element {number} is not an object", hint="write an array of objects")
    names = list(dict.fromkeys(key for row in rows for key in row)) if schema is None else schema.names
    arrays = []
    for column in names:
        kind = None if schema is None else schema.field(column).type
        try:
            arrays.append(pa.array([row.get(column) for row in rows], kind))
        except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
            raise InvalidInput(f"{name}, member {column!r}: {error}", hint="a column has values of one type") from None
    return pa.table(arrays, names=names)
