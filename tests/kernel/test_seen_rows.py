"""Rows that were seen: against a set of Python values, over many batches."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from flightmesh.kernel.seen_rows import SMALL_RUN, SeenRows


def _batch(random: np.random.Generator, rows: int) -> pa.RecordBatch:
    numbers = pa.array(random.integers(0, 200, rows), mask=random.random(rows) < 0.05)
    floats = pa.array(random.choice([0.0, -0.0, 1.5, np.nan], rows))
    words = pa.array([None if v == 0 else "w" * int(v) for v in random.integers(0, 40, rows)], pa.string())
    return pa.RecordBatch.from_arrays([numbers, floats, words], names=["n", "f", "s"])


def _rows(batch: pa.RecordBatch) -> list[str]:
    return [repr(tuple(0.0 if v == 0.0 else v for v in row.values())) for row in batch.to_pylist()]


@pytest.mark.parametrize("rows", [1, 7, 900, SMALL_RUN + 1])
def test_each_row_is_new_once(rows: int) -> None:
    random = np.random.default_rng(rows)
    seen, known = SeenRows(), set[str]()
    for _ in range(30):
        batch = _batch(random, rows)
        fresh = _rows(seen.fresh(batch, batch))
        assert len(fresh) == len(set(fresh))
        assert set(fresh) == set(_rows(batch)) - known
        known |= set(fresh)
    assert seen.nbytes > 0


def test_runs_stay_few() -> None:
    seen = SeenRows()
    for start in range(0, 200_000, 1000):
        batch = pa.record_batch({"n": np.arange(start, start + 1000)})
        assert seen.fresh(batch, batch).num_rows == 1000
    assert len(seen._runs) <= 10
    every = pa.record_batch({"n": np.arange(200_000)})
    assert seen.fresh(every, every).num_rows == 0
