"""Rows of a batch by a mask: the same rows however they are kept."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from flightmesh.kernel.batches import rows_without_columns
from flightmesh.kernel.masks import both, count_rows, keep_rows
from flightmesh.kernel.values import pack_bits, unpack_bits

ROWS = 1003


@pytest.mark.parametrize("share", [0.0, 0.01, 0.15, 0.4, 0.6, 0.9, 0.99, 1.0])
@pytest.mark.parametrize("offset", [0, 3])
def test_rows_are_kept_in_order(share: float, offset: int) -> None:
    draw = np.random.default_rng(int(share * 100))
    whole = pa.RecordBatch.from_pydict(
        {
            "i": pa.array(draw.integers(0, 99, ROWS)),
            "t": pa.array([None if i % 7 == 0 else f"text {i}" for i in range(ROWS)]),
            "d": pc.dictionary_encode(pa.array([f"text {i % 5}" for i in range(ROWS)])),
        }
    )
    batch = whole.slice(offset)
    mask = draw.random(batch.num_rows) < share
    expected = [row for row, kept in zip(batch.to_pylist(), mask, strict=True) if kept]
    assert keep_rows(batch, mask).to_pylist() == expected
    assert keep_rows(batch, mask).schema == batch.schema
    nulls = draw.random(batch.num_rows) < 0.1
    for arrow in (pa.array(mask), pa.array(mask, mask=nulls), pa.concat_arrays([pa.array([True] * 5), pa.array(mask)])[5:]):
        kept = unpack_bits(arrow)
        found = keep_rows(batch, arrow)
        assert found.to_pylist() == [row for row, is_kept in zip(batch.to_pylist(), kept, strict=True) if is_kept]


@pytest.mark.parametrize("kept", [0, 1, 30, 99, 100])
def test_rows_without_columns_are_counted(kept: int) -> None:
    mask = np.arange(100) < kept
    assert keep_rows(rows_without_columns(100), mask).num_rows == kept
    assert keep_rows(rows_without_columns(100), pa.array(mask)).num_rows == kept


def test_masks_of_either_kind_are_true_together() -> None:
    one = pa.array([True, True, False, None, None, None, True])
    other = pa.array([True, False, False, True, False, None, None])
    expected = [True] + [False] * 6
    for first in (one, unpack_bits(one)):
        for second in (other, unpack_bits(other)):
            found = both(first, second)
            assert count_rows(found) == 1
            kept = unpack_bits(found) if isinstance(found, pa.Array) else found
            assert kept.tolist() == expected
            batch = pa.RecordBatch.from_pydict({"n": range(7)})
            assert keep_rows(batch, found).to_pydict() == keep_rows(batch, found, 1).to_pydict() == {"n": [0]}


@pytest.mark.parametrize("rows", [0, 1, 7, 8, 1003])
def test_bits_are_packed_as_arrow_does(rows: int) -> None:
    mask = np.random.default_rng(rows).random(rows) < 0.5
    assert pack_bits(mask).equals(pa.array(mask, pa.bool_()))
