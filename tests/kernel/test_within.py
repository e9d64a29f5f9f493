"""Values sorted within groups and chosen by their place: the same as sorting each group by itself."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from flightmesh.kernel.group import Grouping
from flightmesh.kernel.selection import selection
from flightmesh.kernel.within import LARGE, order_within, sorted_within


@pytest.mark.parametrize("seed", range(15))
def test_groups_are_sorted_each_by_itself(seed: int) -> None:
    rng = np.random.default_rng(seed)
    groups = int(rng.choice((1, 2, 7, 300, 5000)))
    rows = int(rng.choice((0, 1, 50, 9000)))
    ids = np.minimum(rng.geometric(rng.choice((0.5, 0.02, 0.001)), rows), groups) - 1
    keys = rng.integers(-5, 5, rows) if seed % 2 else rng.integers(-(2**63), 2**63 - 1, rows, endpoint=True)
    expected = np.lexsort((keys, ids))
    found_ids, found = sorted_within(ids, keys, groups)
    assert (found_ids == ids[expected]).all() and (found == keys[expected]).all()
    order = order_within(ids, keys, groups)
    assert (np.sort(order) == np.arange(rows)).all()
    assert (ids[order] == found_ids).all() and (keys[order] == found).all()


@pytest.mark.parametrize(
    "type_",
    [
        *(pa.float64(), pa.float32(), pa.int8(), pa.uint32(), pa.int64(), pa.decimal128(21, 2), pa.date32(), pa.bool_()),
        *(pa.timestamp("us"), pa.time64("us")),
    ],
    ids=str,
)
def test_a_place_has_the_value_that_stands_there_in_order(type_: pa.DataType) -> None:
    rng = np.random.default_rng(4)
    rows, groups = 3 * LARGE, 4
    ids = np.minimum(rng.geometric(0.6, rows), groups - 1) - 1  # the last group has no rows
    numbers = rng.integers(0, 2 if type_ == pa.bool_() else 100, rows)
    values = (
        pa.array(numbers).cast(pa.int32() if type_ == pa.date32() else type_) if type_ != pa.bool_() else pa.array(numbers > 0)
    )
    values = pa.array(values.cast(type_).to_pylist(), type_, mask=rng.random(rows) < 0.1)
    chosen = selection(Grouping(ids, groups, ids), values)
    assert chosen is not None
    for share in (0.0, 0.3, 1.0):
        places = ((chosen.counts - 1) * share).astype(np.int64)
        (found,) = chosen.at([places])
        assert found.type == type_
        for group in range(groups):
            held = sorted(v for v, g in zip(values.to_pylist(), ids, strict=True) if g == group and v is not None)
            assert found[group].as_py() == (held[places[group]] if held else None)


def test_types_of_other_widths_are_left_to_sorting() -> None:
    grouping = Grouping(np.zeros(1, np.int64), 1, np.zeros(1, np.int64))
    for values in (pa.array(["a"]), pa.array([2**64 - 1], pa.uint64()), pa.array([10**30], pa.decimal128(38, 0))):
        assert selection(grouping, values) is None
