"""Parts of rows to be grouped: all rows, equal keys together and in order, and little held beside what is left to do."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pyarrow as pa
import pytest

from flightmesh.fragment import group_parts as module
from flightmesh.fragment.group_parts import group_parts

RNG = np.random.default_rng(5)
ROWS = 1 << 14


def batches_of(keys: np.ndarray, each: int = 512) -> list[pa.RecordBatch]:
    """Rows of a key and their number, in batches that own their bytes."""
    made = [
        pa.record_batch([pa.array(keys[n : n + each]), pa.array(np.arange(n, min(n + each, len(keys))))], ["k", "row"])
        for n in range(0, len(keys), each)
    ]
    return [pa.concat_batches([batch, batch.slice(0, 0)]) for batch in made]


KEYS = {
    "in order": np.arange(ROWS) // 3,
    "about in order": np.arange(ROWS) // 3 + RNG.integers(0, 200, ROWS),
    "from all over": RNG.integers(0, 9000, ROWS),
    "in order, most of them close together": np.where(np.arange(ROWS) < ROWS - 10, np.arange(ROWS), 1 << 50),
    "one": np.zeros(ROWS, np.int64),
}


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RANGE_ROWS", 1 << 10)
    monkeypatch.setattr(module, "HASHED_ROWS", 1 << 11)


@pytest.mark.parametrize("keys", KEYS.values(), ids=KEYS)
def test_equal_keys_are_in_one_part_and_in_order(keys: np.ndarray) -> None:
    part_of: dict[int, int] = {}
    rows_of: defaultdict[int, list[int]] = defaultdict(list)
    for number, part in enumerate(group_parts(batches_of(keys), ["k"])):
        for key, row in zip(part.column("k").to_pylist(), part.column("row").to_pylist(), strict=True):
            assert part_of.setdefault(key, number) == number
            rows_of[key].append(row)
    expected: defaultdict[int, list[int]] = defaultdict(list)
    for row, key in enumerate(keys.tolist()):
        expected[key].append(row)
    assert rows_of == expected


@pytest.mark.parametrize("name", [name for name in KEYS if name != "one"])
def test_parts_are_small(name: str) -> None:
    sizes = [part.num_rows for part in group_parts(batches_of(KEYS[name]), ["k"])]
    assert max(sizes) <= 4 << 10
    assert len(sizes) > 4


@pytest.mark.parametrize("name", ["in order", "about in order"])
def test_what_a_part_was_made_of_is_let_go_before_the_next_is_made(name: str) -> None:
    before = pa.total_allocated_bytes()
    batches = batches_of(KEYS[name])
    whole = pa.total_allocated_bytes() - before
    held = []
    for part in group_parts(batches, ["k"]):
        held.append(pa.total_allocated_bytes() - before)
        del part
    assert max(held) < 1.5 * whole
    assert held[-1] < 0.4 * whole
    assert pa.total_allocated_bytes() == before


def test_without_keys_or_with_few_rows_there_is_one_part() -> None:
    keys = np.arange(ROWS)
    assert [part.num_rows for part in group_parts(batches_of(keys), [])] == [ROWS]
    assert [part.num_rows for part in group_parts(batches_of(keys[:1000]), ["k"])] == [1000]
    assert list(group_parts([], ["k"])) == []
