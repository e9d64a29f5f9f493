"""Dialects: quotes, the place of NULLs, division, and functions by the dialect's own names."""

from __future__ import annotations

import pyarrow as pa
import pytest

from flightmesh.expression.lower import evaluate_constant
from flightmesh.expression.nodes import SortKey, walk
from flightmesh.expression.text import format_expression
from flightmesh.logical.relations import Project, Sort
from flightmesh.logical.text import format_relation
from flightmesh.logical.traversal import walk as walk_relations
from tests.frontend_sql.tables import query


def _keys(dialect: str, order: str) -> list[SortKey]:
    relation = query(f"select a, b from t order by {order}", dialect=dialect).relation
    return [key for node in walk_relations(relation) if isinstance(node, Sort) for key in node.keys]


@pytest.mark.parametrize(
    ("dialect", "ascending", "descending"),
    [
        ("duckdb", False, False),
        ("postgres", False, True),
        ("snowflake", False, True),
        ("spark", True, False),
        ("mysql", True, False),
        ("bigquery", True, False),
    ],
)
def test_the_place_of_nulls_is_the_dialects(dialect: str, ascending: bool, descending: bool) -> None:
    assert [key.nulls_first for key in _keys(dialect, "a, b desc")] == [ascending, descending]


@pytest.mark.parametrize("dialect", ["duckdb", "postgres", "snowflake", "spark"])
def test_the_query_may_say_where_nulls_go(dialect: str) -> None:
    assert [key.nulls_first for key in _keys(dialect, "a nulls first, b desc nulls last")] == [True, False]


def _shown(text: str, dialect: str) -> list[str]:
    relation = query(text, dialect=dialect).relation
    assert isinstance(relation, Project)
    return [format_expression(item.expression) for item in relation.items]


@pytest.mark.parametrize(
    ("dialect", "quotient", "type"),
    [
        ("duckdb", "divide", pa.float64()),
        ("postgres", "int_divide_checked", pa.int64()),
        ("snowflake", "divide_checked", pa.float64()),
        ("mysql", "divide", pa.float64()),
        ("spark", "divide", pa.float64()),
    ],
)
def test_division_is_the_dialects(dialect: str, quotient: str, type: pa.DataType) -> None:
    relation = query("select a / b as q from t", dialect=dialect).relation
    assert isinstance(relation, Project)
    expression = relation.items[0].expression
    functions = {getattr(part, "function", None) for part in walk(expression)}
    assert expression.type == type
    assert quotient in functions
    assert ("nullif" in functions) == (dialect in ("mysql", "spark"))


@pytest.mark.parametrize(
    ("dialect", "text"),
    [
        ("duckdb", 'select "A", "Name" from v'),
        ("postgres", 'select "A", "Name" from v'),
        ("snowflake", 'select "A", "Name" from v'),
        ("mysql", "select `A`, `Name` from `v`"),
        ("spark", "select `A`, `Name` from `v`"),
        ("bigquery", "select `A`, `Name` from `v`"),
        ("tsql", "select [A], [Name] from [v]"),
    ],
)
def test_quotes(dialect: str, text: str) -> None:
    assert query(text, dialect=dialect).names == ("A", "Name")


@pytest.mark.parametrize(
    ("dialect", "text", "same"),
    [
        ("mysql", "ifnull(a, 0)", "coalesce(a, 0)"),
        ("mysql", "date_add(d, interval 1 month)", "(d + interval 1 month)::date"),
        ("mysql", "date_add(d, interval 1 hour)", "d + interval 1 hour"),
        ("bigquery", "date_add(d, interval 1 month)", "(d + interval 1 month)::date"),
        ("bigquery", "date_sub(d, interval b month)", "(d - interval (b) month)::date"),
        ("trino", "date_add('month', 1, d)", "(d + interval 1 month)::date"),
        ("trino", "date_add('hour', 1, d)", "d + interval 1 hour"),
        ("duckdb", "date_add(d, interval 1 month)", "d + interval 1 month"),
        ("mysql", "if(a > 1, 'x', 'y')", "case when a > 1 then 'x' else 'y' end"),
        ("spark", "nvl(a, 0)", "coalesce(a, 0)"),
        ("spark", "date_add(d, 3)", "d + 3"),
        ("spark", "a <=> b", "a is not distinct from b"),
        ("snowflake", "iff(a > 1, 1, 2)", "case when a > 1 then 1 else 2 end"),
        ("snowflake", "dateadd(month, 2, d)", "(d + interval 2 month)::date"),
        ("postgres", "s ~ 'x'", "regexp_matches(s, 'x')"),
        ("postgres", "extract(year from d)", "year(d)"),
        ("bigquery", "safe_cast(s as int64)", "try_cast(s as bigint)"),
    ],
)
def test_functions_by_other_names(dialect: str, text: str, same: str) -> None:
    assert _shown(f"select {text} from t", dialect) == _shown(f"select {same} from t", "duckdb")


@pytest.mark.parametrize("dialect", ["mysql", "spark", "trino", "bigquery", "snowflake"])
def test_a_null_makes_the_whole_concat_null(dialect: str) -> None:
    assert _values("select concat('a', null), concat('a', 1, 'b'), concat(null)", dialect) == [None, "a1b", None]


@pytest.mark.parametrize("dialect", ["duckdb", "postgres"])
def test_a_null_is_left_out_of_concat(dialect: str) -> None:
    assert _values("select concat('a', null), concat('a', 1, 'b'), concat(null)", dialect) == ["a", "a1b", ""]


@pytest.mark.parametrize(
    ("dialect", "of_nulls"),
    [("mysql", None), ("trino", None), ("bigquery", None), ("duckdb", 1), ("postgres", 1), ("spark", 1)],
)
def test_nulls_in_greatest_and_least_are_the_dialects(dialect: str, of_nulls: int | None) -> None:
    text = "select greatest(1, null), least(null, 1), greatest(1, 3, 2), least(2, 1)"
    assert _values(text, dialect) == [of_nulls, of_nulls, 3, 1]


def _values(text: str, dialect: str) -> list[object]:
    relation = query(text, dialect=dialect).relation
    assert isinstance(relation, Project)
    return [evaluate_constant(item.expression).value.as_py() for item in relation.items]


def test_casts_of_lenient_dialects_give_null() -> None:
    assert "TRY_CAST" in _shown("select cast(s as int) from t", "spark")[0]
    assert "TRY_CAST" not in _shown("select cast(s as int) from t", "duckdb")[0]


@pytest.mark.parametrize(("trailing", "form"), [("a, b with rollup", "rollup (a, b)"), ("a, b with cube", "cube (a, b)")])
def test_sets_of_all_keys(trailing: str, form: str) -> None:
    plans = [query(f"select a, b, sum(m) from t group by {part}", dialect="spark").relation for part in (trailing, form)]
    assert format_relation(plans[0]) == format_relation(plans[1])
