"""A LEFT join of which only rows without a partner are wanted is an ANTI join, and only then."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import pyarrow as pa
import pytest

import flightmesh
from tests.compare import Order, assert_same

LEFT = pa.table({"a": [1, 2, 3, None, 5, 2], "x": [10, 20, 30, 40, 50, 60]})
RIGHT = pa.table({"b": [1, 2, 2, None, 7], "y": [None, 5, None, 8, 9], "z": [1, 1, 2, 2, 3]})


@pytest.fixture(scope="module")
def both() -> Iterator[tuple[flightmesh.Session, duckdb.DuckDBPyConnection]]:
    with flightmesh.connect(threads=2) as session, duckdb.connect() as duck:
        for name, table in (("l", LEFT), ("r", RIGHT)):
            session.register(name, table)
            duck.register(name, table)
        yield session, duck


@pytest.mark.parametrize(
    ("text", "is_anti"),
    [
        ("select a, x from l left join r on a = b where b is null", True),
        ("select a, x, b, y, z from l left join r on a = b where b is null", True),
        ("select * from (select a, x, b as c, y from l left join r on a = b) where c is null and x > 10", True),
        ("select a, x, y from l left join r on a = b and z < 2 where b is null", True),
        ("select a, x from l left join r on a = b and z < 2 where z is null", True),
        ("select a, x from l left join r on a = b and x > y * 3 where y is null", True),
        ("select a, x from r right join l on a = b where b is null", False),  # it stays as it is
        ("select a, x, y from l left join r on a = b where y is null", False),
        ("select a, x, y from l left join r on a is not distinct from b where b is null", False),
        ("select a, x, y from l left join r on a = b where b is null or x = 20", False),
        ("select a, x, y from l left join r on a = b where a is null", False),
        ("select a, x, y from l left join r on a = b or y is null where y is null", False),
        ("select a, b, y from l full join r on a = b where b is null", None),
        ("select * from (select a, b from l left join r on a = b union all select x, a from l) where b is null", True),
        ("select * from (select a, b from l left join r on a = b union select x, a from l) where b is null", True),
        ("select count(*) as n, count(y) as c from l left join r on a = b where b is null", True),
    ],
)
def test_as_duckdb_has_it(both: tuple[flightmesh.Session, duckdb.DuckDBPyConnection], text: str, is_anti: bool | None) -> None:
    session, duck = both
    assert_same(session.sql(text).to_arrow(), duck.execute(text).to_arrow_table(), Order.FREE)
    if is_anti is not None:
        assert ("Join anti" in session.explain(text)) is is_anti


def test_the_estimate_of_rows_without_a_partner_is_not_nothing(
    both: tuple[flightmesh.Session, duckdb.DuckDBPyConnection],
) -> None:
    session, _ = both
    session.register("many", pa.table({"k": range(10_000), "v": range(10_000)}))
    session.register("few", pa.table({"j": range(100), "w": range(100)}))
    text = session.explain("select k from many left join few on k = j where w is null", "analyze")
    assert "times too few" not in text
