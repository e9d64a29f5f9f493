"""Bounds of ranks: what is left out ranks behind the first rows of its group, and much is left out."""

from __future__ import annotations

import random
from decimal import Decimal

import pyarrow as pa
import pytest

from flightmesh.kernel.rank_bounds import rank_bounds
from flightmesh.kernel.sort import SortKey, sort_indices
from flightmesh.kernel.window_layout import layouts

NAN = float("nan")
KINDS = {
    "integers": (pa.int64(), [None, *range(-20, 20)]),
    "floats": (pa.float64(), [None, NAN, -0.0, 0.0, float("inf"), *(n / 4 for n in range(-40, 40))]),
    "decimals": (pa.decimal128(9, 2), [None, *(Decimal(n) / 4 for n in range(-20, 20))]),
    "texts": (pa.string(), [None, "", *(f"t{n:02}" for n in range(30))]),
    "coded": (pa.dictionary(pa.int32(), pa.string()), [None, "", *(f"t{n:02}" for n in range(30))]),
}
SEEN, LATER = 120, 200


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("nulls_first", [False, True])
@pytest.mark.parametrize("ranking", ["row_number", "rank", "dense_rank"])
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_left_out_cannot_rank(kind: str, ranking: str, nulls_first: bool, descending: bool) -> None:
    rng, (type_, values) = random.Random(f"{kind}{ranking}"), KINDS[kind]
    groups = pa.array([rng.choice([None, "a", "b", "c"]) for _ in range(SEEN + LATER)])
    keys = pa.array([rng.choice(values) for _ in range(SEEN + LATER)], type_)
    rows = pa.RecordBatch.from_pydict({"g": groups, "k": keys})
    order = sort_indices(rows.slice(0, SEEN), [SortKey("g"), SortKey("k", descending, nulls_first)])
    seen = rows.slice(0, SEEN).take(order)
    layout = layouts([seen["g"]], [seen["k"]], SEEN, [1])[1]
    bounds = rank_bounds([seen["g"]], seen["k"], layout, ranking, 5, descending)
    assert bounds is not None
    later = rows.slice(SEEN)
    out = [number for number, stays in enumerate(bounds.may_rank([later["g"]], later["k"]).to_pylist()) if not stays]
    for number in out:
        assert _before(rows, seen, SEEN + number, ranking, SortKey("k", descending, nulls_first)) >= 5
    assert len(out) > LATER // 4


def _before(rows: pa.RecordBatch, seen: pa.RecordBatch, number: int, ranking: str, key: SortKey) -> int:
    """How many rows that were seen, or values of them, stand before a later row of the same group, as the sort has it."""
    row = rows.slice(number, 1)
    both = pa.Table.from_batches([row, seen]).combine_chunks().to_batches()[0]  # a stable sort: equal ones stand behind it
    group = row["g"][0].as_py()
    ordered = both.append_column("n", pa.array(range(SEEN + 1))).take(sort_indices(both, [key]))
    place = ordered["n"].to_pylist().index(0)
    mine = [value for g, value in zip(*(ordered[name].to_pylist()[:place] for name in ("g", "k")), strict=True) if g == group]
    return len({str(value if value != 0 else 0) for value in mine}) if ranking == "dense_rank" else len(mine)


def test_groups_that_are_not_full_have_no_bound() -> None:
    seen = [pa.array(["a", "a", "b"]), pa.array([1, 2, 1])]
    layout = layouts(seen[:1], seen[1:], 3, [1])[1]
    assert rank_bounds(seen[:1], seen[1], layout, "rank", 3, False) is None
    bounds = rank_bounds(seen[:1], seen[1], layout, "rank", 2, False)
    assert bounds is not None
    assert bounds.may_rank([pa.array(["a", "a", "b", "z"])], pa.array([2, 3, 9, 9])).to_pylist() == [True, False, True, True]
