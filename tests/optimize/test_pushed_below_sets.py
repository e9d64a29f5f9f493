"""Filters over grouping sets: below them where every set has the key, and with DuckDB's answer wherever they stand."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import flightmesh
from flightmesh.config import Config
from tests.comparison import rows_of
from tests.optimize.building import TABLES
from tests.optimize.checking import connection

BELOW = "select k, s, x, count(*) from t group by grouping sets ((k, s), (k, x), (k)) having k > 1 and coalesce(s, 'f') = 'f'"
ABOVE = "select k, s, count(*) as n from t group by rollup (k, s) having k > 1 and n >= 1"
QUERIES = (
    BELOW,
    ABOVE,
    "select * from (select k + 1 as j, s, sum(x) from t group by grouping sets ((j, s), (j))) as a where j in (2, 6)",
    "select k, s, grouping(k, s) as g, count(distinct x) from t group by cube (k, s) having k = 5 or s = 'f'",
    "select k, s, count(*) from t group by k, rollup (s) having k is null",
    "select k, count(*) from t group by grouping sets ((k), (k)) having k = 1",
    "select k, s, count(*) from t where false group by grouping sets ((k, s), (k), ()) having k is null",
)


@pytest.fixture(scope="module", params=[1, 7])
def session(request: pytest.FixtureRequest) -> Iterator[flightmesh.Session]:
    with flightmesh.connect(config=Config(threads=2, partitions=request.param)) as made:
        for name, rows in TABLES.items():
            made.register(name, rows)
        yield made


@pytest.mark.parametrize("query", QUERIES)
def test_answers(session: flightmesh.Session, query: str) -> None:
    found = connection().execute(query).arrow()
    expected = found if hasattr(found, "column_names") else found.read_all()
    assert sorted(rows_of(session.sql(query).to_arrow()), key=repr) == sorted(rows_of(expected), key=repr)


def test_a_key_of_every_set_is_filtered_in_the_scan(session: flightmesh.Session) -> None:
    assert "where k#0 > 1" in session.explain(BELOW)
    assert "where" not in session.explain(ABOVE)
