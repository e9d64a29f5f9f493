"""Questions for other values in a row's group: which are asked together, which are not, and that the answer is DuckDB's."""

from __future__ import annotations

from random import Random

import pytest

from flightmesh.logical.relations import Aggregate, Join, JoinKind, Relation
from flightmesh.logical.traversal import walk
from flightmesh.logical.validate import validate
from flightmesh.optimize import exists_to_extremes
from flightmesh.optimize.rules import optimize
from tests.comparison import rows_of
from tests.optimize.binding import bound
from tests.optimize.building import STORED
from tests.optimize.checking import connection, optimized_step_by_step
from tests.running import run_relation


@pytest.fixture(autouse=True)
def always(monkeypatch: pytest.MonkeyPatch) -> None:
    """Asks together however little that saves."""
    monkeypatch.setattr(exists_to_extremes, "LEAST_RATIO", 0.0)
    monkeypatch.setattr(exists_to_extremes, "KEPT", -1e9)


def other(table: str = "t", more: str = "", negated: bool = False, asked: str = "o", key: str = "k", value: str = "x") -> str:
    kept = f" and {more}" if more else ""
    return (
        f"{'not ' if negated else ''}exists"
        f" (select 1 from {table} i where i.{key} = {asked}.{key} and i.{value} <> {asked}.{value}{kept})"
    )


TOGETHER = (
    # NULL keys and values, groups of one row, rows that are there twice.
    f"select k, x from t o where {other()} and {other(more='i.x > 10', negated=True)}",
    f"select k, x from t o where {other(more='i.x < 50')} and {other(more='i.x > 10')}",
    f"select k, x, s from t o where {other(more=chr(39).join(('i.s = ', 'a', '')))} and {other(negated=True, more='i.x > 10')}",
    # Filters that both have, and that no row satisfies.
    f"select k, x from t o where {other(more='i.x > 5')} and {other(more='i.x > 5 and i.x > 10', negated=True)}",
    f"select k, x from t o where {other()} and {other(more='i.x > 1000', negated=True)}",
    # Rows of several tables ask; of text.
    f"select o.k, o.x, y from t o join u on u.k = o.k where {other()} and {other(more='i.x > 10', negated=True)} and y > 1",
    f"select k, z from u o where {other('u', value='z')} and {other('u', 'i.y > 1', True, value='z')}",
    f"select z, count(*) from u o where {other('u', value='y')} and {other('u', 'i.y > 4', value='y')} group by z",
    # Beside other questions.
    f"select k, x from t o where {other()} and {other(more='i.x > 10', negated=True)} and k in (select k from u)",
)
APART = (
    f"select k, x from t o where {other()}",
    f"select k, x from t o where {other(negated=True)} and {other(more='i.x > 10', negated=True)}",
    f"select k, x from t o where {other()} and exists (select 1 from t i where i.k = o.k and i.s <> o.s)",
    f"select k, x from t o where {other()} and exists (select 1 from t i where i.k = o.x and i.x <> o.k)",
    f"select k, x from t o where {other()} and {other(more='random() < 2')}",
    f"select y, w from v o where {other('v', key='y', value='w')} and {other('v', 'i.w > 1', True, key='y', value='w')}",
)


def is_together(relation: Relation) -> bool:
    return any(
        isinstance(node, Join)
        and node.kind is JoinKind.INNER
        and any(isinstance(side, Aggregate) and len(side.aggregates) > 1 for side in (node.left, node.right))
        for node in walk(relation)
    )


@pytest.mark.parametrize("sql", TOGETHER + APART)
def test_answers_and_plans(sql: str) -> None:
    relation, context = bound(sql)
    optimized = optimize(relation, context)
    validate(optimized)
    assert is_together(optimized) is (sql in TOGETHER)
    found = connection().execute(sql).arrow()
    expected = sorted(rows_of(found if hasattr(found, "column_names") else found.read_all()), key=repr)
    for partitions in (1, 3):
        assert sorted(rows_of(run_relation(optimized, tables=STORED, partitions=partitions)), key=repr) == expected


def test_random_questions() -> None:
    random = Random(1)
    together = 0
    for _ in range(16):
        table, value, text = random.choice([("t", "x", "s"), ("u", "y", "z")])
        filters = [
            "",
            f"i.{value} > 10",
            f"i.{value} < 50",
            f"i.{text} <> 'a'",
            f"i.{value} is null",
            f"i.{value} in (10, 5, 61)",
        ]
        column = random.choice([value, value, text])
        asks = [other(table, random.choice(filters), random.random() < 0.5, value=column) for _ in range(random.choice([2, 3]))]
        source = random.choice([f"{table} o", f"{table} o join v on v.y = o.{value}", f"{table} o left join e on e.k = o.k"])
        sql = f"select o.k, o.{value}, o.{text} from {source} where {' and '.join(asks)}"
        relation, _ = bound(sql)
        together += is_together(optimized_step_by_step(relation, connection(), 100_000))
    assert together > 6


def test_a_large_share_of_the_table_asks_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exists_to_extremes, "LEAST_RATIO", 4.0)
    relation, context = bound(TOGETHER[0])
    assert not is_together(optimize(relation, context))
