"""The pages of a column chunk that Snappy has packed, and how the chunk is read into memory with them unpacked.

Arrow's own Snappy takes up to twice as long as another library's for pages full of numbers of 8 bytes or texts, and that was a
third of what TPC-H cost. So large pages are unpacked before Arrow sees the chunk, and stand in it as Snappy writes bytes that
it cannot pack: one literal, which is no more than copied. All else of a chunk stays as it is.

Handed the beginnings of a chunk's pages, once; hands on where its packed pages are, and the steps by which chunks of a file are
read into memory with these pages unpacked. Source: `PageHeader` in the Parquet format's `parquet.thrift`, and the description
of Snappy's format.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

from flightmesh.catalog.thrift import I32, read_head, read_integer, skip, write_head, write_integer, write_varint
from flightmesh.dataclass import dataclass

LEAST_PAGE = 32_768
"""Pages that are smaller unpacked are left as they are."""
_HEADER_BYTES = 1024
"""A header is no longer: it may hold a page's bounds, which writers cut off."""
MOST_PAGES = 64
"""In chunks of more packed pages none is unpacked: each costs a call."""
ADDED_BYTES = MOST_PAGES * 32
"""A chunk with pages unpacked takes at most so many bytes more than its pages and headers would without compression."""
LEAST_GAIN = 0.03
"""Pages of which packing saved less than this share are literals for the most part already."""
MOST_GAP = 131_072
"""Chunks that lie no further apart are read in one go, with what is between."""
_MOST_PIECES = 512
"""The system takes twice as many in one go."""
_DATA_PAGE, _DICTIONARY_PAGE = 0, 2
_TYPE, _UNPACKED, _PACKED, _CHECKSUM = 1, 2, 3, 4
_LITERAL = 63 << 2
"""The tag of a literal whose length, less one, are the next four bytes."""


@dataclass(frozen=True, slots=True)
class PackedPage:
    """A page of a chunk: its header begins at `header`, its packed bytes at `begin`, and `end` is behind them. `prefix` stands
    in the unpacked chunk in place of the header, before the `size` bytes that the page has unpacked."""

    header: int
    begin: int
    end: int
    prefix: bytes
    size: int


@dataclass(frozen=True, slots=True)
class StoredChunk:
    """A column chunk of a file: where its `size` bytes are, the pages of it to unpack, and whether it can be read so at all."""

    offset: int
    size: int
    pages: tuple[PackedPage, ...]
    is_sound: bool

    @property
    def packed_size(self) -> int:
        """The bytes of these pages in the file, headers included."""
        return sum(page.end - page.header for page in self.pages)

    @property
    def unpacked_size(self) -> int:
        """The bytes of the chunk with these pages unpacked."""
        return self.size - self.packed_size + sum(len(page.prefix) + page.size for page in self.pages)


def packed_pages(chunk: Callable[[int, int], bytes], size: int, gain: int) -> tuple[PackedPage, ...]:
    """The pages worth unpacking of a Snappy chunk of `size` bytes, of which packing has saved `gain`; `chunk(start, length)`
    reads of it. Raises IndexError or ValueError where its headers make no sense."""
    found: list[PackedPage] = []
    position = 0
    while position < size and gain > LEAST_GAIN * LEAST_PAGE:
        header = chunk(position, _HEADER_BYTES)
        kind, unpacked, packed, length = _read_header(header)
        begin = position + length
        end = begin + packed
        if packed < 0 or unpacked < 0 or end > size:
            raise ValueError(f"a page of {packed} bytes at {position} of {size}")
        if kind in (_DATA_PAGE, _DICTIONARY_PAGE) and unpacked >= LEAST_PAGE and packed <= (1 - LEAST_GAIN) * unpacked:
            literal = write_varint(unpacked) + bytes([_LITERAL]) + (unpacked - 1).to_bytes(4, "little")
            prefix = _changed_header(header, len(literal) + unpacked) + literal
            found.append(PackedPage(position, begin, end, prefix, unpacked))
        gain -= unpacked - packed
        position = end
    return tuple(found) if len(found) <= MOST_PAGES else ()


