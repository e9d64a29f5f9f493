"""Keys that pack into one integer are sorted as Arrow sorts their columns: any direction, place of NULLs and type."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from flightmesh.kernel.packed_order import FEWEST_ROWS, Direction, packed_order

ROWS = 2 * FEWEST_ROWS
RNG = np.random.default_rng(3)


def column(kind: str) -> pa.Array:
    numbers, null = RNG.integers(-40, 40, ROWS), RNG.random(ROWS) < 0.1
    match kind:
        case "text":
            return pa.array([f"{n}" for n in numbers], pa.string(), mask=null)
        case "date":
            return pa.array(numbers.astype(np.int32), pa.int32(), mask=null).cast(pa.date32())
        case "wide":
            return pa.array(numbers * 10**15, pa.int64())
        case "nulls":
            return pa.nulls(ROWS, pa.int64())
        case _:
            return pa.array(numbers, pa.int64(), mask=null)


@pytest.mark.parametrize("kinds", [("number",), ("text", "number"), ("date", "text", "number"), ("nulls", "number"), ("wide",)])
@pytest.mark.parametrize("direction", [Direction(False, False), Direction(True, False), Direction(False, True)])
def test_it_is_the_order_of_the_columns(kinds: tuple[str, ...], direction: Direction) -> None:
    columns = [column(kind) for kind in kinds]
    names = [str(number) for number in range(len(columns))]
    place = "at_start" if direction.nulls_first else "at_end"
    sort_keys = [(name, "descending" if direction.descending else "ascending", place) for name in names]
    expected = pc.sort_indices(pa.RecordBatch.from_arrays(columns, names), sort_keys=sort_keys)
    found = packed_order(columns, [direction] * len(columns), ROWS)
    assert found is not None
    assert found.tolist() == expected.to_pylist()


def test_what_does_not_pack_is_left_to_arrow() -> None:
    far = pa.array([-(2**62), 2**62] * FEWEST_ROWS, pa.int64())
    assert packed_order([far], [Direction(False, False)], len(far)) is None
    texts = pa.array([str(number) for number in range(ROWS)])
    assert packed_order([texts], [Direction(False, False)], ROWS) is None
    assert packed_order([texts.slice(0, 10)], [Direction(False, False)], 10) is None
