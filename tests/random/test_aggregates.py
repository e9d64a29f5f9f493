"""Random groupings over every aggregate against DuckDB. A failure prints its seed."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager

import duckdb
import numpy as np
import pyarrow as pa
import pytest

import flightmesh
from flightmesh.config import Config
from tests.compare import Order, assert_same, duckdb_answer
from tests.meshes import AT_MESHES, Meshes, session_at
from tests.random.aggregates import random_grouping
from tests.random.tables import random_tables
from tests.random.test_random import CHUNK, PARTITIONS, Engines

CASES = 300
BIG_CASES = 20_000


@contextmanager
def _beside_duckdb(session: flightmesh.Session | flightmesh.RemoteSession, chunk: int) -> Iterator[Engines]:
    with duckdb.connect(config={"threads": 1}) as duck:
        duck.execute("set timezone = 'UTC'")
        for name, table in random_tables(random.Random(chunk)).items():
            numbered = table.append_column("id", pa.array(np.random.default_rng(chunk).permutation(table.num_rows)))
            duck.register("incoming", numbered)
            duck.execute(f"create table {name} as select * from incoming")
            session.register(name, numbered)
        yield Engines(session, duck)


@contextmanager
def _engines(chunk: int) -> Iterator[Engines]:
    config = Config(threads=2, partitions=PARTITIONS[chunk % len(PARTITIONS)], morsel_rows=16 if chunk % 3 else 131_072)
    with flightmesh.connect(config=config) as session, _beside_duckdb(session, chunk) as both:
        yield both


def _check(seed: int, both: Engines) -> bool:
    """Runs the query of a seed in both engines; false when DuckDB refuses it."""
    query = random_grouping(random.Random(seed))
    try:
        expected = duckdb_answer(both.duck, query.theirs)
    except duckdb.Error:
        return False
    try:
        order = Order.COUNTS if query.ordered else Order.FREE
        assert_same(both.session.sql(query.ours).to_arrow(), expected, order)
    except (AssertionError, flightmesh.FlightmeshError) as error:
        raise AssertionError(f"seed {seed}: {error}\n\n{query.ours}\n\n{query.theirs}") from None
    return True


def _check_chunk(chunk: int, both: Engines) -> None:
    refused = sum(not _check(seed, both) for seed in range(chunk * CHUNK, (chunk + 1) * CHUNK))
    assert refused <= 4


def test_random_groupings_have_every_form() -> None:
    texts = [random_grouping(random.Random(seed)).ours for seed in range(CASES)]
    forms = (
        "rollup",
        "cube",
        "grouping sets",
        "grouping(",
        "distinct",
        "having",
        "order by all",
        "filter",
        "within group",
        "by all",
    )
    for form in (*forms, "quantile_cont", "string_agg", "approx_", "arg_m", "median", "stddev", "count(distinct (", "id < 0"):
        assert sum(form in text for text in texts) >= CASES // 100, form


@pytest.mark.parametrize("chunk", range(CASES // CHUNK))
def test_random_groupings(chunk: int) -> None:
    with _engines(chunk) as both:
        _check_chunk(chunk, both)


@pytest.mark.parametrize("mode", AT_MESHES[:1])
def test_random_groupings_at_a_mesh(meshes: Meshes, mode: str) -> None:
    with session_at(meshes.of(mode)) as session, _beside_duckdb(session, 3) as both:
        _check_chunk(3, both)


@pytest.mark.big_random
@pytest.mark.parametrize("chunk", range(CASES // CHUNK, BIG_CASES // CHUNK))
def test_many_random_groupings(chunk: int) -> None:
    with _engines(chunk) as both:
        _check_chunk(chunk, both)
