"""All 22 queries, equal to DuckDB on the same files: decimals to the digit, floats to 1e-9, order where it is asked for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import flightmesh
from tests.compare import Order, assert_same
from tests.tpch.answers import answer
from tests.tpch.conftest import registered
from tests.tpch.data import NUMBERS, queries


def order_of(number: int) -> Order:
    """Whether a query orders its rows: its own ORDER BY, which stands after the last parenthesis."""
    return Order.COUNTS if "order by" in queries()[number].lower().rpartition(")")[2] else Order.FREE


def test_there_are_22() -> None:
    assert sorted(queries()) == list(NUMBERS)
    assert [number for number in NUMBERS if order_of(number) is Order.FREE] == [6, 14, 17, 19]


@pytest.mark.parametrize("number", NUMBERS, ids=lambda number: f"q{number:02}")
def test_equal_to_duckdb(session: flightmesh.Session, small: Path, number: int) -> None:
    got = session.sql(queries()[number]).to_arrow()
    assert_same(got, answer(small, number), order_of(number))


@pytest.fixture(scope="module", params=[1, 2, 7], ids=lambda count: f"{count}p")
def session_one(request: pytest.FixtureRequest, one: Path) -> Iterator[flightmesh.Session]:
    with registered(one, request.param) as made:
        yield made


@pytest.mark.sf1
@pytest.mark.parametrize("number", NUMBERS, ids=lambda number: f"q{number:02}")
def test_equal_to_duckdb_at_scale_one(session_one: flightmesh.Session, one: Path, number: int) -> None:
    got = session_one.sql(queries()[number]).to_arrow()
    assert_same(got, answer(one, number), order_of(number))
