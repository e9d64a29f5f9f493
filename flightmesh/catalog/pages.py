"""Reads the header of a Parquet dictionary page: how many entries the dictionary of a column chunk has.

Handed the first bytes of the page; hands on counts. This is the Thrift compact encoding of `PageHeader` in the Parquet format's
`parquet.thrift`: 1 type, 2 uncompressed size, 3 compressed size, 4 crc, 7 dictionary header (1 number of values, ...).
"""

from __future__ import annotations

from flightmesh.catalog.thrift import BYTE, FALSE, I16, I32, I64, STRUCT, TRUE, read_head, read_integer
from flightmesh.dataclass import dataclass

HEADER_BYTES = 64
_DICTIONARY_PAGE = 2
_LEAST_DIFFERENCE = 0.5
_NEARLY_ALL = 0.85


@dataclass(frozen=True, slots=True)
class DictionaryPage:
    """The entries of a dictionary and its size in bytes, uncompressed."""

    entries: int
    size: int


def read_dictionary_header(data: bytes) -> DictionaryPage | None:
    """The dictionary page whose header begins `data`, or None if another page begins there or the header is cut off."""
    try:
        fields, _ = _read_struct(data, 0)
    except (IndexError, ValueError):
        return None
    header = fields.get(7)
    size = fields.get(2)
    if fields.get(1) != _DICTIONARY_PAGE or not isinstance(header, dict) or not isinstance(size, int):
        return None
    entries = header.get(1)
    return DictionaryPage(entries, size) if isinstance(entries, int) else None


def encoded_values(page: DictionaryPage, chunk_size: int, values: int) -> int:
    """How many of a chunk's `values` are entries of its dictionary.

    Writers give a dictionary up when it is full (at 1 MiB by default) and write the rest plainly. `chunk_size` tells how many
    that are: an entry's number takes the bits to count the entries, a plain value what an entry takes on average.
    """
    number = max(1, page.entries.bit_length()) / 8
    plain = page.size / page.entries
    if plain - number < _LEAST_DIFFERENCE:
        return values
    encoded = (values * plain + page.size - chunk_size) / (plain - number)
    return values if encoded >= _NEARLY_ALL * values else max(0, int(encoded))


_Fields = dict[int, "int | _Fields"]


def _read_struct(data: bytes, position: int) -> tuple[_Fields, int]:
    fields: _Fields = {}
    number = 0
    while (head := read_head(data, position, number)) is not None:
        number, kind, position = head
        if kind in (TRUE, FALSE):
            fields[number] = int(kind == TRUE)
        elif kind == BYTE:
            fields[number], position = data[position], position + 1
        elif kind in (I16, I32, I64):
            fields[number], position = read_integer(data, position)
        elif kind == STRUCT:
            fields[number], position = _read_struct(data, position)
        else:
            raise ValueError(f"field {number} has the Thrift type {kind}, which no page header has")
    return fields, position + 1
