"""Footers of a few columns and row groups of a file, for reading chunks that lie in memory.

Handed a file's metadata and Arrow schema once, and then where chunks will lie (those of several row groups at the same place,
if they lie there one after the other); hands on metadata that has these columns and row groups. What always holds: each column
is described as in the file's own footer. Source: `FileMetaData`, `SchemaElement`, `RowGroup`, `ColumnChunk` and
`ColumnMetaData` in the Parquet format's `parquet.thrift`.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from itertools import repeat

import pyarrow as pa
import pyarrow.parquet as pq

from flightmesh.catalog.footer_bytes import CHILDREN, NAME, footer_bytes, metadata_of, read_element
from flightmesh.catalog.thrift import (
    BINARY,
    I32,
    I64,
    LIST,
    STRUCT,
    read_head,
    read_size,
    skip,
    write_binary,
    write_head,
    write_integer,
    write_size,
)
from flightmesh.dataclass import dataclass
from flightmesh.errors import InternalError

_VERSION, _SCHEMA, _ROWS, _GROUPS, _PAIRS, _WRITER = 1, 2, 3, 4, 5, 6
_TYPES = ("BOOLEAN", "INT32", "INT64", "INT96", "FLOAT", "DOUBLE", "BYTE_ARRAY", "FIXED_LEN_BYTE_ARRAY")
"""Physical types, by their numbers."""
_CODECS = ("UNCOMPRESSED", "SNAPPY")
"""Codecs, by their numbers."""
CODECS = frozenset(_CODECS)
"""Those of chunks that can be described."""
_END = b"\0"


@dataclass(frozen=True, slots=True)
class PlacedColumn:
    """A leaf's chunks in a series of row groups: their physical type and codec, the values of each, and the bytes that each has
    in the source that is read. There may be any bytes behind a chunk's last page."""

    type: str
    codec: str
    values: tuple[int, ...]
    offset: int
    size: int


@dataclass(frozen=True, slots=True)
class GroupLayout:
    """Where the chunks of a few columns lie in memory of `size` bytes, for each of some row groups: at these offsets, the last
    of which is where what is packed may lie, and by this footer. No footer: they cannot be read so."""

    footer: pq.FileMetaData | None
    offsets: tuple[int, ...]
    size: int


class GroupFooters:
    """Makes footers for one file."""

    def __init__(self, metadata: pq.FileMetaData, schema: pa.Schema) -> None:
        self._columns = _columns(footer_bytes(metadata))
        self._schema = schema
        self._has_schema = b"ARROW:schema" in (metadata.metadata or {})
        self._writer = write_binary(metadata.created_by.encode())

    def footer(self, columns: Sequence[str], rows: Sequence[int], leaves: Sequence[PlacedColumn]) -> pq.FileMetaData:
        """Metadata of row groups of so many rows that have `columns`, which are made of these leaves, in their order."""
        elements = [self._columns[column] for column in columns]
        total = sum(rows)
        footer = b"".join(
            (
                write_head(_VERSION, I32, 0),
                write_integer(2),
                write_head(_SCHEMA, LIST, _VERSION),
                write_size(1 + sum(count for count, _ in elements), STRUCT),
                _root(len(columns)),
                *(column for _, column in elements),
                write_head(_ROWS, I64, _SCHEMA),
                write_integer(total),
                write_head(_GROUPS, LIST, _ROWS),
                write_size(len(rows), STRUCT),
                *_groups(rows, leaves),
                *self._pairs(columns),
                self._writer,
                _END,
            )
        )
        return metadata_of(footer)

    def _pairs(self, columns: Sequence[str]) -> tuple[bytes, ...]:
        """The columns' part of Arrow's schema, where the file has one; up to the writer's name."""
        if not self._has_schema:
            return (write_head(_WRITER, BINARY, _GROUPS),)
        schema = pa.schema([self._schema.field(column) for column in columns])
        key, value = write_binary(b"ARROW:schema"), write_binary(base64.b64encode(schema.serialize().to_pybytes()))
        pair = (write_head(1, BINARY, 0), key, write_head(2, BINARY, 1), value, _END)
        return write_head(_PAIRS, LIST, _GROUPS), write_size(1, STRUCT), *pair, write_head(_WRITER, BINARY, _PAIRS)


def _columns(footer: bytes) -> dict[str, tuple[int, bytes]]:
    """By their names, of how many elements of the schema the columns at its top are made, and these."""
    number = position = 0
    while (head := read_head(footer, position, number)) is not None:
        number, kind, position = head
        if number != _SCHEMA:
            position = skip(footer, position, kind)
            continue
        position = read_size(footer, position)[2]
        root = read_element(footer, position)
        position = root.end
        found: dict[str, tuple[int, bytes]] = {}
        for _ in range(root.children):
            start = position
            column = read_element(footer, start)
            position, to_come, count = column.end, column.children, 1
            while to_come:
                inside = read_element(footer, position)
                position = inside.end
                to_come += inside.children - 1
                count += 1
            found[column.name] = count, footer[start:position]
        return found
    raise InternalError("a Parquet footer without a schema")


def _root(children: int) -> bytes:
    name = write_head(NAME, BINARY, 0) + write_binary(b"schema")
    return name + write_head(CHILDREN, I32, NAME) + write_integer(children) + _END


def _groups(rows: Sequence[int], leaves: Sequence[PlacedColumn]) -> list[bytes]:
    size = write_head(2, I64, 1) + write_integer(sum(leaf.size for leaf in leaves)) + write_head(3, I64, 2)
    start = write_head(1, LIST, 0) + write_size(len(leaves), STRUCT)
    chunks = zip(*map(_chunks, leaves), strict=True) if leaves else repeat(())
    return [b"".join((start, *row, size, write_integer(count), _END)) for count, row in zip(rows, chunks, strict=False)]


def _chunks(leaf: PlacedColumn) -> list[bytes]:
    """A leaf's chunk in each row group."""
    before = b"".join(
        (
            *(write_head(2, I64, 0), write_integer(0)),
            write_head(3, STRUCT, 2),
            *(write_head(1, I32, 0), write_integer(_TYPES.index(leaf.type))),
            *(write_head(2, LIST, 1), write_size(0, I32)),
            *(write_head(3, LIST, 2), write_size(0, BINARY)),
            *(write_head(4, I32, 3), write_integer(_CODECS.index(leaf.codec))),
            write_head(5, I64, 4),
        )
    )
    behind = b"".join(
        (
            *(write_head(6, I64, 5), write_integer(leaf.size)),
            *(write_head(7, I64, 6), write_integer(leaf.size)),
            *(write_head(9, I64, 7), write_integer(leaf.offset)),
            _END,
            _END,
        )
    )
    return [before + write_integer(values) + behind for values in leaf.values]
