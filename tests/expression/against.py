"""The same calls in DuckDB and in this engine, over one table of random values with NULLs."""

from __future__ import annotations

import datetime
import math
import random
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import duckdb
import pyarrow as pa

from flightmesh.expression.lower import compile_expressions
from flightmesh.expression.nodes import Column, Expression, Literal
from flightmesh.expression.registry import bind_function, coerce
from flightmesh.expression.types import sql_type_name
from flightmesh.ids import ColumnId

ROWS = 400
SEED = 20130101


def _nullable(make: Any, draw: random.Random, rows: int = ROWS) -> list[Any]:
    return [None if draw.random() < 0.1 else make() for _ in range(rows)]


_WORDS = [
    *(
        "",
        "a",
        "b",
        "ab",
        "abc",
        "Abc",
        "ABC abc",
        "hello world",
        "éa",
        "straße",
        "日本語",
        "a%b",
        "a_b",
        "x,y,z",
        ",",
        "10",
        "  pad ",
    ),
    *("aXbXc", "foo/bar/baz.txt", "/root/file.tar.gz", "100%", "a\nb", "naïve café", "kitten", "sitting", "z" * 30),
]


def random_table(seed: int = SEED, rows: int = ROWS) -> pa.Table:
    """One column a type, some with restricted domains (`pos`: positive doubles, `unit`: -1 to 1, `n`: small counts)."""
    draw = random.Random(seed)

    def double() -> float:
        return draw.choice([0.0, 1.0, -1.0, 0.5, 2.5, -2.5, draw.uniform(-1e3, 1e3), draw.gauss(0, 1e6)])

    def date() -> datetime.date:
        return datetime.date(1950, 1, 1) + datetime.timedelta(days=draw.randrange(40_000))

    def moment() -> datetime.datetime:
        fraction = draw.choice([0, draw.randrange(86_400_000_000)])
        return datetime.datetime(1960, 1, 1) + datetime.timedelta(days=draw.randrange(30_000), microseconds=fraction)

    columns: dict[str, tuple[Any, pa.DataType]] = {
        "t": (lambda: draw.randrange(-11, 12), pa.int8()),
        "s": (lambda: draw.randrange(-200, 200), pa.int16()),
        "i": (lambda: draw.choice([0, 1, -1, draw.randrange(-10_000, 10_000)]), pa.int32()),
        "j": (lambda: draw.choice([0, 1, -1, 7, draw.randrange(-100, 100)]), pa.int32()),
        "b": (lambda: draw.choice([0, 1, -1, draw.randrange(-(10**9), 10**9)]), pa.int64()),
        "u": (lambda: draw.randrange(0, 200), pa.uint8()),
        "f": (lambda: draw.choice([0.0, 1.5, -2.25, draw.randrange(-1000, 1000) / 8]), pa.float32()),
        "d": (double, pa.float64()),
        "e": (double, pa.float64()),
        "x": (lambda: draw.choice([0.0, -0.0, 1.0, math.nan, math.inf, -math.inf, -2.5]), pa.float64()),
        "y": (lambda: draw.choice([0.0, -0.0, 1.0, math.nan, math.inf, -math.inf, -2.5]), pa.float64()),
        "pos": (lambda: draw.choice([1.0, 2.0, 10.0, draw.uniform(0.001, 1000)]), pa.float64()),
        "unit": (lambda: draw.choice([0.0, 1.0, -1.0, draw.uniform(-1, 1)]), pa.float64()),
        "small": (lambda: draw.choice([0.5, 1.5, draw.uniform(-10, 10)]), pa.float64()),
        "dc": (lambda: Decimal(draw.randrange(-(10**6), 10**6)).scaleb(-2), pa.decimal128(15, 2)),
        "dd": (lambda: Decimal(draw.choice([0, 5, -5, draw.randrange(-(10**4), 10**4)])).scaleb(-1), pa.decimal128(6, 1)),
        "dw": (lambda: Decimal(draw.randrange(-(10**20), 10**20)).scaleb(-4), pa.decimal128(30, 4)),
        "h": (lambda: Decimal(draw.choice([0, 1, -1, 7, draw.randrange(-(10**20), 10**20)])), pa.decimal128(38, 0)),
        "v": (lambda: draw.choice(_WORDS), pa.string()),
        "w": (lambda: draw.choice(_WORDS), pa.string()),
        "n": (lambda: draw.randrange(0, 12), pa.int64()),
        "k": (lambda: draw.randrange(1, 13), pa.int64()),
        "m": (lambda: draw.randrange(-6, 7), pa.int64()),
        "bo": (lambda: draw.random() < 0.5, pa.bool_()),
        "bp": (lambda: draw.random() < 0.5, pa.bool_()),
        "dt": (date, pa.date32()),
        "du": (date, pa.date32()),
        "ts": (moment, pa.timestamp("us")),
        "tu": (moment, pa.timestamp("us")),
        "tm": (lambda: draw.randrange(86_400_000_000), pa.time64("us")),
        "tn": (lambda: draw.randrange(86_400_000_000), pa.time64("us")),
        "iv": (
            lambda: pa.MonthDayNano(
                (draw.randrange(-30, 30), draw.randrange(-40, 40), draw.randrange(-(10**11), 10**11) * 1000)
            ),
            pa.month_day_nano_interval(),
        ),
        "jv": (lambda: pa.MonthDayNano((draw.randrange(0, 14), draw.randrange(0, 40), 0)), pa.month_day_nano_interval()),
        "blob": (lambda: draw.choice([b"", b"a", b"abc", bytes(range(5))]), pa.binary()),
    }
    return pa.table({name: pa.array(_nullable(make, draw, rows), type) for name, (make, type) in columns.items()})


