"""Random queries over lists against DuckDB. A failure prints its seed; `FLIGHTMESH_LISTS_SEED=<seed> pytest
tests/random/test_lists.py` runs it again, `FLIGHTMESH_LISTS_CASES=5000` more of them."""

from __future__ import annotations

import os
import random

import duckdb
import pytest

import flightmesh
from flightmesh.config import Config
from tests.compare import Order, assert_same, duckdb_answer
from tests.lists.test_against_duckdb import numbered
from tests.random.lists import RandomListQuery, random_list_table

CASES = int(os.environ.get("FLIGHTMESH_LISTS_CASES", "300"))
CHUNK = 50
PARTITIONS = (1, 2, 7)
_SEED = os.environ.get("FLIGHTMESH_LISTS_SEED")
SEEDS = range(0, CASES, CHUNK) if _SEED is None else range(int(_SEED), int(_SEED) + 1)


@pytest.mark.parametrize("first", SEEDS)
def test_random_queries(first: int) -> None:
    chunk = first // CHUNK
    partitions = PARTITIONS[chunk % len(PARTITIONS)]
    table = random_list_table(random.Random(chunk))
    wrong = []
    with (
        duckdb.connect(config={"threads": 1}) as duck,
        flightmesh.connect(config=Config(threads=2, partitions=partitions, morsel_rows=7)) as session,
    ):
        duck.register("incoming", table)
        duck.execute("create table l as select * from incoming")
        session.register("l", table)
        for seed in range(first, first + (CHUNK if _SEED is None else 1)):
            query = RandomListQuery(seed).build()
            try:
                expected = numbered(duckdb_answer(duck, query))
                assert_same(numbered(session.sql(query).to_arrow()), expected, Order.FREE)
            except (AssertionError, flightmesh.FlightmeshError, duckdb.Error) as error:
                wrong.append(f"seed {seed}: {error}\n{query}")
    assert not wrong, "\n\n".join(wrong)
