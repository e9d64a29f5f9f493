"""Random window functions against DuckDB. A failure prints its seed; `FLIGHTMESH_WINDOW_SEED=<seed> pytest
tests/random/test_windows.py` runs it again."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from contextlib import contextmanager

import duckdb
import pyarrow as pa
import pytest

import flightmesh
from flightmesh.config import Config
from tests.compare import Order, assert_same, duckdb_answer
from tests.meshes import AT_MESHES, Meshes, session_at
from tests.random.tables import random_tables
from tests.random.windows import random_window_query

CASES = 300
BIG_CASES = 20_000
CHUNK = 50
PARTITIONS = (1, 2, 7)
Session = flightmesh.Session | flightmesh.RemoteSession


@contextmanager
def beside_duckdb(session: Session, chunk: int) -> Iterator[duckdb.DuckDBPyConnection]:
    """DuckDB over the tables of a chunk, which are the session's too; their rows are numbered in a column `n`."""
    with duckdb.connect(config={"threads": 1}) as duck:
        duck.execute("set timezone = 'UTC'")
        for name, table in random_tables(random.Random(chunk)).items():
            numbered = table.append_column("n", pa.array(range(table.num_rows), pa.int64()))
            duck.register("incoming", numbered)
            duck.execute(f"create table {name} as select * from incoming")
            duck.unregister("incoming")
            session.register(name, numbered)
        yield duck


def check_chunk(chunk: int, session: Session, duck: duckdb.DuckDBPyConnection) -> None:
    for seed in range(chunk * CHUNK, (chunk + 1) * CHUNK):
        check(seed, session, duck)


def check(seed: int, session: Session, duck: duckdb.DuckDBPyConnection) -> None:
    query = random_window_query(random.Random(seed))
    try:
        expected = duckdb_answer(duck, query)
    except duckdb.OutOfRangeException as refused:
        assert_refused(seed, query, session, refused)
        return
    try:
        assert_same(session.sql(query).to_arrow(), expected, Order.FREE)
    except (AssertionError, flightmesh.FlightmeshError) as error:
        raise AssertionError(
            f"seed {seed}: {error}\n\n{query}\n\nagain: FLIGHTMESH_WINDOW_SEED={seed} pytest tests/random/test_windows.py"
        ) from None


def assert_refused(seed: int, query: str, session: Session, refused: duckdb.Error) -> None:
    """What DuckDB computes no answer of (the variance of NaN, a distance below 0) is an error here too."""
    with pytest.raises(flightmesh.FlightmeshError):
        pytest.fail(f"seed {seed}: {refused}, but {session.sql(query).to_arrow()}\n\n{query}")


def embedded(chunk: int) -> Config:
    """Few rows a morsel, so that there are several."""
    return Config(threads=2, partitions=PARTITIONS[chunk % len(PARTITIONS)], morsel_rows=16 if chunk % 2 else 131_072)


if "FLIGHTMESH_WINDOW_SEED" in os.environ:

    def test_one_seed() -> None:
        seed = int(os.environ["FLIGHTMESH_WINDOW_SEED"])
        with flightmesh.connect(config=embedded(seed // CHUNK)) as session, beside_duckdb(session, seed // CHUNK) as duck:
            check(seed, session, duck)

else:

    @pytest.mark.parametrize("chunk", range(CASES // CHUNK))
    def test_random_windows(chunk: int) -> None:
        with flightmesh.connect(config=embedded(chunk)) as session, beside_duckdb(session, chunk) as duck:
            check_chunk(chunk, session, duck)

    @pytest.mark.parametrize("mode", AT_MESHES[:1])
    def test_random_windows_at_a_mesh(meshes: Meshes, mode: str) -> None:
        with session_at(meshes.of(mode)) as session, beside_duckdb(session, 0) as duck:
            check_chunk(0, session, duck)

    @pytest.mark.big_random
    @pytest.mark.parametrize("chunk", range(CASES // CHUNK, (CASES + BIG_CASES) // CHUNK))
    def test_many_random_windows(chunk: int) -> None:
        with flightmesh.connect(config=embedded(chunk)) as session, beside_duckdb(session, chunk) as duck:
            check_chunk(chunk, session, duck)
