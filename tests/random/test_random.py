"""Random queries against DuckDB. A failure prints its seed; `FLIGHTMESH_SEED=<seed> pytest tests/random` runs it again."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import duckdb
import pyarrow as pa
import pytest

import flightmesh
from flightmesh.config import Config
from tests.compare import assert_same, duckdb_answer
from tests.meshes import AT_MESHES, Meshes, session_at
from tests.random.queries import random_query
from tests.random.tables import random_tables

CASES = 2_000
BIG_CASES = 50_000
CHUNK = 50
"""Queries over the same tables."""
CHUNKS_AT_A_MESH = 3
PARTITIONS = (1, 2, 3, 7)
REFUSED_BY_DUCKDB = 0.01
"""The share of queries that DuckDB may fail on; they are left out."""


@dataclass(frozen=True, slots=True)
class Engines:
    """Both engines over the same tables."""

    session: flightmesh.Session | flightmesh.RemoteSession
    duck: duckdb.DuckDBPyConnection


@contextmanager
def engines(chunk: int) -> Iterator[Engines]:
    """Both engines over the tables of a chunk of seeds."""
    config = Config(threads=2, partitions=PARTITIONS[chunk % len(PARTITIONS)], morsel_rows=16 if chunk % 3 else 131_072)
    with flightmesh.connect(config=config) as session, beside_duckdb(session, chunk) as both:
        yield both


@contextmanager
def beside_duckdb(session: flightmesh.Session | flightmesh.RemoteSession, chunk: int) -> Iterator[Engines]:
    """A session and DuckDB over the tables of a chunk of seeds."""
    with duckdb.connect(config={"threads": 1}) as duck:
        duck.execute("set timezone = 'UTC'")
        # Its rewriting of `date_trunc(..) <> constant` keeps rows where the column is NULL (DuckDB 1.5.5; right without it).
        duck.execute("set disabled_optimizers = 'expression_rewriter'")
        for name, table in random_tables(random.Random(chunk)).items():
            _copy(duck, name, table)
            session.register(name, table)
        yield Engines(session, duck)


def _copy(duck: duckdb.DuckDBPyConnection, name: str, table: pa.Table) -> None:
    """Into DuckDB's own storage: over Arrow data it filters by other rules for NaN and -0.0."""
    duck.register("incoming", table)
    duck.execute(f"create table {name} as select * from incoming")
    duck.unregister("incoming")


def check(seed: int, both: Engines) -> bool:
    """Runs the query of a seed in both engines; false when DuckDB refuses it. Fails, naming the seed, if answers differ."""
    query = random_query(random.Random(seed))
    try:
        expected = duckdb_answer(both.duck, query.sql)
    except duckdb.Error:
        return False
    try:
        assert_same(both.session.sql(query.sql).to_arrow(), expected, query.order)
    except (AssertionError, flightmesh.FlightmeshError) as error:
        raise AssertionError(
            f"seed {seed}: {error}\n\n{query.sql}\n\nagain: FLIGHTMESH_SEED={seed} pytest tests/random"
        ) from None
    return True


def check_chunk(chunk: int, both: Engines) -> None:
    seeds = range(chunk * CHUNK, (chunk + 1) * CHUNK)
    refused = sum(not check(seed, both) for seed in seeds)
    assert refused <= max(2, CHUNK * REFUSED_BY_DUCKDB)


if "FLIGHTMESH_SEED" in os.environ:

    def test_one_seed() -> None:
        seed = int(os.environ["FLIGHTMESH_SEED"])
        with engines(seed // CHUNK) as both:
            assert check(seed, both), "DuckDB refuses this query"

else:

    @pytest.mark.parametrize("chunk", range(CASES // CHUNK))
    def test_random_queries(chunk: int) -> None:
        with engines(chunk) as both:
            check_chunk(chunk, both)

    @pytest.mark.parametrize("mode", AT_MESHES)
    @pytest.mark.parametrize("chunk", range(CHUNKS_AT_A_MESH))
    def test_random_queries_at_a_mesh(meshes: Meshes, mode: str, chunk: int) -> None:
        with session_at(meshes.of(mode)) as session, beside_duckdb(session, chunk) as both:
            check_chunk(chunk, both)

    @pytest.mark.big_random
    @pytest.mark.parametrize("chunk", range(CASES // CHUNK, (CASES + BIG_CASES) // CHUNK))
    def test_many_random_queries(chunk: int) -> None:
        with engines(chunk) as both:
            check_chunk(chunk, both)
