"""Expressions as text; facts about expressions."""

from __future__ import annotations

import datetime
import itertools
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from flightmesh.expression.lower import compile_expressions
from flightmesh.expression.nodes import Column, Expression, Literal, SortKey, columns_of
from flightmesh.expression.properties import is_constant, is_volatile, may_fail, null_rejecting
from flightmesh.expression.registry import bind_aggregate, bind_call, bind_case, bind_cast, bind_in
from flightmesh.expression.text import format_aggregate, format_expression, format_sort_key
from flightmesh.ids import ColumnId

A, B = Column(ColumnId(1), "a", pa.int32()), Column(ColumnId(2), "b", pa.int32())
S = Column(ColumnId(3), "s", pa.string())
P = Column(ColumnId(4), "p", pa.bool_())


def lit(value: Any, type: pa.DataType | None = None) -> Literal:
    return Literal(pa.scalar(value, type or (pa.int32() if isinstance(value, int) and not isinstance(value, bool) else None)))


def call(name: str, *args: Expression) -> Expression:
    return bind_call(name, args)


TEXTS = [
    (call("*", call("+", A, B), lit(2)), "(a#1 + b#2) * 2"),
    (call("+", A, call("*", B, lit(2))), "a#1 + b#2 * 2"),
    (call("-", A, call("-", B, lit(2))), "a#1 - (b#2 - 2)"),
    (call("-", call("-", A, B), lit(2)), "a#1 - b#2 - 2"),
    (call("and", call("or", P, P), call("=", A, B)), "(p#4 OR p#4) AND a#1 = b#2"),
    (call("not", call("and", P, P)), "NOT (p#4 AND p#4)"),
    (call("=", call("=", A, B), P), "(a#1 = b#2) = p#4"),
    (call("is_null", call("+", A, B)), "a#1 + b#2 IS NULL"),
    (call("like", S, lit("it's%")), "s#3 LIKE 'it''s%'"),
    (call("between", A, lit(1), call("+", B, lit(1))), "a#1 BETWEEN 1 AND b#2 + 1"),
    (call("negate", call("+", A, B)), "-(a#1 + b#2)"),
    (bind_cast(A, pa.decimal128(15, 2)), "CAST(a#1 AS DECIMAL(15,2))"),
    (bind_case([(P, A)], B), "CASE WHEN p#4 THEN a#1 ELSE b#2 END"),
    (bind_in(A, [lit(1), lit(2)]), "a#1 IN (1, 2)"),
    (call("substring", S, lit(1), lit(2)), "substring(s#3, 1, 2)"),
    (lit(datetime.date(1995, 3, 15)), "DATE '1995-03-15'"),
    (lit(datetime.datetime(1995, 3, 15, 1, 2)), "TIMESTAMP '1995-03-15 01:02:00'"),
    (lit(pa.MonthDayNano((14, 3, 0))), "INTERVAL '1 year 2 months 3 days'"),
    (lit(Decimal("0.0000000001")), "0.0000000001"),
    (lit(True), "true"),
    (lit(None, pa.int32()), "NULL"),
]  # fmt: skip


@pytest.mark.parametrize("expr, text", TEXTS, ids=[text for _, text in TEXTS])
def test_expressions_as_text(expr: Expression, text: str) -> None:
    assert format_expression(expr) == text


def test_aggregates_and_sort_keys_as_text() -> None:
    assert format_aggregate(bind_aggregate("count", [])) == "count(*)"
    assert format_aggregate(bind_aggregate("sum", [A], distinct=True, filter=P)) == "sum(DISTINCT a#1) FILTER (WHERE p#4)"
    assert format_sort_key(SortKey(A, descending=True, nulls_first=True)) == "a#1 DESC NULLS FIRST"


def test_may_fail() -> None:
    money = Column(ColumnId(5), "m", pa.decimal128(10, 2))
    double = Column(ColumnId(6), "d", pa.float64())
    assert may_fail(call("+", A, B))
    assert not may_fail(call("+", double, double))
    assert not may_fail(call("+", money, money))
    assert not may_fail(call("*", money, Column(ColumnId(7), "q", pa.decimal128(8, 0))))
    assert may_fail(call("*", money, Column(ColumnId(8), "q", pa.decimal128(15, 2))))
    assert not may_fail(call("divide", A, B))
    assert may_fail(call("divide_checked", A, B))
    assert may_fail(bind_cast(S, pa.int32()))
    assert not may_fail(call("like", S, lit("a%")))
    assert may_fail(call("sqrt", double))


def test_constants_and_volatile_functions() -> None:
    assert is_constant(call("+", lit(1), lit(2)))
    assert not is_constant(call("+", A, lit(2)))
    assert is_volatile(call("+", call("random"), lit(2)))
    assert not is_constant(call("random"))


PREDICATES = [
    (call("=", A, B), True), (call("=", A, lit(1)), True), (call("is_null", A), False), (call("is_not_null", A), True),
    (call("not", call("is_null", A)), True),
    (call("and", call("is_null", A), call("=", A, lit(1))), True), (call("or", call("is_null", A), call("=", A, lit(1))),
                                                                    False),
    (call("or", call(">", A, lit(3)), call("=", A, lit(1))), True), (call("=", call("coalesce", A, lit(0)), lit(0)), False),
    (call("is_distinct_from", A, lit(1)), False),
    (bind_in(A, [lit(1)]), True), (call("between", A, lit(1), lit(2)), True), (call("not", call("=", A, lit(1))), True),
    (call("is_true", call("=", A, lit(1))), True),
    (call("=", call("concat", bind_cast(A, pa.string()), S), lit("x")), False), (call("like", call("||", bind_cast(A,
        pa.string()), S), lit("x")), True),
    (call("not", call("or", call("=", A, lit(1)), call("=", B, lit(2)))), True), (bind_case([(call("=", A, lit(1)),
        lit(True))], lit(True)), False),
    (call("not", call("and", call("=", A, lit(1)), call("is_not_null", B))), False), (lit(False), True), (lit(None,
        pa.bool_()), True), (lit(True), False),
    (call("=", call("nullif", A, lit(1)), lit(2)), True), (call("=", call("greatest", A, B), lit(1)), False),
]  # fmt: skip


@pytest.mark.parametrize("expr, rejects", PREDICATES, ids=[format_expression(expr) for expr, _ in PREDICATES])
def test_null_rejecting(expr: Expression, rejects: bool) -> None:
    assert null_rejecting(expr, {ColumnId(1)}) is rejects


@pytest.mark.parametrize("expr", [expr for expr, rejects in PREDICATES if rejects], ids=format_expression)
def test_null_rejecting_predicates_are_never_true_over_nulls(expr: Expression) -> None:
    values: list[tuple[Any, ...]] = list(itertools.product([None, 0, 1, 2], [None, "x", "1"]))
    batch = pa.record_batch(
        {
            "c1": pa.nulls(len(values), pa.int32()),
            "c2": pa.array([b for b, _ in values], pa.int32()),
            "c3": pa.array([s for _, s in values], pa.string()),
        }
    )
    assert columns_of(expr) <= {ColumnId(1), ColumnId(2), ColumnId(3)}
    assert True not in compile_expressions([expr]).run(batch)[0].to_pylist()