class Both:
    """A table, in DuckDB and as a batch of this engine."""

    def __init__(self, table: pa.Table) -> None:
        self.table = table
        self.connection = duckdb.connect()
        self.connection.execute("set timezone='UTC'")
        self.connection.register("arrow_table", table)
        self.connection.execute("create table t as select * from arrow_table")
        self._huge = "h" in table.column_names
        if self._huge:
            self.connection.execute("alter table t alter h type hugeint")
        names = table.column_names
        self.ids = {name: ColumnId(index) for index, name in enumerate(names)}
        combined = table.combine_chunks().to_batches()[0]
        self.batch = pa.RecordBatch.from_arrays(combined.columns, [f"c{i}" for i in range(len(names))])

    def column(self, name: str) -> Column:
        """A column as an expression."""
        return Column(self.ids[name], name, self.table.schema.field(name).type)

    def argument(self, value: Any) -> Expression:
        """`$name` is a column, anything else a literal as the parser makes it."""
        if isinstance(value, Expression):
            return value
        if is_column(value):
            return self.column(value[1:])
        return Literal(literal_scalar(value))

    def call(self, name: str, *args: Any) -> Expression:
        """A bound call."""
        return bind_function(name, [self.argument(arg) for arg in args])

    def run(self, exprs: Sequence[Expression]) -> list[pa.Array]:
        """The expressions over the batch."""
        return compile_expressions(exprs).run(self.batch)

    def duck(self, texts: Sequence[str]) -> tuple[list[str], list[list[Any]]]:
        """Types and columns of SQL expressions in DuckDB, in the table's order."""
        kinds = self.connection.execute(
            "select " + ", ".join(f"typeof({text})" for text in texts) + " from t limit 1"
        ).fetchone()
        assert kinds is not None
        naive = [f"({text})::timestamp" if kind.endswith("ZONE") else text for text, kind in zip(texts, kinds, strict=True)]
        rows = self.connection.execute("select " + ", ".join(naive) + " from t order by rowid").fetchall()
        return list(kinds), [list(column) for column in zip(*rows, strict=True)]

    def compare(self, cases: Sequence[tuple[str, Expression]], tolerance: float = 1e-9) -> None:
        """Asserts equal types and values for (SQL text, expression) pairs, naming the first mismatch of each."""
        kinds, expected = self.duck([text for text, _ in cases])
        results = self.run([expr for _, expr in cases])
        problems = []
        for (text, expr), kind, want, got in zip(cases, kinds, expected, results, strict=True):
            assert got.type == expr.type
            assert len(got) == self.batch.num_rows
            problem = type_problem(kind, got.type) or value_problem(want, python_values(got), tolerance)
            if problem:
                problems.append(f"{text}: {problem}")
        assert not problems, "\n".join(problems)


