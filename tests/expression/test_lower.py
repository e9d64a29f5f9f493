"""Programs: what runs lazily, what is shared, what fails and how, what constants come out as."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from flightmesh.errors import DataError, Position
from flightmesh.expression.lower import compile_expressions, compile_filter, compile_filters, evaluate_constant
from flightmesh.expression.nodes import Call, Column, Expression, Literal, conjunction
from flightmesh.expression.registry import bind_call, bind_case, bind_cast, bind_in
from flightmesh.ids import ColumnId

X, Y = Column(ColumnId(0), "x", pa.int32()), Column(ColumnId(1), "y", pa.int32())
BATCH = pa.record_batch({"c0": pa.array([0, 2, None, 5], pa.int32()), "c1": pa.array([1, 0, 3, None], pa.int32())})


def lit(value: Any, type: pa.DataType | None = None) -> Literal:
    return Literal(pa.scalar(value, type or (pa.int32() if isinstance(value, int) and not isinstance(value, bool) else None)))


def ten_by(expr: Expression) -> Expression:
    return bind_call("int_divide_checked", [lit(10), expr])


def run(expr: Expression, batch: pa.RecordBatch = BATCH) -> list[Any]:
    return compile_expressions([expr]).run(batch)[0].to_pylist()


def test_division_by_zero_is_null_or_an_error_by_variant() -> None:
    assert run(bind_call("int_divide", [lit(10), X])) == [None, 5, None, 2]
    assert run(bind_call("modulo", [lit(10), X])) == [None, 0, None, 0]
    assert run(bind_call("divide", [lit(10), X])) == [float("inf"), 5.0, None, 2.0]
    assert run(bind_call("divide_safe", [lit(10), X])) == [None, 5.0, None, 2.0]
    for name in ("divide_checked", "int_divide_checked", "modulo_checked"):
        with pytest.raises(DataError, match=r"division by zero in \[10.* [/%]+ .*x.*\]"):
            run(bind_call(name, [lit(10), X]))
    assert run(bind_call("divide_checked", [bind_cast(lit(None, pa.null()), pa.int32()), X])) == [None] * 4


def test_and_guards_its_right_side() -> None:
    guarded = bind_call("and", [bind_call("<>", [X, lit(0)]), bind_call(">", [ten_by(X), lit(1)])])
    assert run(guarded) == [False, True, None, True]
    three = bind_call("and", [bind_call("<>", [X, lit(0)]), bind_call("is_not_null", [Y]), bind_call(">", [ten_by(X), lit(3)])])
    assert run(three) == [False, True, None, False]


def test_or_guards_its_right_side() -> None:
    guarded = bind_call("or", [bind_call("=", [X, lit(0)]), bind_call(">", [ten_by(X), lit(3)])])
    assert run(guarded) == [True, True, None, False]


def test_a_guard_that_lets_every_row_through_changes_nothing() -> None:
    always = bind_call("and", [bind_call("is_distinct_from", [X, lit(99)]), bind_call("=", [bind_call("+", [X, Y]), lit(1)])])
    assert run(always) == [True, False, None, None]


def test_case_arms_run_only_for_their_rows() -> None:
    case = bind_case([(bind_call("=", [X, lit(0)]), lit(-1)), (bind_call("=", [Y, lit(0)]), X)], ten_by(X))
    assert run(case) == [-1, 2, None, 2]
    nested = bind_case(
        [(bind_call("<>", [X, lit(0)]), bind_case([(bind_call("<>", [Y, lit(0)]), ten_by(Y))], ten_by(X)))], None
    )
    assert run(nested) == [None, 5, None, 2]


def test_conditions_of_later_arms_are_guarded_too() -> None:
    case = bind_case(
        [(bind_call("=", [X, lit(0)]), lit("zero")), (bind_call(">", [ten_by(X), lit(3)]), lit("small"))], lit("large")
    )
    assert run(case) == ["zero", "small", "large", "large"]


def test_coalesce_runs_later_arguments_only_where_needed() -> None:
    batch = pa.record_batch({"c0": pa.array([None, 7], pa.int32()), "c1": pa.array([5, 0], pa.int32())})
    assert run(bind_call("coalesce", [X, ten_by(Y)]), batch) == [2, 7]


def test_failures_name_expression_and_position() -> None:
    at = Position(3, 14, 1)
    total = bind_call("+", [X, lit(2**31 - 1)], at)
    with pytest.raises(DataError) as caught:
        run(total)
    assert caught.value.message == "overflow in addition in [x + 2147483647]"
    assert caught.value.position == at
    with pytest.raises(DataError, match=r"cannot cast '1x' of type VARCHAR to INTEGER in \[CAST"):
        run(bind_cast(lit("1x"), pa.int32()))


@pytest.mark.parametrize("name", ["add", "subtract", "multiply", "negate", "abs"])
@pytest.mark.parametrize("type", [pa.int8(), pa.int16(), pa.int32(), pa.int64()])
def test_integer_overflow_is_an_error(name: str, type: pa.DataType) -> None:
    low = -(1 << (type.bit_width - 1))
    column = Column(ColumnId(0), "x", type)
    others = {"add": column, "subtract": Literal(pa.scalar(1, type)), "multiply": column}
    batch = pa.record_batch({"c0": pa.array([1, low], type)})
    with pytest.raises(DataError, match="overflow"):
        run(bind_call(name, [column, others[name]] if name in others else [column]), batch)


def test_in_follows_three_valued_logic() -> None:
    assert run(bind_in(X, [lit(0), lit(5)])) == [True, False, None, True]
    assert run(bind_in(X, [lit(0), lit(None, pa.null())])) == [True, None, None, None]
    text = Column(ColumnId(0), "s", pa.string())
    batch = pa.record_batch({"c0": pa.array(["a", None, "f", "zz"])})
    few, many = [lit(c) for c in "ab"], [lit(c) for c in "abcdefgh"]
    assert run(bind_in(text, few), batch) == [True, None, False, False]
    assert run(bind_in(text, many), batch) == [True, None, True, False]
    assert run(bind_in(X, [Y, lit(2)])) == [False, True, None, None]


def test_filters_keep_only_true_rows() -> None:
    predicate = bind_call(">", [X, lit(1)])
    assert compile_filter(predicate).run(BATCH).column("c0").to_pylist() == [2, 5]
    assert compile_filters([predicate, bind_call("is_null", [Y])]).run(BATCH).column("c0").to_pylist() == [5]
    assert compile_filter(lit(True)).run(BATCH) is BATCH
    assert compile_filters([]).run(BATCH) is BATCH
    assert compile_filter(bind_call(">", [X, lit(9)])).run(BATCH).num_rows == 0


def test_equal_parts_are_computed_once_but_random_numbers_are_not() -> None:
    total = bind_call("+", [X, Y])
    program = compile_expressions([total, bind_call("*", [total, total])])
    assert len(program.block.steps) == 4
    draws = compile_expressions([bind_call("random", []), bind_call("random", [])]).run(BATCH)
    assert draws[0] != draws[1]
    assert len(set(draws[0].to_pylist())) == 4


def test_literals_reach_the_output_at_the_batchs_length() -> None:
    (array,) = compile_expressions([lit("a")]).run(BATCH)
    assert array.to_pylist() == ["a"] * 4
    (nothing,) = compile_expressions([lit(None, pa.decimal128(5, 2))]).run(BATCH)
    assert nothing.type == pa.decimal128(5, 2)
    assert nothing.null_count == 4


def test_empty_batches_work_everywhere() -> None:
    case = bind_case([(bind_call("=", [X, lit(0)]), lit(1))], ten_by(X))
    guarded = bind_call("and", [bind_call("<>", [X, lit(0)]), bind_call(">", [ten_by(X), lit(1)])])
    for expr in (case, guarded, bind_in(X, [lit(1)]), bind_call("coalesce", [X, ten_by(Y)])):
        assert run(expr, BATCH.slice(0, 0)) == []


def test_slices_and_dictionaries_are_read_as_values() -> None:
    text = Column(ColumnId(0), "s", pa.string())
    batch = pa.record_batch({"c0": pa.array(["x", "a", "b", None, "a"]).dictionary_encode()}).slice(1)
    assert run(bind_call("||", [text, lit("!")]), batch) == ["a!", "b!", None, "a!"]
    assert run(bind_call("<>", [X, lit(2)]), BATCH.slice(1)) == [False, None, True]


def test_constants() -> None:
    assert evaluate_constant(bind_call("+", [lit(1), lit(2)])) == lit(3)
    assert evaluate_constant(bind_call("lower", [lit("ABC")])) == lit("abc")
    assert evaluate_constant(bind_cast(lit(None, pa.null()), pa.int32())).is_null
    case = bind_case([(lit(False), ten_by(lit(0)))], lit(4))
    assert evaluate_constant(case) == lit(4)
    with pytest.raises(DataError, match="division by zero"):
        evaluate_constant(ten_by(lit(0)))


def test_negative_literals_are_literals() -> None:
    assert bind_call("negate", [lit(5)]) == lit(-5)
    small = Column(ColumnId(0), "t", pa.int8())
    assert bind_call("+", [small, bind_call("negate", [lit(5)])]).type == pa.int8()
    assert isinstance(bind_call("negate", [X]), Call)


def test_dates_do_not_wrap() -> None:
    moment = Literal(pa.scalar("2020-01-01").cast(pa.timestamp("us")))
    column = Column(ColumnId(0), "n", pa.int64())
    batch = pa.record_batch({"c0": pa.array([1, 2**31 - 1])})
    for unit in ("to_days", "to_months", "to_weeks"):
        with pytest.raises(DataError, match=r"out of range|overflow"):
            run(bind_call("+", [moment, bind_call(unit, [column])]), batch)
    with pytest.raises(DataError, match="overflow in an interval"):
        run(bind_call("to_hours", [column]), pa.record_batch({"c0": pa.array([2**40])}))


def test_long_conditions_compile_quickly() -> None:
    parts = [bind_call("<>", [X, lit(n)]) for n in range(2000)]
    chain = parts[0]
    for part in parts[1:200]:
        chain = bind_call("and", [chain, part])
    assert run(chain) == [False, False, None, False]
    whole = conjunction(tuple(parts))
    assert whole is not None and run(whole) == [False, False, None, False]
    assert compile_filter(whole).run(BATCH).num_rows == 0
