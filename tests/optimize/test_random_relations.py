"""Random queries with every kind of relation, checked after every rule against DuckDB; dependent joins against their
definition.
"""

from __future__ import annotations

import pytest

from tests.comparison import rows_of
from tests.optimize.building import STORED
from tests.optimize.checking import answer, connection, optimized_step_by_step
from tests.optimize.random_relations import RandomQuery
from tests.running import run_relation

FIRST_NEW_ID = 100_000
SEEDS = 48
CHUNK = 12


@pytest.mark.parametrize("start", range(0, SEEDS, CHUNK))
def test_every_rule_keeps_the_answer(start: int) -> None:
    database = connection()
    for seed in range(start, start + CHUNK):
        query = RandomQuery(seed).build()
        try:
            optimized = optimized_step_by_step(query, database, FIRST_NEW_ID)
            got = sorted(rows_of(run_relation(optimized, tables=STORED, partitions=1 + seed % 3)), key=repr)
            assert got == answer(query, database)
        except AssertionError as error:
            raise AssertionError(f"seed {seed}: {error}") from error


def test_the_same_seed_gives_the_same_query() -> None:
    assert RandomQuery(7).build() == RandomQuery(7).build()
