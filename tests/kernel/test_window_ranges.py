"""What is computed of many ranges at a time, against what it means for each: order statistics, distinct values, frequencies,
spreads, and the rows that values lie at."""

from __future__ import annotations

import math
import statistics
from collections import Counter

import numpy as np
import pyarrow as pa
import pytest

from flightmesh.kernel.range_order import count_below, smallest
from flightmesh.kernel.window_aggregates import window_aggregate
from flightmesh.kernel.window_distinct import distinct_counts, first_of_each
from flightmesh.kernel.window_frames import Counted, Edge, Excluded, Extent, Frames, frames
from flightmesh.kernel.window_layout import Layout, layouts
from flightmesh.kernel.window_members import members
from flightmesh.kernel.window_modes import running_entropies, running_modes

RNG = np.random.default_rng(11)
ROWS = 120
PARTITION = np.sort(RNG.integers(0, 4, ROWS))
VALUES = RNG.integers(0, 9, ROWS)
GROWING = Extent(Counted.ROWS, None, 0)
SLIDING = Extent(Counted.ROWS, -7, 3)
GAPPED = Extent(Counted.ROWS, -5, 5, Excluded.ROW)


def layout() -> Layout:
    (made,) = layouts([pa.array(PARTITION)], [], ROWS, [0]).values()
    return made


def rows_of(found: Frames) -> list[list[int]]:
    """The rows of each row's frame."""
    by_row = found.by_row()
    return [[row for low, high in by_row.spans for row in range(low[number], high[number])] for number in range(by_row.count)]


@pytest.mark.parametrize("extent", [GROWING, SLIDING, GAPPED])
def test_the_nth_smallest(extent: Extent) -> None:
    found = frames(extent, layout())
    each = rows_of(found)
    filled = [number for number, rows in enumerate(each) if rows]
    nth = np.array([len(each[number]) // 3 for number in filled])
    got = smallest(VALUES, [(low[filled], high[filled]) for low, high in found.spans], nth)
    assert got.tolist() == [sorted(VALUES[each[number]])[place] for number, place in zip(filled, nth, strict=True)]


def test_how_many_are_below() -> None:
    low = RNG.integers(0, ROWS, 50)
    high = np.minimum(ROWS, low + RNG.integers(0, 60, 50))
    bound = RNG.integers(0, 20, 50)
    got = count_below(VALUES, low, high, bound)
    assert got.tolist() == [int((VALUES[a:b] < c).sum()) for a, b, c in zip(low, high, bound, strict=True)]


@pytest.mark.parametrize("extent", [GROWING, SLIDING])
def test_distinct_values(extent: Extent) -> None:
    found = frames(extent, layout())
    expected = [len(set(VALUES[rows])) for rows in rows_of(found)]
    assert distinct_counts(found, [pa.array(VALUES)]).tolist() == expected
    if found.running is not None:
        kept = first_of_each([pa.array(VALUES)], found.running)
        assert found.within(kept).sizes().tolist() == expected


def test_frequencies_of_growing_frames() -> None:
    found = frames(GROWING, layout())
    modes, entropies = running_modes(found, pa.array(VALUES)), running_entropies(found, pa.array(VALUES))
    assert modes is not None
    assert entropies is not None
    for rows, mode, entropy in zip(rows_of(found), modes.to_pylist(), entropies.to_pylist(), strict=True):
        counts = Counter(VALUES[rows].tolist())
        assert mode == min(value for value, count in counts.items() if count == max(counts.values()))
        shares = [count / len(rows) for count in counts.values()]
        assert entropy == pytest.approx(-sum(share * math.log2(share) for share in shares), abs=1e-9)


def test_spreads_beside_a_large_mean() -> None:
    values = VALUES + 1e9
    found = frames(SLIDING, layout())
    got = window_aggregate("squares", found, [pa.array(values)], pa.float64()).to_pylist()
    for rows, squares in zip(rows_of(found), got, strict=True):
        assert squares == pytest.approx(statistics.pvariance(VALUES[rows].tolist()) * len(rows), abs=1e-6)


def test_members_come_in_blocks() -> None:
    found = frames(GAPPED, layout())
    each = rows_of(found)
    got: dict[int, list[int]] = {}
    for block in members(found, 40):
        assert len(block.rows) <= 40
        for row, number in zip(block.rows.tolist(), block.of_frame.tolist(), strict=True):
            got.setdefault(int(block.frames[number]), []).append(row)
    assert got == {number: rows for number, rows in enumerate(each) if rows}


@pytest.mark.parametrize("kind", [pa.int64(), pa.float64(), pa.decimal128(30, 2), pa.uint64()])
@pytest.mark.parametrize("descending", [False, True])
def test_frames_over_values(kind: pa.DataType, descending: bool) -> None:
    key = np.concatenate([np.sort(VALUES[np.array(PARTITION) == p])[:: -1 if descending else 1] for p in range(4)]) + 5
    (made,) = layouts([pa.array(PARTITION)], [pa.array(key)], ROWS, [1]).values()
    toward = 1 if descending else -1
    start, end = (pa.array(key + distance).cast(kind) for distance in (2 * toward, -1 * toward))
    extent = Extent(Counted.VALUES, Edge(-1, start), Edge(1, end), key=pa.array(key).cast(kind), descending=descending)
    for number, rows in enumerate(rows_of(frames(extent, made))):
        near = [
            row for row in range(ROWS) if PARTITION[row] == PARTITION[number] and -2 <= (key[row] - key[number]) * -toward <= 1
        ]
        assert rows == near
