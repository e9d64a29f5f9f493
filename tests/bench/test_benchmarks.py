"""The benchmarks whose data and texts are our own: every query, over little data, answers as DuckDB does; the data is the same
wherever and however it is made."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import numpy as np
import pyarrow.parquet as pq
import pytest
import sqlglot

import flightmesh
from flightmesh.bench.benchmarks.benchmark import Benchmark, made_once
from flightmesh.bench.benchmarks.draws import integers, shuffled, skewed, words
from flightmesh.bench.benchmarks.known import BENCHMARKS
from flightmesh.bench.data import tables_of
from flightmesh.bench.ties import assert_answers
from flightmesh.errors import InvalidConfig
from tests.ties import answer_of

OWN = [one for one in BENCHMARKS if one.queries]
SCALE = "0.0005"


@pytest.fixture(scope="module", params=OWN, ids=lambda one: one.name)
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Benchmark, Path]]:
    folder = tmp_path_factory.mktemp("data") / request.param.name
    yield request.param, made_once(folder, lambda empty: request.param.make(empty, SCALE))


def test_every_query_answers_as_duckdb(made: tuple[Benchmark, Path]) -> None:
    benchmark, folder = made
    with flightmesh.connect(threads=2) as session, duckdb.connect(config={"threads": 1}) as reference:
        for table, path in tables_of(folder).items():
            session.register(table, path)
            reference.execute(f"create view {table} as select * from read_parquet('{path}')")
        for number, query in benchmark.queries.items():
            expected = answer_of(reference, query.sql)
            assert expected.plain.num_rows, f"Q{number} asks for nothing"
            assert_answers(session.sql(query.sql).to_arrow(), expected)


def test_every_query_is_told_of_and_can_be_put_into_other_dialects(made: tuple[Benchmark, Path]) -> None:
    benchmark, _ = made
    assert list(benchmark.queries) == list(range(1, len(benchmark.queries) + 1))
    for query in benchmark.queries.values():
        assert query.what
        assert sqlglot.transpile(query.sql, read="duckdb", write="spark", unsupported_level=sqlglot.ErrorLevel.RAISE)


def test_texts_are_plain_texts_in_the_files(made: tuple[Benchmark, Path]) -> None:
    """However they were written: an engine reads no type of Arrow's own."""
    for path in tables_of(made[1]).values():
        assert not any("dictionary" in str(field.type) for field in pq.read_schema(path))


def test_draws_are_functions_of_the_row() -> None:
    whole = range(1000)
    for draw in (lambda rows: words(rows, 3), lambda rows: integers(rows, 3, 10), lambda rows: skewed(rows, 3, 10, 2.0)):
        parts = [draw(range(start, start + 250)) for start in range(0, 1000, 250)]
        assert np.array_equal(np.concatenate(parts), draw(whole))
    assert words(range(1, 2), 0).tolist() == [0xE220A8397B1DCDAF], "the first of splitmix64 with seed 0"
    assert np.bincount(integers(range(10_000), 3, 10)).min() > 900
    assert not np.array_equal(words(whole, 1), words(whole, 2))


@pytest.mark.parametrize("count", [1, 2, 10, 1000, 4097])
def test_shuffled_numbers_come_once_each(count: int) -> None:
    found = np.concatenate([shuffled(range(start, min(start + 100, count)), 5, count) for start in range(0, count, 100)])
    assert sorted(found.tolist()) == list(range(count))
    assert count < 10 or found.tolist() != sorted(found.tolist())


def test_data_is_whole_or_not_there(tmp_path: Path) -> None:
    def fill(folder: Path) -> None:
        (folder / "t.parquet").touch()
        raise OSError(28, "No space left on device")

    with pytest.raises(InvalidConfig, match=r"no space left in .* for new"):
        made_once(tmp_path / "new", fill)
    assert list(tmp_path.iterdir()) == []
