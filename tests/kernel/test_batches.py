"""Batches in one: all rows in order, and of a list that is drained not all of them twice at any time."""

from __future__ import annotations

import pyarrow as pa
import pytest

from flightmesh.kernel.batches import concat_batches, drained, rows_without_columns

COUNTING = pa.proxy_memory_pool(pa.default_memory_pool())
"""Counts what one test allocates. It has to outlive all of that."""
TEXTS = pa.array(["a", "b", "a"])
CASES = {
    "numbers and texts": [pa.record_batch([pa.array([n, n + 1, None]), TEXTS], ["x", "y"]) for n in range(4)],
    "dictionaries": [pa.record_batch([pa.array([f"{n}", "b"]).dictionary_encode()], ["x"]) for n in range(3)],
    "dictionaries and texts": [pa.record_batch([TEXTS.dictionary_encode()], ["x"]), pa.record_batch([TEXTS], ["x"])],
    "no columns": [rows_without_columns(2), rows_without_columns(3)],
    "one": [pa.record_batch([TEXTS], ["x"])],
}


@pytest.mark.parametrize("name", CASES)
def test_a_drained_list_is_empty_and_gives_the_same(name: str) -> None:
    batches = list(CASES[name])
    expected = concat_batches(CASES[name], CASES[name][0].schema)
    got = drained(batches, CASES[name][0].schema)
    assert got.schema == expected.schema
    assert got.to_pylist() == expected.to_pylist()
    assert got.num_rows == expected.num_rows
    assert batches == []


def test_of_nothing_there_is_an_empty_batch() -> None:
    schema = pa.schema([pa.field("x", pa.int64())])
    assert drained([], schema).equals(concat_batches([], schema))


def test_draining_holds_little_more_than_the_rows() -> None:
    columns, rows = 8, 20_000
    before = pa.default_memory_pool()
    pa.set_memory_pool(COUNTING)
    try:
        names = [f"c{n}" for n in range(columns)]
        batches = [pa.record_batch([pa.repeat(n, rows) for n in range(columns)], names) for _ in range(4)]
        whole = COUNTING.bytes_allocated()
        merged = drained(batches, batches[0].schema)
        most = COUNTING.max_memory()
    finally:
        pa.set_memory_pool(before)
    assert merged.num_rows == 4 * rows
    assert most < whole * (1 + 2 / columns)
