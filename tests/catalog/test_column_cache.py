"""Columns that are kept: which ones, for how many bytes, and that they are the file's."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from flightmesh.catalog.column_cache import ColumnCache, ColumnKey
from flightmesh.catalog.metrics import ReadMetrics
from flightmesh.catalog.normalise import Form
from flightmesh.catalog.open import open_table
from flightmesh.catalog.scan import read_split, splits
from flightmesh.catalog.table import Storage, Table
from flightmesh.errors import InputChanged

SIZE = 8000
VALUES = pa.array(np.arange(SIZE // 8))


def key(number: int) -> ColumnKey:
    return ColumnKey(Storage("local"), "/a.parquet", 1, 1, (number,), "v", (pa.int64(), "plain"), 1000)


def ask(cache: ColumnCache, number: int) -> bool:
    """Whether it was there; it is offered if not, as a reader does."""
    found = cache.get(key(number))
    if found is None:
        cache.put(key(number), [VALUES])
    return found is not None


def test_what_is_put_is_found_again() -> None:
    cache = ColumnCache(10 * SIZE)
    assert cache.get(key(1)) is None
    cache.put(key(1), [VALUES, VALUES[:10]])
    assert cache.get(key(1)) == (VALUES, VALUES[:10])
    assert cache.get(key(2)) is None
    assert cache.used == SIZE + 80


def test_never_more_than_the_limit() -> None:
    cache = ColumnCache(3 * SIZE)
    for number in range(20):
        ask(cache, number)
        assert cache.used <= 3 * SIZE
    cache.put(key(50), [pa.array(np.arange(SIZE))])
    assert cache.get(key(50)) is None, "alone larger than the limit"


def test_of_a_table_that_does_not_fit_a_part_stays() -> None:
    cache = ColumnCache(4 * SIZE)
    found = [[ask(cache, number) for number in range(10)] for _ in range(5)]
    assert [sum(turn) for turn in found] == [0, 4, 4, 4, 4], "the latest first would find none of ten"


def test_what_is_asked_for_more_often_comes_in() -> None:
    cache = ColumnCache(SIZE)
    ask(cache, 1)
    assert not ask(cache, 2)
    assert not ask(cache, 2), "asked for twice now, and the other once: it takes its place"
    assert ask(cache, 2)
    assert not ask(cache, 1)


def test_a_newcomer_drops_nothing_where_that_would_not_suffice() -> None:
    cache = ColumnCache(2 * SIZE)
    ask(cache, 1)
    for _ in range(3):
        ask(cache, 2)
    large = key(3)
    cache.get(large), cache.get(large)
    cache.put(large, [VALUES, VALUES])
    assert cache.get(large) is None
    assert ask(cache, 1) and ask(cache, 2)


def test_bytes_are_accounted_for() -> None:
    free = 5 * SIZE

    def take(size: int) -> bool:
        nonlocal free
        if free < size:
            return False
        free -= size
        return True

    def give(size: int) -> None:
        nonlocal free
        free += size

    cache = ColumnCache(100 * SIZE, take, give)
    for number in range(9):
        ask(cache, number)
    assert (cache.used, free) == (5 * SIZE, 0)
    cache.shrink(SIZE + 1)
    assert (cache.used, free) == (3 * SIZE, 2 * SIZE)
    assert [number for number in range(9) if cache.get(key(number)) is not None] == [2, 3, 4], "those asked for longest ago go"
    cache.shrink(cache.used)
    assert (cache.used, free) == (0, 5 * SIZE)


def test_many_threads() -> None:
    cache = ColumnCache(5 * SIZE)

    def work(seed: int) -> None:
        rng = np.random.default_rng(seed)
        for number in rng.integers(0, 12, 3000).tolist():
            ask(cache, number)
            if number == 11:
                cache.shrink(SIZE)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert cache.used == SIZE * sum(cache.get(key(number)) is not None for number in range(12)) <= cache.limit


ROWS = pa.table(
    {
        "many": [None if row % 11 == 0 else f"value {row % 5}" for row in range(5000)],
        "once": [f"value {row}" for row in range(5000)],
        "n": pa.array([None if row % 7 == 0 else row for row in range(5000)]),
    }
)
NAMES = ("n", "once", "many")


@pytest.fixture
def table(tmp_path: Path) -> Table:
    pq.write_table(ROWS, tmp_path / "a.parquet", row_group_size=1500)
    return open_table("t", tmp_path / "a.parquet")


def rows(
    table: Table, cache: ColumnCache | None, names: tuple[str, ...] = NAMES, form: Form = Form.PLAIN
) -> tuple[list[dict[str, object]], ReadMetrics]:
    metrics = ReadMetrics()
    found = []
    for split in splits(table):
        for batch in read_split(table, split, names, morsel_rows=700, metrics=metrics, form=form, kept=cache):
            assert 0 < batch.num_rows <= 700
            assert tuple(batch.schema.names) == names
            found += batch.to_pylist()
    return found, metrics


@pytest.mark.parametrize("form", Form)
def test_rows_of_memory_are_those_of_the_file(table: Table, form: Form) -> None:
    cache = ColumnCache(1 << 30)
    expected = ROWS.select(NAMES).to_pylist()
    assert rows(table, cache, ("n",), form)[0] == ROWS.select(["n"]).to_pylist()
    some, metrics = rows(table, cache, NAMES, form)
    assert some == expected
    assert metrics.kept_bytes > 0
    assert metrics.columns == {"once", "many"}, "n is there"
    every, metrics = rows(table, cache, NAMES, form)
    assert every == expected
    assert (metrics.bytes, metrics.columns) == (0, set())
    assert metrics.kept_bytes == cache.used
    assert metrics.rows == 5000


def test_a_reader_that_wants_dictionaries_does_not_meet_plain_texts(table: Table) -> None:
    cache = ColumnCache(1 << 30)
    rows(table, cache)
    (split, *_) = splits(table)
    batch = next(read_split(table, split, ["many"], morsel_rows=700, form=Form.COMPACT, kept=cache))
    assert pa.types.is_dictionary(batch.column(0).type)
    batch = next(read_split(table, split, ["many"], morsel_rows=700, kept=cache))
    assert pa.types.is_string(batch.column(0).type)


def test_a_changed_file_is_noticed_and_read_anew(table: Table, tmp_path: Path) -> None:
    cache = ColumnCache(1 << 30)
    rows(table, cache)
    pq.write_table(pa.table({"n": [1], "once": ["x"], "many": ["y"]}), tmp_path / "a.parquet")
    with pytest.raises(InputChanged):
        rows(table, cache)
    found, metrics = rows(open_table("t", tmp_path / "a.parquet"), cache)
    assert found == [{"n": 1, "once": "x", "many": "y"}]
    assert metrics.kept_bytes == 0
    (tmp_path / "a.parquet").unlink()
    with pytest.raises(InputChanged, match="is gone"):
        rows(table, cache)


def test_the_same_size_at_another_time_is_another_file(table: Table, tmp_path: Path) -> None:
    cache = ColumnCache(1 << 30)
    rows(table, cache)
    os.utime(tmp_path / "a.parquet", ns=(5, 5))
    found, metrics = rows(open_table("t", tmp_path / "a.parquet"), cache)
    assert found == ROWS.select(NAMES).to_pylist()
    assert metrics.kept_bytes == 0


def test_columns_that_a_file_lacks_are_null(tmp_path: Path) -> None:
    (tmp_path / "t").mkdir()
    pq.write_table(pa.table({"a": [1, 2], "b": ["x", "y"]}), tmp_path / "t" / "1.parquet")
    pq.write_table(pa.table({"a": [3]}), tmp_path / "t" / "2.parquet")
    table = open_table("t", tmp_path / "t")
    cache = ColumnCache(1 << 30)
    expected = [{"b": "x", "a": 1}, {"b": "y", "a": 2}, {"b": None, "a": 3}]
    for _ in range(2):
        assert rows(table, cache, ("b", "a"))[0] == expected
    assert rows(table, cache, ("b",))[0] == [{"b": "x"}, {"b": "y"}, {"b": None}]
