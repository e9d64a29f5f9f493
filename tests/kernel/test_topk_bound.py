"""The bound of the rows that are kept: never before the last of the first rows, and asking for it changes nothing."""

from __future__ import annotations

from unittest.mock import patch

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from flightmesh.kernel import topk
from flightmesh.kernel.sort import SortKey, sort_indices
from flightmesh.kernel.topk import TopRows
from tests.random_tables import KINDS, random_column, random_nulls


def comes_after(last: pa.Scalar, expected: pa.Array, key: SortKey) -> bool:
    both = pa.RecordBatch.from_arrays([pa.array([last, expected[0]], expected.type)], ["k"])
    return bool(sort_indices(both, [key])[0].as_py() == 1)


@settings(max_examples=100, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    kind=st.sampled_from(KINDS),
    batches=st.lists(st.integers(0, 12), max_size=8),
    count=st.sampled_from([0, 1, 3, 20]),
    at_once=st.sampled_from([0, 4096]),
    descending=st.booleans(),
    nulls_first=st.booleans(),
)
def test_the_bound_is_the_last_key_of_the_rows_so_far(
    seed: int, kind: str, batches: list[int], count: int, at_once: int, descending: bool, nulls_first: bool
) -> None:
    generator = np.random.default_rng(seed)
    keys = (SortKey("k", descending, nulls_first), SortKey("id"))
    asked, silent = TopRows(keys, count, 5), TopRows(keys, count, 5)
    rows: list[pa.RecordBatch] = []
    for number, size in enumerate(batches):
        column = random_column(generator, kind, size, 4, random_nulls(generator))
        batch = pa.RecordBatch.from_arrays(
            [column, pa.array(range(100 * number, 100 * number + size), pa.int64())], ["k", "id"]
        )
        rows.append(batch)
        asked.add(batch)
        silent.add(batch)
        together = pa.Table.from_batches(rows).combine_chunks()
        whole = together.to_batches()[0] if together.num_rows else batch
        order = sort_indices(whole, keys)
        with patch.object(topk, "_SORTED_AT_ONCE", at_once):
            last = asked.last_key()
        if count == 0 or whole.num_rows < count:
            assert last is None
        else:
            assert last is not None
            expected = whole.column("k").take(order)[count - 1 : count]
            # Of many rows the bound may be some rows old, and so too late.
            same = pa.array([last], expected.type).equals(expected) or str(last.as_py()) == str(expected[0].as_py())
            assert same or (not at_once and comes_after(last, expected, keys[0]))
    if rows:
        assert asked.result(rows[0].schema).column("id").equals(silent.result(rows[0].schema).column("id"))
