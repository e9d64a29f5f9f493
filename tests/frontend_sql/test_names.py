"""Names of columns: those that the query does not give are DuckDB's, and names are found in any case."""

from __future__ import annotations

import datetime

import pyarrow as pa
import pytest

from flightmesh.expression.nodes import Literal
from flightmesh.logical.relations import Project
from tests.frontend_sql.tables import duckdb_connection, query

TEXTS = (
    "select a + 1, a - 1, a * 2, a / 2, a // 2, a % 2, (a + 1) * 2 from t",
    "select count(*), count(), count(a), count(distinct a), sum(a + b), avg(m), min(s) from t",
    "select sum(a) filter (where b = 1) from t",
    "select upper(s), coalesce(a, 0), round(m, 1) from t",
    "select a = 1, a <> 1, a < 1, a >= 1, a = 1 and b = 2 from t",
    "select s like 'x%', s not like 'x%', s ilike 'X', s || 'x' from t",
    "select a is null, a is not null, a in (1, 2), a not in (1, 2) from t",
    "select case when a = 1 then 2 else 3 end, cast(a as varchar), a::int from t",
    "select 1, 'it''s', 1.50, null, a & 1, a | 1 from t",
    'select T.A, "Name", NAME from t, v',
    "select t.a + u.a from t, u",
    "select * from (select a, a, a from t) q",
    "select * from t join u using (a)",
    "values (1, 'x')",
    'select a as "A b", b as a from t',
    "select sum(a + b) over (rows 1 preceding), count(*) over (partition by a, b) from t",
    "select rank() over (order by s desc, m nulls first) from t",
    "select lag(a, 1) over (order by a rows between unbounded preceding and 1 following) from t",
    "select min(a) over (order by a range between unbounded preceding and current row), count(a) over () from t",
)


@pytest.mark.parametrize("text", TEXTS)
def test_titles_are_duckdbs(text: str) -> None:
    assert list(query(text).names) == duckdb_connection().sql(text).columns


def test_columns_that_differ_by_case_are_told_apart_by_number() -> None:
    bound = query('select x, X_1, * from (select a as x, b as "X" from t) q')
    assert bound.names == ("x", "X_1", "x", "X_1")
    assert [field.type for field in bound.relation.fields[:2]] == [pa.int64(), pa.int32()]


def test_the_clock_is_read_once_a_query() -> None:
    relation = query("select now() as a, current_timestamp as b, current_date as c, today() as d from t").relation
    assert isinstance(relation, Project)
    values = [item.expression.value for item in relation.items if isinstance(item.expression, Literal)]
    assert [str(value.type) for value in values] == ["timestamp[us, tz=UTC]"] * 2 + ["date32[day]"] * 2
    assert values[0] == values[1]
    assert values[2] == values[3]
    assert abs((values[0].as_py() - datetime.datetime.now(datetime.UTC)).total_seconds()) < 60
