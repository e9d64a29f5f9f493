"""Window kernels against what they mean, a row at a time: frames, folds, exact sums."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from flightmesh.errors import DataError
from flightmesh.kernel.range_folds import fold_ranges
from flightmesh.kernel.window import partition_function
from flightmesh.kernel.window_aggregates import window_aggregate
from flightmesh.kernel.window_frames import Counted, Extent, frames
from flightmesh.kernel.window_layout import layouts
from flightmesh.kernel.window_values import Nulls

DEFAULT = Extent(Counted.GROUPS, None, 0)
HUGEINT = pa.decimal128(38, 0)
PARTITION = pa.array([1, 1, 1, 1, 2, 2, None], pa.int32())
ORDER = pa.array([1, 2, 2, None, 1, 1, 1], pa.int32())
(LAYOUT,) = layouts([PARTITION], [ORDER], 7, [1]).values()


def run(function: str, extent: Extent, *arguments: pa.Array, result: pa.DataType = HUGEINT) -> list[Any]:
    return window_aggregate(function, frames(extent, LAYOUT), arguments, result).to_pylist()


def placed(function: str, *arguments: pa.Array) -> list[Any]:
    return partition_function(function, LAYOUT, arguments, Nulls.RESPECTED).to_pylist()


def spans(extent: Extent) -> list[list[int]]:
    ((low, high),) = frames(extent, LAYOUT).by_row().spans
    return [low.tolist(), high.tolist()]


@pytest.mark.parametrize("rows", [1, 2, 7, 64, 100])
@pytest.mark.parametrize(("combine", "identity"), [(np.add, 0), (np.minimum, 10**9), (np.maximum, -1)])
def test_folds_are_those_of_each_range(rows: int, combine: np.ufunc, identity: int) -> None:
    rng = np.random.default_rng(rows)
    values = rng.integers(0, 1000, rows)
    low, high = rng.integers(0, rows + 1, 300), rng.integers(0, rows + 1, 300)
    high = np.maximum(low, high)
    found = fold_ranges(values, low, high, combine, identity)
    assert found.tolist() == [combine.reduce(values[a:b], initial=identity) for a, b in zip(low, high, strict=True)]


def test_frames_stay_within_partitions() -> None:
    assert spans(Extent(Counted.ROWS, -1, 1)) == [[0, 0, 1, 2, 4, 4, 6], [2, 3, 4, 4, 6, 6, 7]]
    assert spans(DEFAULT) == [[0, 0, 0, 0, 4, 4, 6], [1, 3, 3, 4, 6, 6, 7]]
    assert spans(Extent(Counted.ROWS, 2, 10**18)) == [[2, 3, 4, 4, 6, 6, 7], [4, 4, 4, 4, 6, 6, 7]]
    assert spans(Extent(Counted.GROUPS, -1, -1)) == [[0, 0, 0, 1, 4, 4, 6], [0, 1, 1, 3, 4, 4, 6]]
    assert spans(Extent(Counted.GROUPS, 1, 10**18)) == [[1, 3, 3, 4, 6, 6, 7], [4, 4, 4, 4, 6, 6, 7]]


def test_sums_do_not_wrap() -> None:
    large = pa.array([2**63 - 1, 2**63 - 1, -(2**63), None, 2**63 - 1, 1, -5], pa.int64())
    expected = [2**63 - 1, 2**63 - 2, 2**63 - 2, 2**63 - 2, 2**63, 2**63, -5]
    assert run("sum", DEFAULT, large) == [Decimal(value) for value in expected]
    unsigned = pa.array([2**64 - 1] * 7, pa.uint64())
    assert run("sum", Extent(Counted.ROWS, None, None), unsigned)[0] == 4 * (2**64 - 1)


def test_a_sum_past_38_digits_is_an_error() -> None:
    largest = pa.array([Decimal("9" * 38)] * 7, HUGEINT)
    with pytest.raises(DataError, match="a sum overflows"):
        run("sum", DEFAULT, largest)
    assert run("sum", Extent(Counted.ROWS, 0, 0), largest) == [Decimal("9" * 38)] * 7


def test_an_infinity_before_the_frame_does_not_reach_into_it() -> None:
    values = pa.array([float("inf"), 1e300, 0.1, 0.2, float("nan"), 2.5, 3.5])
    found = run("sum", Extent(Counted.ROWS, 0, 1), values, result=pa.float64())
    assert found[0] == float("inf")
    assert found[2:4] == [pytest.approx(0.3), 0.2]
    assert found[5:] == [2.5, 3.5]


def test_a_bucket_below_one_is_an_error() -> None:
    assert placed("ntile", pa.array([2, 2, 2, 2, None, 9, 1], pa.int64())) == [1, 1, 2, 2, None, 2, 1]
    with pytest.raises(DataError, match="ntile"):
        placed("ntile", pa.array([1, 1, 1, 0, 1, 1, 1], pa.int64()))


def test_a_shift_past_all_rows_gives_the_default() -> None:
    values, far = pa.array(list("abcdefg")), pa.array([2**63 - 1, -(2**63), 1, 0, None, 1, 1], pa.int64())
    default = pa.array(["-"] * 7)
    assert placed("lag", values, far, default) == ["-", "-", "b", "d", None, "e", "-"]