def _read_header(data: bytes) -> tuple[int, int, int, int]:
    """Type of a page, its bytes unpacked and packed, and how long its header is."""
    kind = unpacked = packed = -1
    number = position = 0
    while (head := read_head(data, position, number)) is not None:
        number, form, position = head
        if form == I32 and number in (_TYPE, _UNPACKED, _PACKED):
            value, position = read_integer(data, position)
            if number == _TYPE:
                kind = value
            elif number == _UNPACKED:
                unpacked = value
            else:
                packed = value
        else:
            position = skip(data, position, form)
    return kind, unpacked, packed, position + 1


def _changed_header(data: bytes, packed: int) -> bytes:
    """The header of a page that has `packed` bytes, and no checksum."""
    parts: list[bytes] = []
    number = last = position = 0
    while (head := read_head(data, position, number)) is not None:
        number, form, start = head
        position = skip(data, start, form)
        if number != _CHECKSUM:
            value = write_integer(packed) if number == _PACKED else data[start:position]
            parts += [write_head(number, form, last), value]
            last = number
    return b"".join((*parts, b"\0"))


@dataclass(frozen=True, slots=True)
class _Read:
    """`size` bytes of the file at `offset`, in pieces that go to these ranges of memory, one after the other."""

    offset: int
    size: int
    pieces: tuple[slice, ...]


@dataclass(frozen=True, slots=True)
class Filling:
    """How chunks are read into memory: bytes that are written as they are, what is read, and ranges that are then unpacked into
    others. Made once for the chunks of a row group, and carried out each time that they are read."""

    written: tuple[tuple[slice, bytes], ...]
    reads: tuple[_Read, ...]
    unpacked: tuple[tuple[slice, slice], ...]

    def fill(self, file: int, memory: memoryview) -> bool:
        """Reads them from a file (a descriptor). False if they are not what they were when they were looked at; then what is in
        memory is anything."""
        for place, prefix in self.written:
            memory[place] = prefix
        for read in self.reads:
            if os.preadv(file, [memory[piece] for piece in read.pieces], read.offset) != read.size:
                return False
        import cramjam  # not for those who read small files only

        try:
            for source, target in self.unpacked:
                if cramjam.snappy.decompress_raw_into(memory[source], memory[target]) != target.stop - target.start:
                    return False
        except cramjam.DecompressionError:
            return False
        return True


def plan_filling(chunks: Sequence[tuple[StoredChunk, int]], spare: int) -> Filling:
    """How to read each of these chunks to its place in memory, a byte more than it takes being its own. From `spare` on there
    are at least as many bytes as they take in the file, and MOST_GAP more, which it may write to."""
    written: list[tuple[slice, bytes]] = []
    reads: list[_Read] = []
    unpacked: list[tuple[slice, slice]] = []
    pieces: list[slice] = []
    start = end = -1
    """The bytes of the file that `pieces` are."""
    for chunk, place in sorted(chunks, key=lambda pair: pair[0].offset):
        gap = chunk.offset - end
        if pieces and (not 0 <= gap <= MOST_GAP or len(pieces) > _MOST_PIECES):
            reads.append(_Read(start, end - start, tuple(pieces)))
            pieces.clear()
        if not pieces:
            start = chunk.offset
        elif gap:
            pieces.append(slice(spare, spare + gap))
        at, read = place, 0
        for page in chunk.pages:
            if page.header > read:
                pieces.append(slice(at, at + page.header - read))
                at += page.header - read
            stored = page.end - page.header
            pieces.append(slice(spare, spare + stored))
            body = at + len(page.prefix)
            written.append((slice(at, body), page.prefix))
            unpacked.append((slice(spare + page.begin - page.header, spare + stored), slice(body, body + page.size)))
            at, read, spare = body + page.size, page.end, spare + stored
        if read < chunk.size:
            pieces.append(slice(at, at + chunk.size - read))
            at += chunk.size - read
        # Who finds fewer values than the footer promised reads on: into what is no header, not into another row group's pages.
        written.append((slice(at, at + 1), b"\0"))
        end = chunk.offset + chunk.size
    if pieces:
        reads.append(_Read(start, end - start, tuple(pieces)))
    return Filling(tuple(written), tuple(reads), tuple(unpacked))
