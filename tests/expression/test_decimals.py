"""Decimals: exact against Python's decimal module for all precisions and magnitudes, types as DuckDB's, overflow always an
error.
"""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Context, Decimal, localcontext
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flightmesh.errors import DataError
from flightmesh.expression.decimal_rounding import rescale
from flightmesh.expression.decimals import add, multiply, subtract
from flightmesh.expression.lower import compile_expressions
from flightmesh.expression.nodes import Column, Literal
from flightmesh.expression.registry import bind_call
from flightmesh.expression.scaled import ScaledDecimals, arrow
from flightmesh.expression.types import add_type, multiply_type, sql_type_name
from flightmesh.ids import ColumnId

EXACT = Context(prec=120, rounding=ROUND_HALF_UP)


@st.composite
def decimal_types(draw: st.DrawFn) -> pa.DataType:
    precision = draw(st.integers(1, 38))
    return pa.decimal128(precision, draw(st.integers(0, precision)))


@st.composite
def columns(draw: st.DrawFn, type: pa.DataType, size: int) -> list[Decimal | None]:
    digits = draw(st.integers(0, type.precision))
    limit = 10**digits - 1
    numbers = st.one_of(st.none(), st.integers(-limit, limit), st.sampled_from([limit, -limit, 0]))
    return [
        None if n is None else Decimal(n).scaleb(-type.scale, EXACT)
        for n in draw(st.lists(numbers, min_size=size, max_size=size))
    ]


def expected(
    values: list[Decimal | None], others: list[Decimal | None], compute: Any, type: pa.DataType
) -> list[Decimal | None] | None:
    """The exact results, or None where one does not fit the type."""
    found = [None if a is None or b is None else compute(a, b) for a, b in zip(values, others, strict=True)]
    limit = Decimal(10) ** (type.precision - type.scale)
    return None if any(v is not None and v.copy_abs() >= limit for v in found) else found


OPERATIONS = {"add": (add, EXACT.add), "subtract": (subtract, EXACT.subtract), "multiply": (multiply, EXACT.multiply)}


@settings(max_examples=120, deadline=None)
@given(st.data())
def test_arithmetic_is_exact_or_an_error(data: st.DataObject) -> None:
    left_type, right_type = data.draw(decimal_types()), data.draw(decimal_types())
    name = data.draw(st.sampled_from(sorted(OPERATIONS)))
    type = multiply_type(left_type, right_type) if name == "multiply" else add_type(left_type, right_type)
    if type is None:
        return
    left, right = data.draw(columns(left_type, 5)), data.draw(columns(right_type, 5))
    kernel, exact = OPERATIONS[name]
    want = expected(left, right, exact, type)
    arrays = pa.array([None, *left], left_type).slice(1), pa.array(right, right_type)
    if want is None:
        with pytest.raises(DataError, match="overflow"):
            kernel(*arrays, type)
    else:
        got = arrow(kernel(*arrays, type))
        assert got.type == type
        assert got.to_pylist() == want


@settings(max_examples=120, deadline=None)
@given(st.data())
def test_rescaling_rounds_half_away_or_fails(data: st.DataObject) -> None:
    source, target = data.draw(decimal_types()), data.draw(decimal_types())
    values = data.draw(columns(source, 5))
    with localcontext(EXACT):
        quantum = Decimal(1).scaleb(-target.scale)
        rounded = [None if v is None else v.quantize(quantum, ROUND_HALF_UP) for v in values]
    limit = Decimal(10) ** (target.precision - target.scale)
    array = pa.array(values, source)
    if any(v is not None and v.copy_abs() >= limit for v in rounded):
        with pytest.raises(DataError, match="overflow"):
            rescale(array, target)
    else:
        assert rescale(array, target).to_pylist() == rounded


def test_types_are_duckdbs() -> None:
    types = [(4, 1), (9, 0), (9, 9), (15, 2), (18, 3), (18, 18), (19, 0), (30, 10), (38, 0), (38, 20)]
    connection = duckdb.connect()
    for p, s in types:
        for q, t in types:
            left, right = pa.decimal128(p, s), pa.decimal128(q, t)
            for symbol, found in (
                ("+", add_type(left, right)),
                ("-", add_type(left, right)),
                ("*", multiply_type(left, right)),
            ):
                query = f"select typeof(0::decimal({p},{s}) {symbol} 0::decimal({q},{t}))"
                try:
                    row = connection.execute(query).fetchone()
                except duckdb.Error:
                    assert found is None, query
                    continue
                assert row is not None and found is not None
                assert sql_type_name(found) == row[0], query


def column(index: int, type: pa.DataType) -> Column:
    return Column(ColumnId(index), "abc"[index], type)


def run(expr: Any, **arrays: pa.Array) -> list[Any]:
    return compile_expressions([expr]).run(pa.record_batch(arrays))[0].to_pylist()


def test_tpch_revenue_has_duckdbs_type_and_stays_int64_between_steps() -> None:
    money = pa.decimal128(15, 2)
    price, discount, tax = column(0, money), column(1, money), column(2, money)
    one = Literal(pa.scalar(1, pa.int32()))
    revenue = bind_call("*", [price, bind_call("-", [one, discount])])
    charge = bind_call("*", [revenue, bind_call("+", [one, tax])])
    assert revenue.type == pa.decimal128(18, 4)
    assert charge.type == pa.decimal128(18, 6)
    cents = pa.array([Decimal("10.00"), None, Decimal("99999.99")], money)
    part = pa.array([Decimal("0.05"), Decimal("0.10"), Decimal("0.01")], money)
    assert run(charge, c0=cents, c1=part, c2=part) == [Decimal("9.975000"), None, Decimal("99989.990001")]
    assert isinstance(subtract(cents, part, add_type(money, money)), ScaledDecimals)


def test_overflow_names_the_expression() -> None:
    wide = pa.decimal128(38, 0)
    product = bind_call("*", [column(0, wide), column(1, wide)])
    big = pa.array([Decimal(10) ** 20], wide)
    with pytest.raises(DataError, match=r"overflow: the value does not fit DECIMAL\(38,0\) in \[a \* b\]"):
        run(product, c0=big, c1=big)
    assert run(product, c0=big, c1=pa.array([None], wide)) == [None]


def test_values_under_nulls_do_not_count() -> None:
    type = pa.decimal128(18, 0)
    garbage = pa.Array.from_buffers(
        type, 2, [pa.py_buffer(b"\x02"), pa.array([Decimal(10) ** 17, Decimal(3)], type).buffers()[1]]
    )
    assert garbage.to_pylist() == [None, Decimal(3)]
    assert arrow(add(garbage, garbage, type)).to_pylist() == [None, Decimal(6)]
    assert rescale(garbage, pa.decimal128(3, 1)).to_pylist() == [None, Decimal("3.0")]
