"""Random subqueries, LATERAL, DISTINCT ON and joins against DuckDB. A failure prints its seed."""

from __future__ import annotations

import random

import duckdb
import pytest

import flightmesh
from tests.compare import Order, assert_same, duckdb_answer
from tests.meshes import AT_MESHES, Meshes, session_at
from tests.random.subqueries import SubqueryGenerator
from tests.random.test_random import CHUNK, Engines, beside_duckdb, engines

CASES = 150
BIG_CASES = 5_000


def test_random_subqueries_have_every_form() -> None:
    texts = [SubqueryGenerator(random.Random(seed)).query() for seed in range(CASES)]
    forms = (
        "lateral",
        "distinct on",
        "full join",
        "using",
        "anti join",
        "exists",
        " in (",
        " any (",
        " all (",
        "between",
        "limit",
    )
    for form in (*forms, "group by", "union", "(coalesce"):
        assert sum(form in text for text in texts) > CASES // 100, form


@pytest.mark.parametrize("chunk", range(CASES // CHUNK))
def test_random_subqueries(chunk: int) -> None:
    with engines(chunk) as both:
        _check_chunk(chunk, both)


@pytest.mark.parametrize("mode", AT_MESHES[:1])
def test_random_subqueries_at_a_mesh(meshes: Meshes, mode: str) -> None:
    with session_at(meshes.of(mode)) as session, beside_duckdb(session, 1) as both:
        _check_chunk(1, both)


@pytest.mark.big_random
@pytest.mark.parametrize("chunk", range(CASES // CHUNK, BIG_CASES // CHUNK))
def test_many_random_subqueries(chunk: int) -> None:
    with engines(chunk) as both:
        _check_chunk(chunk, both)


def _check_chunk(chunk: int, both: Engines) -> None:
    refused = sum(not check(seed, both) for seed in range(chunk * CHUNK, (chunk + 1) * CHUNK))
    assert refused <= CHUNK // 4


def check(seed: int, both: Engines) -> bool:
    """Runs the query of a seed in both engines; false when DuckDB refuses it."""
    sql = SubqueryGenerator(random.Random(seed)).query()
    try:
        expected = duckdb_answer(both.duck, sql)
    except duckdb.Error:
        return False
    try:
        assert_same(both.session.sql(sql).to_arrow(), expected, Order.COUNTS if "order by 1" in sql else Order.FREE)
    except (AssertionError, flightmesh.FlightmeshError) as error:
        raise AssertionError(f"seed {seed}: {error}\n\n{sql}") from None
    return True
