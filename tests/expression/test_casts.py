"""CAST and TRY_CAST between every two types against DuckDB, and the errors of CAST."""

from __future__ import annotations

import math
import random
from decimal import Decimal
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from flightmesh.errors import DataError, InvalidQuery
from flightmesh.expression.casts import cast_may_fail
from flightmesh.expression.lower import compile_expressions, evaluate_constant
from flightmesh.expression.nodes import CastMode, Literal
from flightmesh.expression.registry import bind_call, bind_cast, bind_function, coerce
from flightmesh.expression.types import TIMESTAMP_TZ, sql_type_name, type_from_name
from tests.expression.against import Both, literal_scalar, random_table

TARGETS = ["BOOLEAN", "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "UINTEGER", "HUGEINT", "FLOAT", "DOUBLE",
           "DECIMAL(15,2)", "DECIMAL(4,1)",
           "DECIMAL(38,10)", "DECIMAL(18,0)", "VARCHAR"]  # fmt: skip
NUMBERS = ["t", "s", "i", "b", "u", "f", "d", "x", "pos", "dc", "dd", "dw", "h", "bo"]
TEMPORAL = [("dt", "TIMESTAMP"), ("dt", "VARCHAR"), ("ts", "DATE"), ("ts", "VARCHAR"), ("ts", "TIME"), ("tm", "VARCHAR"),
            ("iv", "VARCHAR"), ("blob", "VARCHAR"),
            ("v", "BLOB"), ("dt", "DATE"), ("ts", "TIMESTAMP")]  # fmt: skip

OURS = {
    *((source, "HUGEINT") for source in ("f", "d", "x", "pos")),  # decimal(38,0) plays HUGEINT, and rounds as decimals do
    ("f", "DECIMAL(38,10)"),  # DuckDB scales in float arithmetic and loses digits
}

TEXTS = ["", " ", "0", "1", "-1", "+7", " 12 ", "1.5", "2.5", "-2.5", "1e2", "1E-2", "abc", "12abc", "128", "-129", "300",
         "99999999999", "9223372036854775808",
         "1e400", "inf", "-Infinity", "nan", "NaN", ".5", "5.", ".", "-", "1_000", "true", "F", "t", "yes", "No", "y", "1.005",
         "-1.005", "99999.95", "0x10", "१", "0x7f", "0x80", "0xFF",
         "0X8000", "0x80000000", "0x8000000000000000", "0xffffffffffffffff", "-0x1", "0x0080", "0b11", "0b1_1", "0x1_0",
         "0x_1", "0x", "0b12", "0b10000000"]  # fmt: skip
MOMENTS = ["2020-01-01", "2020-1-1", "2020-02-29", "2021-02-29", "2020-13-01", "2020-01-01 10:11", "2020-01-01 10:11:12",
           "2020-01-01 10:11:12.5", "2020-01-01T10:11:12Z",
           "2020-01-01 10:11:12+02:00", "2020-01-01 10:11:12.123456", "2020-01-01 25:00:00", "10:11:12", "10:11:12.25", "",
           "today", "2020/01/02", "0001-01-01", "0044-03-15 (BC)", "0002-11-28 (BC) 00:00:01.5", "0001-02-29 (BC)",
           "0002-02-29 (BC)", "10000-01-01", "12001-02-29", "12000-02-29 10:00:00",
           "2020-01-01x", "1969-12-31 23:59:59.999999", "1 day", "2 years 3 months", "1 month -2 days 03:04:05.5",
           "3 hours"]  # fmt: skip


@pytest.fixture(scope="module")
def both() -> Both:
    return Both(random_table(seed=11))


def target_type(name: str) -> pa.DataType:
    found = type_from_name(name)
    assert found is not None
    return found


@pytest.mark.parametrize("target", TARGETS)
def test_try_cast_of_numbers(both: Both, target: str) -> None:
    cases = [
        (f"try_cast({source} as {target})", bind_cast(both.column(source), target_type(target), CastMode.TRY))
        for source in NUMBERS
        if (source, target) not in OURS
    ]
    both.compare(cases)


def test_casts_of_dates_times_and_blobs(both: Both) -> None:
    sources = [case for case in TEMPORAL if case[0] != "v"]
    both.compare(
        [(f"cast({source} as {target})", bind_cast(both.column(source), target_type(target))) for source, target in sources]
    )


def text_pairs(texts: list[str], target: str) -> list[tuple[str, Any, Any]]:
    connection = duckdb.connect()
    connection.execute("set timezone='UTC'")
    connection.register("texts", pa.table({"text": texts}))
    rows = connection.execute(f"select text, try_cast(text as {target})::varchar from texts").fetchall()
    type = target_type(target)
    batch = pa.record_batch({"c0": pa.array([row[0] for row in rows])})
    column = both_column()
    cast = bind_cast(bind_cast(column, type, CastMode.TRY), pa.string())
    got = compile_expressions([cast]).run(batch)[0].to_pylist()
    return [(text, want, mine) for (text, want), mine in zip(rows, got, strict=True)]


def both_column() -> Any:
    from flightmesh.expression.nodes import Column
    from flightmesh.ids import ColumnId

    return Column(ColumnId(0), "text", pa.string())


