"""Binding: overloads, implicit casts, and errors that say what would have fitted."""

from __future__ import annotations

import pyarrow as pa
import pytest

from flightmesh.errors import InvalidQuery, Position
from flightmesh.expression.nodes import Cast, Column, InList, Literal
from flightmesh.expression.registry import (
    aggregate_names,
    bind_aggregate,
    bind_call,
    bind_case,
    bind_function,
    bind_in,
    coerce,
    find_function,
    function_names,
    is_aggregate,
    unify,
)
from flightmesh.expression.types import HUGEINT, common_type, sql_type_name, type_from_name
from flightmesh.ids import ColumnId


def col(type: pa.DataType, index: int = 0) -> Column:
    return Column(ColumnId(index), f"c{index}", type)


def test_unknown_functions_get_suggestions() -> None:
    with pytest.raises(InvalidQuery) as caught:
        bind_call("substrng", [], Position(1, 8))
    assert "substring" in str(caught.value)
    assert caught.value.position == Position(1, 8)


def test_ill_typed_calls_name_the_accepted_signatures() -> None:
    with pytest.raises(InvalidQuery) as caught:
        bind_call("lower", [col(pa.int32())])
    assert caught.value.message == "no function fits lower(INTEGER)"
    assert caught.value.hint == "accepted: lower(VARCHAR) -> VARCHAR; cast the arguments"
    with pytest.raises(InvalidQuery, match=r"no function fits INTEGER \+ VARCHAR"):
        bind_call("+", [col(pa.int32()), col(pa.string())])
    with pytest.raises(InvalidQuery, match="no function fits VARCHAR = INTEGER"):
        bind_call("=", [col(pa.string()), Literal(pa.scalar(1, pa.int32()))])


def test_arguments_get_the_kernels_types() -> None:
    call = bind_call("sqrt", [col(pa.decimal128(15, 2))])
    assert isinstance(call, object) and isinstance(call.args[0], Cast)  # type: ignore[union-attr]
    assert call.args[0].type == pa.float64()  # type: ignore[union-attr]


def test_names_are_found_in_any_case_and_by_alias() -> None:
    for name in ("SUBSTR", "substring", "Substring"):
        found = find_function(name)
        assert found is not None and found.name == "substring"
    assert len(set(function_names())) == len(function_names())


def test_divide_written_as_a_function_is_duckdbs() -> None:
    args = [col(pa.int32()), col(pa.int32(), 1)]
    assert bind_function("divide", args).type == pa.int32()
    assert bind_call("divide", args).type == pa.float64()


@pytest.mark.parametrize(
    "name, argument, result",
    [
        ("sum", pa.int32(), HUGEINT), ("sum", pa.decimal128(15, 2), pa.decimal128(38, 2)), ("sum", pa.float32(), pa.float64()),
        ("sum", pa.bool_(), HUGEINT),
        ("avg", pa.int64(), pa.float64()), ("avg", pa.decimal128(15, 2), pa.float64()), ("mean", pa.int64(), pa.float64()),
        ("count", pa.string(), pa.int64()), ("min", pa.string(), pa.string()),
        ("max", pa.date32(), pa.date32()), ("stddev", pa.int32(), pa.float64()), ("var_pop", pa.decimal128(5, 1),
                                                                                  pa.float64()), ("bool_and", pa.bool_(),
                                                                                      pa.bool_()),
        ("any_value", pa.int8(), pa.int8()), ("first", pa.int8(), pa.int8()), ("variance", pa.int8(), pa.float64()),
    ],
)  # fmt: skip
def test_aggregate_types(name: str, argument: pa.DataType, result: pa.DataType) -> None:
    assert bind_aggregate(name, [col(argument)]).type == result


