"""Columns of Parquet files that have been decoded, kept in memory for the next query, up to a number of bytes.

Handed the chunks of one column of one split; hands them on again. What always holds: what is kept is at most the limit and is
accounted for; a file that has changed is another file; and reading a table larger than the cache again and again keeps one part
of it, instead of driving each part out just before it is asked for.

What is full takes a newcomer only in place of what has been asked for less often, counted over the latest questions: Einziger,
Friedman and Manes, "TinyLFU: A Highly Efficient Cache Admission Policy", 2017. Here the counts are exact.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import pyarrow as pa

from flightmesh.catalog.table import Storage
from flightmesh.dataclass import dataclass

Chunks: TypeAlias = tuple["pa.Array[Any]", ...]
_REMEMBERED = 65_536
"""Questions after which all counts are halved, and those that reach 0 forgotten."""


@dataclass(frozen=True, slots=True)
class ColumnKey:
    """A column of a split as a reader gives it. `kind` is its type there and whether texts that repeat are dictionaries."""

    storage: Storage
    path: str
    size: int
    mtime_ns: int
    pieces: tuple[int, ...]
    column: str
    kind: tuple[pa.DataType, str]
    morsel_rows: int


class ColumnCache:
    """Any thread may call. `take` accounts for bytes, unless they do not fit; `give` gives them back."""

    def __init__(
        self, limit: int, take: Callable[[int], bool] = lambda _: True, give: Callable[[int], None] = lambda _: None
    ) -> None:
        self.limit = limit
        self._take = take
        self._give = give
        self._used = 0
        self._kept: OrderedDict[ColumnKey, tuple[Chunks, int]] = OrderedDict()
        self._asked: dict[ColumnKey, int] = {}
        self._questions = 0
        self._lock = threading.Lock()

    @property
    def used(self) -> int:
        """Bytes that are kept."""
        return self._used

    def get(self, key: ColumnKey) -> Chunks | None:
        """The column's chunks; None if they are not here."""
        with self._lock:
            self._count(key)
            found = self._kept.get(key)
            if found is None:
                return None
            self._kept.move_to_end(key)
            return found[0]

    def put(self, key: ColumnKey, chunks: Sequence[pa.Array[Any]]) -> None:
        """Keeps a column, if it has been asked for more often than what would have to go for it."""
        size = sum(chunk.nbytes for chunk in chunks)
        with self._lock:
            if key in self._kept or not self._makes_way(key, size) or not self._take(size):
                return
            self._kept[key] = tuple(chunks), size
            self._used += size

    def shrink(self, size: int) -> None:
        """Gives back at least so many bytes, or all: those asked for longest ago first."""
        with self._lock:
            wanted = self._used - size
            while self._kept and self._used > wanted:
                self._drop(next(iter(self._kept)))

    def _makes_way(self, key: ColumnKey, size: int) -> bool:
        """Drops what is less in demand than `key` until `size` fits; if that does not suffice, nothing."""
        missing = self._used + size - self.limit
        if size > self.limit:
            return False
        leaving: list[ColumnKey] = []
        demand = self._asked.get(key, 0)
        for other, (_, held) in self._kept.items():
            if missing <= 0:
                break
            if self._asked.get(other, 0) >= demand:
                return False
            leaving.append(other)
            missing -= held
        for other in leaving:
            self._drop(other)
        return True

    def _drop(self, key: ColumnKey) -> None:
        _, size = self._kept.pop(key)
        self._used -= size
        self._give(size)

    def _count(self, key: ColumnKey) -> None:
        self._asked[key] = self._asked.get(key, 0) + 1
        self._questions += 1
        if self._questions >= _REMEMBERED:
            self._questions = 0
            self._asked = {key: count // 2 for key, count in self._asked.items() if count > 1}