def is_column(value: Any) -> bool:
    """Whether a test argument names a column."""
    return isinstance(value, str) and value.startswith("$") and len(value) > 1


def literal_scalar(value: Any) -> pa.Scalar:
    """A Python value as the literal that SQL text of it would be."""
    if isinstance(value, bool) or not isinstance(value, int):
        if isinstance(value, Decimal):
            whole, _, fraction = f"{abs(value):f}".partition(".")
            return pa.scalar(value, pa.decimal128(len(whole) + len(fraction), len(fraction)))
        return pa.scalar(value)
    return pa.scalar(value, pa.int32() if -(2**31) <= value < 2**31 else pa.int64())


def sql_literal(value: Any) -> str:
    """A test argument as SQL text."""
    match value:
        case str() if is_column(value):
            return str(value[1:])
        case str():
            return "'" + value.replace("'", "''") + "'"
        case bool():
            return str(value).lower()
        case float():
            return f"{value!r}::double"
        case None:
            return "null"
        case pa.MonthDayNano():
            return f"(to_months({value.months}) + to_days({value.days}) + to_microseconds({value.nanoseconds // 1000}))"
        case datetime.date():
            return f"date '{value}'"
    return str(value)


def type_problem(kind: str, type: pa.DataType) -> str | None:
    """Why a DuckDB type name and an Arrow type do not agree."""
    found = sql_type_name(type)
    wanted = {"HUGEINT": "DECIMAL(38,0)", '"NULL"': "INTEGER"}.get(kind, kind)
    return None if found == wanted else f"type {found}, DuckDB says {kind}"


def python_values(array: pa.Array) -> list[Any]:
    """Values as DuckDB's Python client gives them."""
    if pa.types.is_interval(array.type):
        return [
            None if v is None else datetime.timedelta(days=v.months * 30 + v.days, microseconds=v.nanoseconds // 1000)
            for v in array.to_pylist()
        ]
    return array.to_pylist()


def _timedelta(value: datetime.timedelta) -> tuple[int, int, int]:
    return value.days, value.seconds, value.microseconds


def value_problem(want: Sequence[Any], got: Sequence[Any], tolerance: float) -> str | None:
    """The first row that differs."""
    for row, (a, b) in enumerate(zip(want, got, strict=True)):
        if not same_value(a, b, tolerance):
            return f"row {row}: {b!r}, DuckDB says {a!r}"
    return None


def same_value(want: Any, got: Any, tolerance: float) -> bool:
    """Equality with NULL, NaN, relative tolerance of floats, HUGEINT as decimal."""
    if want is None or got is None:
        return want is got
    if isinstance(want, float) and isinstance(got, float):
        if math.isnan(want) or math.isnan(got):
            return math.isnan(want) and math.isnan(got)
        return want == got or abs(want - got) <= tolerance * max(abs(want), abs(got), 1e-300)
    if isinstance(want, datetime.datetime) and isinstance(got, datetime.datetime):
        return want.replace(tzinfo=None) == got.replace(tzinfo=None)
    return bool(want == got)


def typed(expr: Expression, type: pa.DataType) -> Expression:
    """An implicit cast, for tests."""
    return coerce(expr, type)
