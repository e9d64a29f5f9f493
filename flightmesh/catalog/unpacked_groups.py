"""Row groups of an open file, read by way of memory in which their large Snappy pages are unpacked already.

Handed an open local file and its footer; hands on readers of single row groups, or None where Arrow's own way is as good: other
codecs, small pages, very large row groups. What always holds: a memory is used for one row group at a time; what a reader has
decoded refers to none of it, as Arrow copies values out of the pages of a compressed chunk.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import accumulate, pairwise
from typing import TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from flightmesh.catalog.footers import Footer
from flightmesh.catalog.group_footers import CODECS, GroupLayout, PlacedColumn
from flightmesh.catalog.packed_pages import (
    ADDED_BYTES,
    MOST_GAP,
    Filling,
    PackedPage,
    StoredChunk,
    packed_pages,
    plan_filling,
)
from flightmesh.dataclass import dataclass

LEAST_BYTES = 200_000
"""Row groups of whose wanted columns fewer packed bytes would be unpacked are read in Arrow's own way;"""
MOST_BYTES = 64 << 20
"""and those that, or whose neighbours, would take more memory."""
KEPT_BYTES = 16 << 20
"""Memory of this size is kept for the next row group;"""
_MOST_FREE = 4
"""so many times at most."""
_FIRST_BYTES = 4 << 20
"""So much is taken at first. What is not written to is no memory."""
_READERS_KEPT = 128
_BLOCK = 16
"""A reader can read so many neighbouring row groups, one at a time."""
_SHORT_SIZES = ("parquet-mr version 1.0", "parquet-mr version 1.1", "parquet-mr version 1.2")
"""Writers whose sizes of chunks leave the dictionary's header out (PARQUET-816)."""
_START = 4
"""Where the first chunk begins: no footer says 0."""
_SPARE = 1.25
"""So many times as much as is needed is taken when it has to grow."""
_Bytes: TypeAlias = "np.ndarray[tuple[int], np.dtype[np.uint8]]"
_Key: TypeAlias = tuple[Footer, tuple[str, ...], int]
"""A file, columns of it, and which of its blocks of row groups."""


@dataclass(frozen=True, slots=True)
class _Reader:
    """A reader of a block of row groups, for each of which the chunks of columns lie at these offsets of one memory."""

    reader: pq.ParquetFile
    offsets: tuple[int, ...]
    """The last one is where what is packed may lie."""
    fillings: dict[int, Filling]
    """How the groups that it has read come there."""


class _Memory:
    """What the chunks of one row group at a time are unpacked into, and the readers over it, least recently used first."""

    def __init__(self, size: int) -> None:
        self.bytes: _Bytes = np.empty(size, np.uint8)
        self.readers: OrderedDict[_Key, _Reader] = OrderedDict()


_free: list[_Memory] = []
"""Those that no reader uses, the one that was used last at the end."""


@contextmanager
def unpacked_group(
    source: pa.NativeFile, known: Footer, group: int, columns: Sequence[str]
) -> Iterator[tuple[pq.ParquetFile, int] | None]:
    """A reader of the `columns` of a row group, and that group's number there, or None: to be read in Arrow's own way. Good
    until the context ends."""
    if not isinstance(source, pa.OSFile) or not known.leaves_are_certain or not hasattr(os, "preadv"):
        yield None
        return
    memory = _taken()
    try:
        found = _filled(memory, source, known, group, columns)
        if found is None:
            yield None
        else:
            memory, reader, number = found
            yield reader, number
    finally:
        _give_back(memory)


def _taken() -> _Memory:
    try:
        return _free.pop()
    except IndexError:
        return _Memory(_FIRST_BYTES)


def _give_back(memory: _Memory) -> None:
    if len(memory.bytes) <= KEPT_BYTES and len(_free) < _MOST_FREE:
        _free.append(memory)


def give_back_memory() -> None:
    """Lets go of the memory that no reader uses."""
    _free.clear()


def _filled(
    memory: _Memory, source: pa.OSFile, known: Footer, group: int, columns: Sequence[str]
) -> tuple[_Memory, pq.ParquetFile, int] | None:
    """A reader, its memory filled, and the memory, which may be another."""
    block, number = divmod(group, _BLOCK)
    key = known, tuple(columns), block
    reader = memory.readers.get(key)
    filling = None if reader is None else reader.fillings.get(number)
    if reader is None or filling is None:
        leaves = [leaf for column in columns for leaf in known.leaves(column)]
        chunks = [known.stored_chunk(group, leaf) or _look_at(source, known, group, leaf) for leaf in leaves]
        if not _is_worthwhile(chunks):
            return None
        if reader is None:
            made = _made_reader(memory, key, leaves)
            if made is None:
                return None
            memory, reader = made
        if any(chunk.unpacked_size >= room for chunk, room in zip(chunks, _room(reader.offsets), strict=True)):
            return None  # a footer that says less than there is
        filling = reader.fillings[number] = plan_filling(
            list(zip(chunks, reader.offsets[:-1], strict=True)), reader.offsets[-1]
        )
    memory.readers.move_to_end(key)
    return (memory, reader.reader, number) if filling.fill(source.fileno(), memory.bytes.data) else None


