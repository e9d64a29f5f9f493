"""Equal values that functions tell apart: what a join equates may not be taken for the same in every predicate."""

from __future__ import annotations

import pytest

import flightmesh

ROWS = "(values (1, 0.0::double, interval 1 month), (2, -0.0::double, interval 30 day), (3, 1.5::double, interval 2 day))"


@pytest.mark.parametrize(
    ("keys", "predicate", "expected"),
    [
        ("f", "cast(a.f as varchar) = '-0.0'", [(2, 1), (2, 2)]),
        ("f", "signbit(a.f) and a.f < 1", [(2, 1), (2, 2)]),
        ("f", "a.f = 0.0", [(1, 1), (1, 2), (2, 1), (2, 2)]),
        ("v", "cast(a.v as varchar) = '30 days'", [(2, 1), (2, 2)]),
        ("v", "a.v in (interval 720 hour)", [(1, 1), (1, 2), (2, 1), (2, 2)]),
    ],
)
def test_predicates_of_one_side_are_not_said_of_the_other(keys: str, predicate: str, expected: list[tuple[int, int]]) -> None:
    rows = f"(select id, f, v from {ROWS} t(id, f, v))"
    sql = f"select a.id as i, b.id as j from {rows} a join {rows} b on a.{keys} = b.{keys} where {predicate} order by all"
    with flightmesh.connect() as session:
        found = session.sql(sql).to_arrow().to_pylist()
    assert [(row["i"], row["j"]) for row in found] == expected
