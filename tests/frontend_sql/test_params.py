"""Parameters: typed by their Python values, found by name or number, refused when missing or not asked for."""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from flightmesh.errors import InvalidQuery, Position
from flightmesh.expression.nodes import Literal, walk
from flightmesh.logical.relations import Filter, Limit, Project, Relation
from flightmesh.logical.traversal import expressions
from flightmesh.logical.traversal import walk as walk_relations
from tests.frontend_sql.tables import query

UTC = datetime.UTC

VALUES = (
    (1, pa.int32(), 1),
    (1 << 40, pa.int64(), 1 << 40),
    (1 << 70, pa.decimal128(38, 0), Decimal(1 << 70)),
    (True, pa.bool_(), True),
    (1.5, pa.float64(), 1.5),
    (Decimal("1.50"), pa.decimal128(3, 2), Decimal("1.50")),
    (Decimal("1E+2"), pa.decimal128(3, 0), Decimal(100)),
    ("it's", pa.string(), "it's"),
    (b"\x00", pa.binary(), b"\x00"),
    (datetime.date(2020, 2, 29), pa.date32(), datetime.date(2020, 2, 29)),
    (datetime.datetime(2020, 1, 1, 10), pa.timestamp("us"), datetime.datetime(2020, 1, 1, 10)),
    (datetime.datetime(2020, 1, 1, tzinfo=UTC), pa.timestamp("us", "UTC"), datetime.datetime(2020, 1, 1, tzinfo=UTC)),
    (datetime.time(10, 30), pa.time64("us"), datetime.time(10, 30)),
    (
        datetime.timedelta(days=1, seconds=2, microseconds=3),
        pa.month_day_nano_interval(),
        pa.MonthDayNano([0, 1, 2_000_003_000]),
    ),
)


def _literals(relation: Relation) -> list[Literal]:
    parts = [part for node in walk_relations(relation) for expression in expressions(node) for part in walk(expression)]
    return [part for part in parts if isinstance(part, Literal)]


@pytest.mark.parametrize(("value", "type", "stored"), VALUES, ids=lambda v: str(v))
def test_a_value_keeps_its_type(value: Any, type: pa.DataType, stored: Any) -> None:
    relation = query("select :value as x", {"value": value}).relation
    assert isinstance(relation, Project)
    literal = relation.items[0].expression
    assert isinstance(literal, Literal)
    assert literal.type == type
    assert literal.value.as_py() == stored


def test_none_is_null_of_integer_at_the_root() -> None:
    result = query("select :value as x", {"value": None})
    assert result.relation.fields[0].type == pa.int32()


@pytest.mark.parametrize(
    ("text", "params"),
    [
        ("select a from t where a = :x and s = :y", {"x": 7, "y": "q"}),
        ("select a from t where a = $x and s = $y", {"x": 7, "y": "q"}),
        ("select a from t where a = $1 and s = $2", [7, "q"]),
        ("select a from t where a = ? and s = ?", [7, "q"]),
        ("select a from t where s = $2 and a = $1", (7, "q")),
    ],
)
def test_names_and_numbers(text: str, params: Any) -> None:
    assert sorted(str(part.value.as_py()) for part in _literals(query(text, params).relation)) == ["7", "q"]


def test_question_marks_count_in_the_order_of_the_text() -> None:
    relation = query("with w as (select ? as p) select ? as q, p from w where ? = 3 limit ?", [1, 2, 3, 4]).relation
    assert isinstance(relation, Limit)
    assert relation.count == 4
    project = relation.input
    assert isinstance(project, Project)
    first = project.items[0].expression
    assert isinstance(first, Literal) and first.value.as_py() == 2


def test_text_is_never_pasted() -> None:
    relation = query("select a from t where s = :name", {"name": "' or 1 = 1 --"}).relation
    assert [part.value.as_py() for part in _literals(relation)] == ["' or 1 = 1 --"]


def test_text_takes_the_type_of_what_it_is_compared_with() -> None:
    relation = query("select d from t where d >= :since", {"since": "2020-01-03"}).relation
    assert [part.type for part in _literals(relation)] == [pa.date32()]


def test_in_intervals_lists_and_limits() -> None:
    text = "select d + interval (:n) day, d + interval :n month from t where a in (:n, 2) limit :n offset :n"
    relation = query(text, {"n": 3}).relation
    assert isinstance(relation, Limit) and (relation.count, relation.offset) == (3, 3)
    shown = [part.value.as_py() for part in _literals(relation)]
    assert pa.MonthDayNano([0, 3, 0]) in shown and pa.MonthDayNano([3, 0, 0]) in shown


def test_slices_and_casts_are_not_parameters() -> None:
    relation = query("select a::varchar from t where :x::int = 1", {"x": "1"}).relation
    assert isinstance(relation, Project) and isinstance(relation.input, Filter)


@pytest.mark.parametrize(
    ("text", "params", "message", "place", "hint"),
    [
        ("select :x", None, "the parameter 'x' has no value", (1, 8, 2), "pass params={...} or params=[...]"),
        ("select a,\n $flor from t", {"floor": 1}, "the parameter 'flor' has no value", (2, 2, 5), "did you mean floor?"),
        ("select ?, ?", [1], "the parameter '2' has no value", (1, 11, 1), "given are 1"),
        ("select 1", {"x": 1}, "the query has no parameter 'x'", None, "the query has no parameters"),
        (
            "select :alpha",
            {"alpha": 1, "beta": 2},
            "the query has no parameter 'beta'",
            None,
            "the query's parameters are alpha",
        ),
        ("select ?", [1, 2], "the query has no parameter '2'", None, "the query's parameters are 1"),
    ],
)
def test_missing_and_extra(text: str, params: Any, message: str, place: Any, hint: str) -> None:
    with pytest.raises(InvalidQuery) as caught:
        query(text, params)
    assert (caught.value.message, caught.value.hint) == (message, hint)
    assert caught.value.position == (None if place is None else Position(*place))


def test_a_value_without_a_type_is_refused() -> None:
    with pytest.raises(InvalidQuery, match="the parameter 'x' is an object, which has no SQL type"):
        query("select :x", {"x": object()})


def test_text_as_params_is_refused() -> None:
    with pytest.raises(InvalidQuery, match="params must be a mapping"):
        query("select ?", "abc")


@pytest.mark.parametrize("value", [10**50, -(10**38), Decimal("1." + "1" * 40)])
def test_a_number_of_too_many_digits_is_refused(value: Any) -> None:
    with pytest.raises(InvalidQuery, match=r"the parameter 'x': an? \w+ has at most 38 digits") as caught:
        query("select :x", {"x": value})
    assert caught.value.position == Position(1, 8, 2)
