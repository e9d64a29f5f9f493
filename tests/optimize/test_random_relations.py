"""Random queries with every kind of relation, checked after every rule against DuckDB; dependent joins against their
definition.
"""

from __future__ import annotations

import pytest

from tests.optimize.checking import connection, optimized_step_by_step
from tests.optimize.random_relations import RandomQuery

FIRST_NEW_ID = 100_000
SEEDS = 72
CHUNK = 12


@pytest.mark.parametrize("start", range(0, SEEDS, CHUNK))
def test_every_rule_keeps_the_answer(start: int) -> None:
    database = connection()
    for seed in range(start, start + CHUNK):
        query = RandomQuery(seed).build()
        try:
            optimized_step_by_step(query, database, FIRST_NEW_ID)
        except AssertionError as error:
            raise AssertionError(f"seed {seed}: {error}") from error


def test_the_same_seed_gives_the_same_query() -> None:
    assert RandomQuery(7).build() == RandomQuery(7).build()
