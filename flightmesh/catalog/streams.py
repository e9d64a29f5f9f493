"""Reads text files block by block, each block ending at the end of a line.

Handed a pinned file; hands on blocks of bytes with the number of their first line, so that an error can name its line. What
always holds: blocks are cut on this thread (no pool of Arrow's is involved), and never inside a quoted field.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pyarrow as pa

from flightmesh.catalog.storage import display, open_file
from flightmesh.catalog.table import File, Storage
from flightmesh.dataclass import dataclass
from flightmesh.errors import InvalidInput

_CODECS: dict[str, Literal["gzip", "bz2", "zstd", "lz4"]] = {".gz": "gzip", ".bz2": "bz2", ".zst": "zstd", ".lz4": "lz4"}
_BOM = b"\xef\xbb\xbf"
_LONGEST_RECORD = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Block:
    """Whole lines of a file, the first of them number `line` (from 1), beginning at byte `begin`."""

    data: bytes
    line: int
    begin: int


@dataclass(frozen=True, slots=True)
class Quoting:
    """How a quoted field may hold the end of a line; no `quote`: it may not."""

    quote: bytes = b""
    escape: bytes = b""


@dataclass(frozen=True, slots=True)
class Span:
    """Whole lines of a file that is not compressed: bytes `begin` up to `end`, of which the first line is number `line`."""

    begin: int
    end: int
    line: int


def is_compressed(file: File) -> bool:
    """Whether the file's extension names a codec."""
    return Path(file.path).suffix.lower() in _CODECS


def open_text(storage: Storage, file: File) -> pa.NativeFile:
    """The file's bytes in order, decompressed by its extension."""
    codec = _CODECS.get(Path(file.path).suffix.lower())
    source = open_file(storage, file)
    return source if codec is None else pa.CompressedInputStream(source, codec)


def read_blocks(storage: Storage, file: File, size: int, quoting: Quoting, span: Span | None = None) -> Iterator[Block]:
    """The lines of a file, or of a span of it, in blocks of about `size` bytes.

    Raises InvalidInput where decompressing fails.
    """
    name = display(storage, file.path)
    begin, line = (span.begin, span.line) if span is not None else (0, 1)
    left = span.end - span.begin if span is not None else sys.maxsize
    rest = b""
    with open_text(storage, file) as source:
        if begin:
            source.seek(begin)
        while data := _read(source, min(size, left), name):
            left -= len(data)
            if begin == 0 and not rest and data.startswith(_BOM):
                data, begin = data.removeprefix(_BOM), len(_BOM)
            data = rest + data
            cut = _cut(data, quoting)
            if cut == 0 and len(data) < _LONGEST_RECORD:
                rest = data
                continue
            cut = cut or data.rfind(b"\n") + 1 or len(data)
            yield Block(data[:cut], line, begin)
            line += data.count(b"\n", 0, cut)
            begin += cut
            rest = data[cut:]
        if rest:
            yield Block(rest, line, begin)


def read_head(storage: Storage, file: File, size: int, quoting: Quoting) -> Block | None:
    """The first lines of a file, about `size` bytes: all of it when it is no longer, its last line finished or not.

    None for an empty file. Raises InvalidInput where decompressing fails.
    """
    blocks = read_blocks(storage, file, size, quoting)
    first = next(blocks, None)
    if first is None or (file.size > size and not is_compressed(file)):
        return first
    second = next(blocks, None)
    whole = second is not None and len(first.data) + len(second.data) <= size and next(blocks, None) is None
    return replace(first, data=first.data + second.data) if whole and second is not None else first


def _read(source: pa.NativeFile, size: int, name: str) -> bytes:
    try:
        return bytes(source.read(size))
    except (OSError, pa.ArrowInvalid) as error:
        raise InvalidInput(
            f"{name} cannot be decompressed: {error}", hint="is the file whole, and is its extension right?"
        ) from None


def _cut(data: bytes, quoting: Quoting) -> int:
    """The position after the last line that ends outside quotes; 0 if there is none."""
    cut = data.rfind(b"\n") + 1
    if not quoting.quote or cut == 0:
        return cut
    quotes = _count_quotes(data[:cut], quoting)
    while quotes % 2 and cut:
        before = data.rfind(b"\n", 0, cut - 1) + 1
        quotes -= _count_quotes(data[before:cut], quoting)
        cut = before
    return cut


def _count_quotes(data: bytes, quoting: Quoting) -> int:
    count = data.count(quoting.quote)
    if quoting.escape and quoting.escape != quoting.quote:
        count -= data.count(quoting.escape + quoting.quote)
    return count
