"""The frames of rows that are sorted by partition and order: which rows each row's window function looks at.

Handed a layout and how far frames reach; hands on ranges of row numbers. What always holds: ranges are half open, lie within
the partition of the row that they are for, and those of one frame are disjoint and ascending.
"""

from __future__ import annotations

import enum
from typing import TypeAlias

import numpy as np

from flightmesh.dataclass import dataclass
from flightmesh.errors import DataError, InternalError
from flightmesh.kernel.values import Array, Int64s, Mask, integers
from flightmesh.kernel.window_layout import Layout
from flightmesh.kernel.window_search import NULL_DISTANCE, Place, Search

Span: TypeAlias = tuple[Int64s, Int64s]
"""(low, high): one range for each frame."""


class Counted(enum.Enum):
    """What the bounds of a frame count: ROWS, whole GROUPS of peers, or the distance of VALUES of the order's key."""

    ROWS = "rows"
    GROUPS = "groups"
    VALUES = "values"


class Excluded(enum.Enum):
    """What is left out of a frame: its own ROW, the GROUP of its peers, or the peers without the row (TIES)."""

    NOTHING = "nothing"
    ROW = "row"
    GROUP = "group"
    TIES = "ties"


@dataclass(frozen=True, slots=True)
class Edge:
    """A bound that differs from row to row. `sign`: -1 before the row, 1 after. `by`: how many rows or groups, or, of VALUES,
    the value of the key that it is at; NULL is the row itself."""

    sign: int
    by: Array


@dataclass(frozen=True, slots=True)
class Extent:
    """How far frames reach from their row, both ends included: negative before it, 0 the row (of GROUPS and VALUES with its
    peers), None unbounded. `key`: the order's key, of the type of the edges' values, and whether it descends."""

    counted: Counted
    start: int | Edge | None
    end: int | Edge | None
    excluded: Excluded = Excluded.NOTHING
    key: Array | None = None
    descending: bool = False


@dataclass(frozen=True, slots=True)
class Frames:
    """The frames of rows, each of one or more ranges. `of_row`: which frame is each row's; None: the frames are those of the
    rows, in order. `running`: where every frame is one range from its partition's first row on, the partition of each row."""

    spans: tuple[Span, ...]
    of_row: Int64s | None = None
    running: Int64s | None = None

    @property
    def count(self) -> int:
        """How many frames."""
        return len(self.spans[0][0])

    def sizes(self) -> Int64s:
        """Rows of each frame."""
        total = np.zeros(self.count, np.int64)
        for low, high in self.spans:
            total += high - low
        return total

    def by_row(self) -> Frames:
        """The same with a frame for each row."""
        if self.of_row is None:
            return self
        return Frames(tuple((low[self.of_row], high[self.of_row]) for low, high in self.spans), None, self.running)

    def within(self, kept: Mask) -> Frames:
        """The frames in terms of the rows that are kept."""
        before = np.zeros(len(kept) + 1, np.int64)
        np.cumsum(kept, out=before[1:])
        running = None if self.running is None else self.running[kept]
        return Frames(tuple((before[low], before[high]) for low, high in self.spans), self.of_row, running)


def frames(extent: Extent, layout: Layout) -> Frames:
    """The frames of all rows; rows that certainly share one have one. Raises DataError for a distance below 0 that counts
    groups or values."""
    whole = _shared(extent, layout)
    if whole is not None and extent.excluded is Excluded.NOTHING:
        return whole
    if whole is not None:
        ((low, high),) = whole.by_row().spans
    else:
        low, high = _reach(extent, layout)
    if extent.excluded is not Excluded.NOTHING:
        return Frames(_without(extent.excluded, low, high, layout))
    return Frames(((low, high),), None, layout.partitions.ids if extent.start is None else None)


def _shared(extent: Extent, layout: Layout) -> Frames | None:
    """The frames of whole partitions or peers, which many rows share; None where there are none."""
    partitions, peers = layout.partitions, layout.peers
    if extent.start is None and extent.end is None:
        return Frames(((partitions.starts, partitions.ends),), partitions.ids)
    if extent.counted is Counted.ROWS or not all(bound is None or bound == 0 for bound in (extent.start, extent.end)):
        return None
    owners = partitions.ids[peers.starts]
    low = partitions.starts[owners] if extent.start is None else peers.starts
    high = partitions.ends[owners] if extent.end is None else peers.ends
    return Frames(((low, high),), peers.ids, partitions.ids if extent.start is None else None)


def _reach(extent: Extent, layout: Layout) -> Span:
    partitions = layout.partitions
    first, last = partitions.starts[partitions.ids], partitions.ends[partitions.ids]
    search = None
    if extent.counted is Counted.VALUES:
        if extent.key is None:
            raise InternalError("a frame of values without a key")
        edges = [bound.by for bound in (extent.start, extent.end) if isinstance(bound, Edge)]
        search = Search(extent.key, edges, extent.descending, layout)
    low = first if extent.start is None else _bound(extent.start, Place.FIRST, extent.counted, layout, search)
    high = last if extent.end is None else _bound(extent.end, Place.AFTER_LAST, extent.counted, layout, search)
    low, high = np.clip(low, first, last), np.clip(high, first, last)
    return low, np.maximum(low, high)


def _bound(bound: int | Edge, place: Place, counted: Counted, layout: Layout, search: Search | None) -> Int64s:
    if search is not None and isinstance(bound, Edge):
        return search.rows(bound.by, bound.sign, place)
    distance = _distance(bound, counted, layout)
    if counted is Counted.ROWS:
        return layout.numbers + distance + (place is Place.AFTER_LAST)
    peers = layout.peers
    number = peers.ids + distance
    starts, ends = (np.concatenate((edge[:1], edge, edge[-1:])) for edge in (peers.starts, peers.ends))
    starts[-1], ends[0] = layout.rows, 0
    found: Int64s = (starts if place is Place.FIRST else ends)[np.clip(number, -1, len(peers.starts)) + 1]
    return found


def _distance(bound: int | Edge, counted: Counted, layout: Layout) -> Int64s | int:
    """How many rows or groups, cut to what is just past all of them: sums with it do not wrap."""
    most = layout.rows + 1
    if isinstance(bound, int):
        return max(-most, min(bound, most))
    distance = integers(bound.by)
    if bound.by.null_count:
        raise DataError(NULL_DISTANCE)
    if counted is Counted.GROUPS and (distance < 0).any():
        raise DataError("a frame's distance in groups is below 0", hint="bounds of GROUPS and RANGE are 0 or more")
    return bound.sign * np.clip(distance, -most, most)


def _without(excluded: Excluded, low: Int64s, high: Int64s, layout: Layout) -> tuple[Span, ...]:
    """The frames in two or three ranges, without what is excluded."""
    row, peers = layout.numbers, layout.peers
    first, last = (row, row + 1) if excluded is Excluded.ROW else (peers.starts[peers.ids], peers.ends[peers.ids])
    before = low, np.maximum(low, np.minimum(high, first))
    after = np.minimum(high, np.maximum(low, last)), high
    if excluded is not Excluded.TIES:
        return before, after
    there = (low <= row) & (row < high)
    return before, (row, row + there), after