def _is_worthwhile(chunks: Sequence[StoredChunk]) -> bool:
    """Whether it pays to unpack chunks together."""
    if not all(chunk.is_sound for chunk in chunks):
        return False
    packed = sum(chunk.packed_size for chunk in chunks)
    return packed >= LEAST_BYTES and packed + sum(chunk.unpacked_size for chunk in chunks) <= MOST_BYTES


def _look_at(source: pa.OSFile, known: Footer, group: int, leaf: int) -> StoredChunk:
    """A chunk of the file; not sound where its headers make no sense: Arrow's own way says so."""
    chunk = known.metadata.row_group(group).column(leaf)
    offset, size = chunk.data_page_offset, chunk.total_compressed_size
    if (chunk.dictionary_page_offset or 0) > 0:  # some writers say 0 where there is no dictionary
        offset = min(offset, chunk.dictionary_page_offset)
    pages: tuple[PackedPage, ...] = ()
    is_sound = not known.metadata.created_by.startswith(_SHORT_SIZES)
    if chunk.compression == "SNAPPY" and size <= MOST_BYTES:
        file = source.fileno()
        try:
            pages = packed_pages(
                lambda start, length: os.pread(file, length, offset + start), size, chunk.total_uncompressed_size - size
            )
        except (IndexError, ValueError):
            is_sound = False
    return known.keep_chunk(group, leaf, StoredChunk(offset, size, pages, is_sound))


def _made_reader(memory: _Memory, key: _Key, leaves: list[int]) -> tuple[_Memory, _Reader] | None:
    """A reader, and the memory that it is over: this one, or a larger one. None where chunks have other codecs."""
    known, columns, block = key
    layout = known.layouts.get((columns, block)) or known.keep_layout(columns, block, _layout(known, columns, block, leaves))
    if layout.footer is None:
        return None
    if len(memory.bytes) < layout.size:
        memory = _Memory(int(layout.size * _SPARE))
    repetitive = [column for column in known.repetitive_columns() if column in columns]
    source = pa.BufferReader(pa.py_buffer(memory.bytes))
    reader = pq.ParquetFile(source, metadata=layout.footer, read_dictionary=repetitive, pre_buffer=False)
    made = memory.readers[key] = _Reader(reader, layout.offsets, {})
    while len(memory.readers) > _READERS_KEPT:
        memory.readers.popitem(last=False)
    return memory, made


def _layout(known: Footer, columns: Sequence[str], block: int, leaves: list[int]) -> GroupLayout:
    """Where the chunks of a block's row groups lie in memory, there being room for the largest of each column."""
    first = block * _BLOCK
    rows = known.rows[first : first + _BLOCK]
    chunks = [[known.metadata.row_group(first + number).column(leaf) for number in range(len(rows))] for leaf in leaves]
    codecs = [column[0].compression for column in chunks]
    is_one_each = all(chunk.compression == codec for column, codec in zip(chunks, codecs, strict=True) for chunk in column)
    if not is_one_each or not CODECS.issuperset(codecs):
        return GroupLayout(None, (), 0)
    room = [max(_most_bytes(chunk) for chunk in column) for column in chunks]
    offsets = tuple(accumulate(room, initial=_START))
    packed = sum(max(chunk.total_compressed_size for chunk in column) for column in chunks)
    placed = [
        PlacedColumn(column[0].physical_type, codec, tuple(chunk.num_values for chunk in column), offset, size)
        for column, codec, offset, size in zip(chunks, codecs, offsets[:-1], room, strict=True)
    ]
    total = offsets[-1] + packed + MOST_GAP
    return GroupLayout(known.group_footers.footer(columns, rows, placed) if total <= MOST_BYTES else None, offsets, total)


def _room(offsets: tuple[int, ...]) -> list[int]:
    return [behind - offset for offset, behind in pairwise(offsets)]


def _most_bytes(chunk: pq.ColumnChunkMetaData) -> int:
    """The most bytes that a chunk can take, whatever pages of it are unpacked."""
    return int(max(chunk.total_compressed_size, chunk.total_uncompressed_size)) + ADDED_BYTES
