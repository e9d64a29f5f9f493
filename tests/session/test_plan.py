"""Planning keeps a query's columns: those that the user named, in the user's order, or there is no result at all."""

from __future__ import annotations

import pyarrow as pa
import pytest

import flightmesh
from flightmesh.errors import InternalError
from flightmesh.logical.relations import Project, Relation, passes
from flightmesh.optimize.context import Context
from flightmesh.session import Session
from tests.comparison import assert_same_rows, reference
from tests.session.conftest import AnySession

W = pa.table({"p": [1, 2, None, 2], "q": [10, 20, None, 2], "r": ["a", None, "c", "d"]})
REORDERED = [
    "select * from (select q, p, r from w) as x, (select 1 as z) as y",
    "select * from (select r, p from w) as x, (select p as p2 from w) as y where x.p = y.p2",
    "select * from (select r, p from w) as x full join (select q, p as p2 from w) as y on x.p = y.p2 order by all",
    "select * from (select q, p, r from w) as x, (select 1 as z) as y union all select p, q, r, p from w",
    "with c as (select * from (select q, p from w) as x, (select 1 as z) as y) select * from c union all select * from c",
]


@pytest.mark.parametrize("sql", REORDERED)
def test_columns_come_in_the_users_order(plain: AnySession, sql: str) -> None:
    plain.register("w", W)
    expected = reference(sql, w=W)
    result = plain.sql(sql)
    assert result.schema.names == expected.schema.names
    assert result.schema.types == expected.schema.types
    assert_same_rows(result.to_arrow(), expected)


@pytest.mark.parametrize("sql", REORDERED)
def test_a_table_made_of_a_query_has_its_columns(plain: AnySession, sql: str) -> None:
    plain.register("w", W)
    plain.sql(f"create table made as {sql}").to_arrow()
    assert_same_rows(plain.sql("from made").to_arrow(), reference(sql, w=W))


@pytest.mark.parametrize("order", [(1, 0), (0,), (0, 1, 1)])
def test_a_plan_with_other_columns_is_a_bug(embedded: Session, monkeypatch: pytest.MonkeyPatch, order: tuple[int, ...]) -> None:
    def wrong(relation: Relation, _: Context) -> Relation:
        return Project(relation, tuple(passes(relation.fields[i].column()) for i in order))

    monkeypatch.setattr("flightmesh.session.plan.optimize", wrong)
    with pytest.raises(InternalError, match="the optimized query: columns"):
        embedded.sql("select k, name from p")


def test_nested_scalar_subqueries_are_planned_in_time_that_grows_with_their_depth() -> None:
    """Sixty levels would take longer than the universe is old if each level doubled the work."""
    depth = 60
    with flightmesh.connect() as session:
        assert session.sql("select " + "(select " * depth + "1" + ")" * depth + " as x").to_arrow().to_pylist() == [{"x": 1}]
