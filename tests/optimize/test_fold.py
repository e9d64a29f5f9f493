"""Folded expressions give what the expressions gave: random ones over columns of many types, with NULL, NaN and -0.0."""

from __future__ import annotations

import datetime
import math
import random
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from flightmesh.errors import DataError, InvalidQuery
from flightmesh.expression.lower import compile_expressions
from flightmesh.expression.nodes import CastMode, Column, Expression, Literal, walk
from flightmesh.expression.registry import bind_call, bind_case, bind_cast, bind_in
from flightmesh.expression.text import format_expression
from flightmesh.ids import ColumnId
from flightmesh.optimize.fold import fold
from tests.optimize.building import call, lit

DAY, NUMBER = datetime.date.fromisoformat, Decimal
DAYS = ("1994-01-01", "1995-06-01", "1992-02-29", "1994-01-01", "2000-01-01", "1970-01-01", "1998-09-02")
NUMBERS = ("0.00", "1.50", "7.00", "-3.25", "100.10", "0.05", "24.00")
DATA: dict[str, tuple[pa.DataType, list[Any]]] = {
    "i": (pa.int32(), [0, 1, -1, 7, None, 100, 2, 1]),
    "b": (pa.int64(), [1, None, 3, 2**40, -5, 0, 7, 7]),
    "f": (pa.float64(), [0.0, -0.0, float("nan"), 1.5, None, -2.0, float("inf"), 7.0]),
    "d": (pa.decimal128(15, 2), [*(NUMBER(n) for n in NUMBERS), None]),
    "t": (pa.date32(), [*(DAY(d) for d in DAYS), None]),
    "s": (pa.string(), ["a", "", None, "ab", "7", "abc", "1994-01-01", "a"]),
    "p": (pa.bool_(), [True, False, None, True, False, None, True, False]),
}
COLUMNS = [Column(ColumnId(n), name, kind) for n, (name, (kind, _)) in enumerate(DATA.items())]
BATCH = pa.RecordBatch.from_arrays([pa.array(v, k) for k, v in DATA.values()], [c.key for c in COLUMNS])
EXTRA: dict[str, list[Any]] = {
    "i": [0, 1, 7, -1],
    "b": [0, 1, 7, 2**40],
    "f": [0.0, 1.5, -2.0, 7.0, float("nan")],
    "d": [Decimal("0.05"), Decimal("24.00"), Decimal("7.00"), Decimal("1.5")],
    "t": [datetime.date(1994, 1, 1), datetime.date(1995, 6, 1)],
    "s": ["a", "ab", "", "%"],
}
COMPARISONS = (
    "equal",
    "not_equal",
    "less",
    "less_equal",
    "greater",
    "greater_equal",
    "is_distinct_from",
    "is_not_distinct_from",
)


class RandomExpression:
    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def constant(self, column: Column) -> Expression:
        if self.random.random() < 0.08 or column.name == "p":
            return lit(self.random.choice([None, True, False]) if column.name == "p" else None, column.type)
        value = self.random.choice(EXTRA[column.name])
        return Literal(pa.scalar(value)) if isinstance(value, Decimal) else lit(value, column.type)

    def value(self, depth: int) -> Expression:
        column = self.random.choice(COLUMNS[:4])
        match self.random.randint(0, 6) if depth > 0 else 0:
            case 1:
                return bind_call(
                    self.random.choice(["add", "subtract", "multiply"]), (self.value(depth - 1), self.constant(column))
                )
            case 2:
                return bind_call("coalesce", (self.value(depth - 1), self.constant(column)))
            case 3:
                return bind_case(((self.predicate(depth - 1), column),), self.constant(column))
            case 4:
                return bind_cast(self.value(depth - 1), self.random.choice([pa.float64(), pa.int64(), pa.decimal128(20, 4)]))
            case 5:
                return self.constant(column)
            case _:
                return column

    def predicate(self, depth: int) -> Expression:
        match self.random.randint(0, 9) if depth > 0 else 9:
            case 0 | 1:
                return bind_call("and", tuple(self.predicate(depth - 1) for _ in range(self.random.randint(2, 3))))
            case 2 | 3:
                return bind_call("or", tuple(self.predicate(depth - 1) for _ in range(self.random.randint(2, 4))))
            case 4:
                return bind_call("not", (self.predicate(depth - 1),))
            case 5:
                return bind_call(self.random.choice(["is_null", "is_not_null"]), (self.value(depth - 1),))
            case 6:
                column = self.random.choice([c for c in COLUMNS[:6] if c.name != "f"])
                return bind_in(column, [self.constant(column) for _ in range(self.random.randint(1, 3))])
            case 7:
                return bind_call(self.random.choice(COMPARISONS), (self.value(depth - 1), self.value(depth - 1)))
            case 8:
                options: list[Expression] = [COLUMNS[6], lit(True), lit(False), lit(None, pa.bool_())]
                return self.random.choice(options)
            case _:
                column = self.random.choice(COLUMNS[:6])
                sides = [column, self.constant(self.random.choice(COLUMNS[:4]) if column in COLUMNS[:4] else column)]
                self.random.shuffle(sides)
                return bind_call(self.random.choice(COMPARISONS), sides)


