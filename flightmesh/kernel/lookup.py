"""The matches of a batch of probe rows, as the kernels that find them hand them on.

What always holds: `pairs` gives every match once, in order of probe rows, at most so many at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from flightmesh.dataclass import dataclass
from flightmesh.kernel.expand import pair_windows
from flightmesh.kernel.values import Int64s, Mask

Int32s: TypeAlias = npt.NDArray[np.int32]
Pairs: TypeAlias = tuple[Int64s, npt.NDArray[np.int64] | Int32s]
"""Probe row numbers and build row numbers, pairwise."""

_WINDOW = 1 << 20


@dataclass(frozen=True, slots=True)
class Lookup:
    """For each of `rows` probe rows: with `counts` None, `begin` is its one build row or -1; else its build rows are the
    `counts` entries of `listed` from `begin` on (`listed` None: the entries are their own places).
    """

    rows: int
    begin: Int32s | Int64s
    counts: Int32s | Int64s | None
    listed: Int32s | None

    @property
    def single(self) -> bool:
        """Whether no probe row has more than one match."""
        return self.counts is None or bool((self.counts <= 1).all())

    def matched(self) -> Mask:
        """Which probe rows have a match."""
        return self.begin >= 0 if self.counts is None else self.counts > 0

    def first(self) -> Int64s | Int32s:
        """The first build row of each probe row, or -1."""
        if self.counts is None:
            return self.begin
        matched = np.flatnonzero(self.counts > 0)
        begin = self.begin[matched]
        rows = np.full(self.rows, -1, np.int64)
        rows[matched] = begin if self.listed is None else self.listed[begin]
        return rows

    def pairs(self, limit: int) -> Iterator[Pairs]:
        """All matches, at most `limit` at a time (at least one match a window)."""
        if self.counts is None:
            probe = np.flatnonzero(self.begin >= 0)
            for start in range(0, len(probe), limit):
                part = probe[start : start + limit]
                yield part, self.begin[part]
            return
        for rows, nth in pair_windows(self.counts, limit):
            places = self.begin[rows] + nth
            yield rows, places if self.listed is None else self.listed[places]

    def where(self, keep: Callable[[Int64s, Int64s | Int32s], Mask]) -> Lookup:
        """Only the pairs for which `keep` is true."""
        counts = np.zeros(self.rows, np.int64)
        found: list[Int32s] = []
        for probe, build in self.pairs(_WINDOW):
            kept = keep(probe, build)
            counts += np.bincount(probe[kept], minlength=self.rows)
            found.append(build[kept].astype(np.int32))
        listed = np.concatenate(found) if found else np.zeros(0, np.int32)
        return Lookup(self.rows, np.cumsum(counts) - counts, counts, listed)


def all_pairs(rows: int, build_rows: int) -> Lookup:
    """Every probe row with every build row."""
    return Lookup(rows, np.zeros(rows, np.int64), np.full(rows, build_rows, np.int64), None)