@pytest.mark.parametrize(
    "target",
    ["BOOLEAN", "TINYINT", "INTEGER", "BIGINT", "UTINYINT", "DOUBLE", "DECIMAL(15,2)", "DECIMAL(4,1)", "DECIMAL(38,3)"],
)
def test_numbers_read_from_text(target: str) -> None:
    wrong = [(text, want, mine) for text, want, mine in text_pairs(TEXTS, target) if want != mine]
    assert wrong == []


@pytest.mark.parametrize("target", ["DATE", "TIMESTAMP", "TIME", "INTERVAL"])
def test_moments_read_from_text(target: str) -> None:
    wrong = [(text, want, mine) for text, want, mine in text_pairs(MOMENTS, target) if want != mine]
    assert wrong == []


def test_floats_as_text_on_many_magnitudes() -> None:
    draw = random.Random(5)
    values = [draw.uniform(-1, 1) * 10.0 ** draw.randrange(-20, 25) for _ in range(2000)] + [
        1e15,
        1e16,
        123456789.0,
        1e9,
        1e10,
        1e-4,
        1e-5,
        0.1,
        -0.0,
        math.inf,
    ]
    table = pa.table({"d": pa.array(values), "f": pa.array(values, pa.float32())})
    both = Both(table)
    both.compare([("d::varchar", bind_cast(both.column("d"), pa.string()))])
    small = Both(table.filter(pc.and_(pc.less(pc.abs(table["f"]), 1e5), pc.greater(pc.abs(table["f"]), 1e-12))))
    both_texts = both.run([bind_cast(both.column("f"), pa.string())])[0]
    assert both_texts.cast(pa.float32()).equals(table["f"].combine_chunks())
    small.compare([("f::varchar", bind_cast(small.column("f"), pa.string()))])


STRICT_ERRORS = [
    ("abc", "INTEGER", "cannot cast 'abc' of type VARCHAR to INTEGER"),
    (300, "TINYINT", "cannot cast 300 of type INTEGER to TINYINT"),
    (Decimal("1000.5"), "DECIMAL(4,1)", "cannot cast 1000.5 of type DECIMAL(5,1) to DECIMAL(4,1)"),
    (1e300, "BIGINT", "cannot cast 1e+300 of type DOUBLE to BIGINT"),
    (math.nan, "INTEGER", "cannot cast nan of type DOUBLE to INTEGER"),
    (1e30, "DECIMAL(15,2)", "cannot cast 1e+30 of type DOUBLE to DECIMAL(15,2)"),
    (Decimal("300.7"), "TINYINT", "cannot cast 300.7 of type DECIMAL(4,1) to TINYINT"),
    ("2020-02-30", "DATE", "cannot cast '2020-02-30' of type VARCHAR to DATE"),
]


@pytest.mark.parametrize("value, target, message", STRICT_ERRORS)
def test_cast_names_the_value_that_does_not_fit(value: Any, target: str, message: str) -> None:
    cast = bind_cast(Literal(literal_scalar(value)), target_type(target))
    with pytest.raises(DataError, match="^" + message.replace("(", r"\(").replace(")", r"\)").replace("+", r"\+")):
        evaluate_constant(cast)
    assert evaluate_constant(bind_cast(Literal(literal_scalar(value)), target_type(target), CastMode.TRY)).is_null


def test_casts_without_meaning_are_refused_when_bound(both: Both) -> None:
    with pytest.raises(InvalidQuery, match="cannot cast DATE to INTEGER"):
        bind_cast(both.column("dt"), pa.int32())


def test_literals_are_converted_at_once_and_failures_are_the_querys() -> None:
    assert coerce(Literal(pa.scalar("1995-03-15")), pa.date32()) == Literal(pa.scalar("1995-03-15").cast(pa.date32()))
    with pytest.raises(InvalidQuery, match="cannot cast 'soon'"):
        coerce(Literal(pa.scalar("soon")), pa.date32())


def test_a_cast_that_may_fail_says_so() -> None:
    decimal = pa.decimal128
    assert not cast_may_fail(pa.int32(), pa.int64())
    assert cast_may_fail(pa.int64(), pa.int32())
    assert not cast_may_fail(pa.int32(), decimal(15, 2))
    assert cast_may_fail(pa.int64(), decimal(15, 2))
    assert cast_may_fail(decimal(15, 2), decimal(14, 1))
    assert not cast_may_fail(decimal(15, 2), decimal(15, 1))
    assert cast_may_fail(pa.string(), pa.int32())
    assert not cast_may_fail(pa.date32(), pa.string())


def test_a_timestamp_with_zone_prints_its_offset(both: Both) -> None:
    moment = bind_cast(bind_function("to_timestamp", [Literal(pa.scalar(1.5))]), pa.string())
    assert evaluate_constant(moment).value.as_py() == "1970-01-01 00:00:01.5+00"
    assert sql_type_name(TIMESTAMP_TZ) == "TIMESTAMP WITH TIME ZONE"


def test_decimals_of_all_38_digits_survive_text_and_negation() -> None:
    digits = "1234567890123456789012345678.9012345678"
    type = pa.decimal128(38, 10)
    read = evaluate_constant(bind_cast(Literal(pa.scalar(digits)), type))
    assert read.value.as_py() == Decimal(digits)
    assert bind_call("negate", [read]).value.as_py() == Decimal("-" + digits)  # type: ignore[union-attr]
