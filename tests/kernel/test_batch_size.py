"""Sizes of batches: those that Arrow counts, whatever the columns and whoever else has their buffers."""

from __future__ import annotations

from decimal import Decimal

import pyarrow as pa
import pytest

from flightmesh.kernel.batch_size import BatchSize
from flightmesh.kernel.batches import rows_without_columns

NUMBERS = pa.RecordBatch.from_pydict(
    {
        "i": pa.array(range(1000), pa.int64()),
        "s": pa.array([7] * 1000, pa.int16()),
        "d": pa.array([Decimal("1.50")] * 1000, pa.decimal128(15, 2)),
        "t": pa.array([5] * 1000, pa.date32()),
    }
)
BATCHES = {
    "numbers": NUMBERS,
    "a part of them": NUMBERS.slice(0, 10),
    "a later part": NUMBERS.slice(990),
    "none of them": NUMBERS.slice(0, 0),
    "with NULLs": pa.RecordBatch.from_pydict({"i": pa.array([1, None, 3]), "s": pa.array([1, 2, 3], pa.int8())}),
    "one column twice": pa.RecordBatch.from_arrays([NUMBERS.column(0), NUMBERS.column(0)], ["a", "b"]),
    "texts": pa.RecordBatch.from_pydict({"t": ["a", "bcd", ""] * 20, "i": range(60)}),
    "dictionaries": pa.RecordBatch.from_pydict({"t": pa.array(["a", "bcd", ""] * 20).dictionary_encode()}),
    "truths": pa.RecordBatch.from_pydict({"b": [True, False, True]}),
    "nothing at all": pa.RecordBatch.from_pydict({"n": pa.nulls(12)}),
    "no columns": rows_without_columns(12),
}


@pytest.mark.parametrize("name", BATCHES)
def test_a_size_is_what_arrow_says(name: str) -> None:
    assert BatchSize().of(BATCHES[name]) == BATCHES[name].nbytes


def test_one_stream_may_change_its_schema() -> None:
    size = BatchSize()
    for batch in (*BATCHES.values(), *reversed(BATCHES.values())):
        assert size.of(batch) == batch.nbytes


def test_plain_numbers_are_not_looked_at_one_by_one() -> None:
    """What makes it worth having: their size comes from rows and widths."""
    assert BatchSize().of(_Whole(NUMBERS)) == NUMBERS.nbytes  # type: ignore[arg-type]


class _Whole:
    """A batch of which nobody may ask `nbytes`."""

    def __init__(self, batch: pa.RecordBatch) -> None:
        self.schema = batch.schema
        self.num_rows = batch.num_rows
        self.get_total_buffer_size = batch.get_total_buffer_size
