"""Where partitions, peers and frames begin and end, in rows that are sorted by partition and order.

Handed key columns in that order; hands on row numbers. What always holds: a range of rows is half open, and lies within the
partition of the row that it is for.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from flightmesh.kernel.equality import rows_equal
from flightmesh.kernel.values import Array, Int64s, Mask


class Counted(enum.Enum):
    """What a frame's bounds count: ROWS, or whole runs of PEERS."""

    ROWS = "rows"
    PEERS = "peers"


@dataclass(frozen=True, slots=True)
class Extent:
    """How far frames reach from their row, both ends included: negative before it, None unbounded. Of PEERS, 0 or None."""

    counted: Counted
    start: int | None
    end: int | None


@dataclass(frozen=True, slots=True)
class Runs:
    """Neighbouring rows that belong together. `ids`: the run of each row; `starts` and `ends` by run."""

    ids: Int64s
    starts: Int64s
    ends: Int64s


@dataclass(frozen=True, slots=True)
class Layout:
    """The partitions of sorted rows (at least one row), and the peers within them."""

    rows: int
    partitions: Runs
    peers: Runs

    @property
    def numbers(self) -> Int64s:
        """Each row's own number."""
        return np.arange(self.rows, dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Ranges:
    """The frames of rows. `of_row`: which range is each row's; None: the ranges are those of the rows, in order."""

    low: Int64s
    high: Int64s
    of_row: Int64s | None

    def by_row(self) -> tuple[Int64s, Int64s]:
        """(low, high) of each row."""
        return (self.low, self.high) if self.of_row is None else (self.low[self.of_row], self.high[self.of_row])


def layouts(partition: Sequence[Array], order: Sequence[Array], rows: int, keys: Sequence[int]) -> dict[int, Layout]:
    """The layout for each of these numbers of order keys."""
    changes = _changes(partition, rows)
    partitions = _runs(changes, rows)
    made = {}
    seen = 0
    for count in sorted(set(keys)):
        changes = changes | _changes(order[seen:count], rows)
        seen = count
        made[count] = Layout(rows, partitions, _runs(changes, rows) if count else partitions)
    return made


def _changes(columns: Sequence[Array], rows: int) -> Mask:
    """Whether each row but the first differs from the one before."""
    if not columns:
        return np.zeros(rows - 1, np.bool_)
    return ~rows_equal([c.slice(1) for c in columns], [c.slice(0, rows - 1) for c in columns])


def _runs(changes: Mask, rows: int) -> Runs:
    starts = np.concatenate((np.zeros(1, np.int64), np.flatnonzero(changes) + 1))
    ids = np.zeros(rows, np.int64)
    np.cumsum(changes, out=ids[1:])
    return Runs(ids, starts, np.append(starts[1:], rows))


def ranges(extent: Extent, layout: Layout) -> Ranges:
    """The frames of all rows; rows that certainly share one are one range."""
    partitions = layout.partitions
    if extent.start is None and extent.end is None:
        return Ranges(partitions.starts, partitions.ends, partitions.ids)
    if extent.counted is Counted.PEERS:
        peers = layout.peers
        owners = partitions.ids[peers.starts]
        low = partitions.starts[owners] if extent.start is None else peers.starts
        return Ranges(low, partitions.ends[owners] if extent.end is None else peers.ends, peers.ids)
    first, last = partitions.starts[partitions.ids], partitions.ends[partitions.ids]
    low = first if extent.start is None else np.clip(layout.numbers + _near(extent.start, layout), first, last)
    high = last if extent.end is None else np.clip(layout.numbers + _near(extent.end, layout) + 1, first, last)
    return Ranges(low, np.maximum(low, high), None)


def _near(offset: int, layout: Layout) -> int:
    """An offset past all rows as one that is just past them: sums with it do not wrap."""
    return max(-layout.rows - 1, min(offset, layout.rows + 1))
