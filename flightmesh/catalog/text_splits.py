"""Cuts big text files into splits that begin and end with whole lines.

Handed a table, a file and how its fields are quoted; hands on splits whose `pieces` are the first byte, the byte after the last
and the number of the first line. What always holds: no quoted field is cut, so the file is looked through once (a fraction of
the cost of parsing it); where that is not cheap (compressed files, S3) the file is one split. What was found is kept by path,
size and mtime.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator
from typing import TypeAlias

from flightmesh.catalog.streams import Quoting, Span, is_compressed, read_blocks
from flightmesh.catalog.table import File, FileSplit, FileTable, Storage

SPLIT_BYTES = 8 * 1024 * 1024
_BLOCK_BYTES = 1024 * 1024
_KEPT = 1024
_Key: TypeAlias = tuple[Storage, str, int, int, Quoting]
_spans: OrderedDict[_Key, tuple[Span, ...]] = OrderedDict()
_lock = threading.Lock()


def text_splits(table: FileTable, number: int, quoting: Quoting) -> Iterator[FileSplit]:
    """The splits of one file of the table, each of about SPLIT_BYTES."""
    file = table.files[number]
    if table.storage.scheme != "local" or is_compressed(file) or file.size < 2 * SPLIT_BYTES:
        yield FileSplit(number, (), None, file.size)
        return
    for span in _find_spans(table.storage, file, quoting):
        yield FileSplit(number, (span.begin, span.end, span.line), None, span.end - span.begin)


def span_of(split: FileSplit) -> Span | None:
    """The part of its file that a split is; None: the whole file."""
    return Span(*split.pieces) if split.pieces else None


def _find_spans(storage: Storage, file: File, quoting: Quoting) -> tuple[Span, ...]:
    key = (storage, file.path, file.size, file.mtime_ns, quoting)
    with _lock:
        found = _spans.get(key)
    if found is None:
        found = tuple(_look_through(storage, file, quoting))
        with _lock:
            _spans[key] = found
            while len(_spans) > _KEPT:
                _spans.popitem(last=False)
    return found


def _look_through(storage: Storage, file: File, quoting: Quoting) -> Iterator[Span]:
    begin = end = 0
    line = 1
    for block in read_blocks(storage, file, _BLOCK_BYTES, quoting):
        if end - begin >= SPLIT_BYTES:
            yield Span(begin, end, line)
            begin, line = block.begin, block.line
        end = block.begin + len(block.data)
    if end > begin:
        yield Span(begin, end, line)
