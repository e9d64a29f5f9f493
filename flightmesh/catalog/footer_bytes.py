"""The bytes of a Parquet footer, for those who write it otherwise than it is, and the elements of the schema in it.

Handed a file's metadata or the bytes of a footer (a FileMetaData in Thrift's compact encoding); hands on the other of the two.
Source: `FileMetaData` and `SchemaElement` in the Parquet format's `parquet.thrift`.
"""

from __future__ import annotations

import io

import pyarrow as pa
import pyarrow.parquet as pq

from flightmesh.catalog.thrift import BINARY, I32, read_head, read_integer, read_varint, skip
from flightmesh.dataclass import dataclass

MAGIC = b"PAR1"
TYPE, NAME, CHILDREN = 1, 4, 5
"""Fields of a SchemaElement."""


@dataclass(frozen=True, slots=True)
class SchemaElement:
    """A column, or a group of them: its name, its physical type by number (None: a group), how many children it has, and where
    it ends in the footer."""

    name: str
    type: int | None
    children: int
    end: int


def footer_bytes(metadata: pq.FileMetaData) -> bytes:
    """The footer that says what the metadata does."""
    sink = io.BytesIO()
    metadata.write_metadata_file(sink)
    return sink.getvalue()[len(MAGIC) : -len(MAGIC) - 4]


def metadata_of(footer: bytes) -> pq.FileMetaData:
    """What a footer says."""
    return pq.read_metadata(pa.BufferReader(b"".join((MAGIC, footer, len(footer).to_bytes(4, "little"), MAGIC))))


def read_element(footer: bytes, position: int) -> SchemaElement:
    """The element of the schema that begins at `position`."""
    name, type, children, number = "", None, 0, 0
    while (head := read_head(footer, position, number)) is not None:
        number, kind, position = head
        if number == NAME and kind == BINARY:
            size, at = read_varint(footer, position)
            name = footer[at : at + size].decode("utf-8", "replace")
        elif number == CHILDREN and kind == I32:
            children = read_integer(footer, position)[0]
        elif number == TYPE and kind == I32:
            type = read_integer(footer, position)[0]
        position = skip(footer, position, kind)
    return SchemaElement(name, type, children, position + 1)
