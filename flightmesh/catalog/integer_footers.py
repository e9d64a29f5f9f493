"""A Parquet footer that calls decimals of up to 18 digits the integers as which they are stored.

pyarrow gives 16 bytes for each decimal, whatever its digits, where a file has 4 or 8; by a footer without the note that a
column is a decimal it gives what the file has. Handed a file's metadata and names of its columns; hands on metadata for reading
the same bytes. What always holds: nothing but the annotation of these columns is changed, and columns inside others, or of
other types, are left alone. Source: `SchemaElement` and `FileMetaData` in the Parquet format's `parquet.thrift`.
"""

from __future__ import annotations

from collections.abc import Collection

import pyarrow.parquet as pq

from flightmesh.catalog.footer_bytes import footer_bytes, metadata_of, read_element
from flightmesh.catalog.thrift import LIST, STRUCT, read_head, read_size, skip, write_head
from flightmesh.errors import InternalError

_SCHEMA = 2
"""The field of FileMetaData that is a list of SchemaElement, in pre-order of the tree."""
_INTEGERS = frozenset({1, 2})
"""The types INT32 and INT64."""
_ANNOTATION = frozenset({6, 7, 8, 10})
"""Fields of a SchemaElement that say what its integers mean: converted type, scale, precision, logical type."""


def with_integers(metadata: pq.FileMetaData, names: Collection[str]) -> pq.FileMetaData:
    """The metadata in which the columns of these names, decimals in integers, are integers."""
    return metadata_of(_changed(footer_bytes(metadata), names))


def _changed(footer: bytes, names: Collection[str]) -> bytes:
    """A FileMetaData with another schema; what lies around it is copied."""
    number = position = 0
    while (head := read_head(footer, position, number)) is not None:
        number, kind, position = head
        if number == _SCHEMA and kind == LIST:
            count, each, start = read_size(footer, position)
            if each != STRUCT:
                raise InternalError("the schema of a Parquet footer is no list of structs")
            elements, end = _elements(footer, start, count, names)
            return b"".join((footer[:start], *elements, footer[end:]))
        position = skip(footer, position, kind)
    raise InternalError("a Parquet footer without a schema")


def _elements(footer: bytes, position: int, count: int, names: Collection[str]) -> tuple[list[bytes], int]:
    """The elements of the schema, those of top-level columns of these names without their annotation, and where they end."""
    made: list[bytes] = []
    inside = [1]
    """Of each element that is begun, how many of its children are to come; the root is the only child of nothing."""
    for _ in range(count):
        while inside[-1] == 0:
            inside.pop()
        inside[-1] -= 1
        element = read_element(footer, position)
        is_wanted = len(inside) == 2 and element.type in _INTEGERS and element.name in names
        whole = footer[position : element.end]
        made.append(_without_annotation(footer, position, element.end) if is_wanted else whole)
        inside.append(element.children)
        position = element.end
    return made, position


def _without_annotation(footer: bytes, position: int, end: int) -> bytes:
    """The fields of an element but for those that say what its integers mean."""
    parts: list[bytes] = []
    number = last = 0
    while (head := read_head(footer, position, number)) is not None:
        number, kind, start = head
        position = skip(footer, start, kind)
        if number not in _ANNOTATION:
            parts += [write_head(number, kind, last), footer[start:position]]
            last = number
    return b"".join((*parts, footer[position:end]))
