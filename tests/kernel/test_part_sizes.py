"""Bytes of parts, found together, are those of each one's `nbytes`."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flightmesh.kernel.part_sizes import FEW, part_sizes
from tests.random_tables import KINDS, random_column

OTHERS = {
    "coded": pa.array(["a", "b", None, "a"] * 100).dictionary_encode(),
    "nested": pa.array([[1, 2], None, [], [3]] * 100),
    "structured": pa.array([{"a": 1}, None] * 200),
    "null": pa.nulls(400),
    "large": pa.array(["a", None, "bcd", ""] * 100, pa.large_string()),
    "short": pa.array([b"ab", None] * 200, pa.binary(2)),
}


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    kinds=st.lists(st.sampled_from(KINDS), min_size=1, max_size=4),
    nulls=st.sampled_from([0.0, 0.3]),
    offset=st.integers(0, 20),
    count=st.sampled_from([1, FEW, FEW + 1, 40]),
)
def test_as_nbytes(seed: int, kinds: list[str], nulls: float, offset: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    whole = pa.record_batch({f"c{i}": random_column(rng, kind, 300, 12, nulls) for i, kind in enumerate(kinds)})
    _check(whole.slice(offset), count, rng)


@pytest.mark.parametrize("kind", OTHERS)
def test_as_nbytes_of_other_types(kind: str) -> None:
    _check(pa.record_batch({"c": OTHERS[kind]}).slice(3), 30, np.random.default_rng(1))


def _check(batch: pa.RecordBatch, count: int, rng: np.random.Generator) -> None:
    bounds = [0, *sorted(rng.integers(0, batch.num_rows, count - 1).tolist()), batch.num_rows]
    parts = [batch.slice(first, last - first) for first, last in pairwise(bounds)]
    assert part_sizes(parts) == [part.nbytes for part in parts]