def test_aggregates_that_are_others_in_disguise() -> None:
    assert bind_aggregate("count", []).function == "count_star"
    counted = bind_aggregate("count_if", [col(pa.bool_())], filter=col(pa.bool_(), 1))
    assert (counted.function, counted.type) == ("sum", pa.decimal128(38, 0))
    assert counted.filter is not None
    assert is_aggregate("SUM") and not is_aggregate("lower")
    assert {"count", "count_star", "sum", "avg", "min", "max", "bool_and", "bool_or", "any_value", "first"} <= set(
        aggregate_names()
    )
    with pytest.raises(InvalidQuery, match=r"no aggregate sum\(VARCHAR\)"):
        bind_aggregate("sum", [col(pa.string())])


def test_common_types() -> None:
    decimal = pa.decimal128
    cases = [
        (pa.int8(), pa.int64(), pa.int64()), (pa.uint8(), pa.int8(), pa.int16()), (pa.uint64(), pa.int64(), HUGEINT),
        (pa.int32(), decimal(4, 2), decimal(12, 2)),
        (decimal(15, 2), decimal(6, 4), decimal(17, 4)), (decimal(38, 2), decimal(10, 9), decimal(38, 9)), (decimal(15, 2),
            pa.float64(), pa.float64()),
        (pa.int64(), pa.float32(), pa.float32()), (pa.null(), pa.string(), pa.string()), (pa.date32(), pa.timestamp("us"),
                                                                                          pa.timestamp("us")),
        (pa.string(), pa.int32(), None), (pa.date32(), pa.int32(), None), (pa.string(), pa.large_string(), pa.string()),
    ]  # fmt: skip
    for left, right, want in cases:
        assert common_type(left, right) == want, (left, right)
        assert common_type(right, left) == want, (right, left)


def test_unify_adapts_literals_and_refuses_mixtures() -> None:
    one = Literal(pa.scalar(1, pa.int32()))
    assert [part.type for part in unify([col(pa.int16()), one], "UNION")] == [pa.int16()] * 2
    assert [part.type for part in unify([col(pa.date32()), Literal(pa.scalar("2020-01-01"))], "IN")] == [pa.date32()] * 2
    with pytest.raises(InvalidQuery, match="cannot mix values of types VARCHAR and INTEGER in CASE"):
        bind_case([(col(pa.bool_()), col(pa.string(), 1))], one)


@pytest.mark.parametrize(
    "name",
    [
        "INTEGER",
        "BIGINT",
        "DECIMAL(15,2)",
        "VARCHAR",
        "DATE",
        "TIMESTAMP",
        "TIMESTAMP WITH TIME ZONE",
        "BLOB",
        "DOUBLE",
        "UTINYINT",
        "INTERVAL",
    ],
)
def test_type_names_read_back(name: str) -> None:
    type = type_from_name(name)
    assert type is not None
    assert sql_type_name(type) == name


def test_parts_of_dates_bind_to_their_functions() -> None:
    call = bind_call("date_part", [Literal(pa.scalar("dow")), col(pa.date32())])
    assert call.function == "dayofweek"  # type: ignore[union-attr]
    with pytest.raises(InvalidQuery, match="did you mean"):
        bind_call("date_part", [Literal(pa.scalar("mnth")), col(pa.date32())])


def test_the_clock_is_read_when_the_query_is_bound() -> None:
    assert isinstance(bind_call("now", []), Literal)
    assert bind_call("current_date", []).type == pa.date32()


def test_the_options_of_an_in_list_are_cast_together_and_one_by_one_alike() -> None:
    operand = Column(ColumnId(1), "x", pa.decimal128(10, 2), True)
    options = [Literal(pa.scalar(n, type)) for n, type in ((1, pa.int32()), (None, pa.int32()), (1 << 40, pa.int64()))]
    bound = bind_in(operand, options)
    assert isinstance(bound, InList)
    assert bound.options == tuple(coerce(option, bound.operand.type) for option in options)


def test_an_option_that_cannot_be_cast_is_named() -> None:
    operand = Column(ColumnId(1), "x", pa.date32(), True)
    with pytest.raises(InvalidQuery, match="cannot cast 'nope'"):
        bind_in(operand, [Literal(pa.scalar(text)) for text in ("2024-01-31", "nope")])