def values(expression: Expression) -> list[Any]:
    """What the expression gives; -0.0 and 0.0, and all NaNs, alike."""
    (found,) = compile_expressions([expression]).run(BATCH)
    return ["nan" if isinstance(v, float) and math.isnan(v) else v for v in found.to_pylist()]


@pytest.mark.parametrize("start", range(0, 600, 100))
def test_folding_keeps_the_values(start: int) -> None:
    for seed in range(start, start + 100):
        maker = RandomExpression(seed)
        try:
            expression = maker.predicate(4) if seed % 3 else maker.value(4)
            expected = values(expression)
        except (InvalidQuery, DataError):
            continue
        folded = fold(expression)
        assert folded.type == expression.type
        shown = f"seed {seed}: {format_expression(expression)} became {format_expression(folded)}"
        assert values(folded) == expected, shown
        assert fold(folded) == folded, shown


def test_most_random_expressions_run() -> None:
    run = 0
    for seed in range(200):
        try:
            values(RandomExpression(seed).predicate(4))
            run += 1
        except (InvalidQuery, DataError):
            pass
    assert run > 150


def folded_text(expression: Expression) -> str:
    return format_expression(fold(expression))


INT, BIG, FLOAT, DECIMAL, DATE, TEXT, FLAG = COLUMNS


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        (call("equal", bind_cast(INT, pa.int64()), lit(7)), "i#0 = 7"),
        (call("less", bind_cast(INT, pa.float64()), lit(7.0)), "i#0 < 7"),
        (call("less", bind_cast(INT, pa.float64()), lit(7.5)), "CAST(i#0 AS DOUBLE) < 7.5"),
        (call("less", bind_cast(BIG, pa.float64()), lit(7.0)), "CAST(b#1 AS DOUBLE) < 7.0"),
        (call("greater", bind_cast(DATE, pa.timestamp("us")), lit(datetime.datetime(1994, 1, 1))), "t#4 > DATE '1994-01-01'"),
        (call("equal", bind_cast(INT, pa.int64(), CastMode.TRY), lit(7)), "TRY_CAST(i#0 AS BIGINT) = 7"),
        (call("less_equal", lit(Decimal("1.5")), DECIMAL), "d#3 >= 1.50"),
        (call("multiply", FLOAT, lit(0.0)), "f#2 * 0.0"),
        (call("add", FLOAT, lit(0.0)), "f#2 + 0.0"),
        (call("add", BIG, lit(0)), "b#1"),
        (call("equal", INT, lit(None, pa.int32())), "NULL"),
        (call("is_not_distinct_from", INT, lit(None, pa.int32())), "i#0 IS NULL"),
        (call("or", FLAG, lit(True)), "true"),
        (call("and", FLAG, lit(None, pa.bool_())), "p#6 AND NULL"),
        (call("not", call("or", call("less", INT, lit(1, pa.int32())), FLAG)), "i#0 >= 1 AND NOT p#6"),
        (bind_cast(lit("oops"), pa.int32()), "CAST('oops' AS INTEGER)"),
    ],
    ids=lambda part: part if isinstance(part, str) else "",
)
def test_shapes(expression: Expression, text: str) -> None:
    assert folded_text(expression) == text


def test_volatile_calls_are_not_computed() -> None:
    once = bind_call("random", ())
    assert not any(isinstance(part, Literal) for part in walk(fold(once)))


def test_a_thousand_alternatives_are_folded_quickly() -> None:
    import time

    either: Expression = call("equal", INT, lit(0, pa.int32()))
    for number in range(1, 300):
        either = call("or", either, call("and", call("equal", INT, lit(number, pa.int32())), FLAG))
    started = time.perf_counter()
    fold(either)
    assert time.perf_counter() - started < 1.0
