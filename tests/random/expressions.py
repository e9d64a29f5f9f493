"""Random typed SQL expressions that no value makes fail: no overflow, no division by zero, no cast that does not fit."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

KINDS = ("int", "decimal", "float", "text", "bool", "date", "timestamp", "zoned", "time", "blob")


@dataclass(frozen=True, slots=True)
class Column:
    """A column that an expression may read."""

    text: str
    kind: str


class Expressions:
    """Makes expressions over columns in scope; `subquery`, if given, makes conditions that hold a subquery."""

    def __init__(
        self, rng: random.Random, columns: list[Column], subquery: Callable[[list[Column]], str] | None = None
    ) -> None:
        self._rng = rng
        self._columns = columns
        self._subquery = subquery

    def column(self, kind: str) -> str | None:
        found = [column.text for column in self._columns if column.kind == kind]
        return self._rng.choice(found) if found else None

    def any(self, depth: int = 2) -> tuple[str, str]:
        """An expression and its kind."""
        kind = self._rng.choice(KINDS)
        return self.of(kind, depth), kind

    def of(self, kind: str, depth: int = 2) -> str:
        """An expression of a kind."""
        column = self.column(kind)
        if depth <= 0 or self._rng.random() < 0.35:
            return column if column is not None and self._rng.random() < 0.8 else self.literal(kind)
        if self._rng.random() < 0.2:
            return self._conditional(kind, depth - 1)
        if kind in ("zoned", "time", "blob"):
            return column or self.literal(kind)
        make = {
            "int": self._int,
            "decimal": self._decimal,
            "float": self._float,
            "text": self._text,
            "bool": self.condition,
            "date": self._date,
            "timestamp": self._timestamp,
        }[kind]
        return make(depth - 1)

    def literal(self, kind: str) -> str:
        rng = self._rng
        if kind != "decimal" and rng.random() < 0.06:
            return f"cast(null as {_SQL_TYPES[kind]})"
        match kind:
            case "int":
                return _signed(str(rng.randint(-3, 9)))
            case "decimal":
                return _signed(f"{rng.randint(-300, 300) / 100:.2f}")
            case "float":
                return f"cast({rng.randint(-8, 8) / 4} as double)"
            case "text":
                return "'" + rng.choice(("", "a", "ab", "Abc", "zz", "é", "b")) + "'"
            case "bool":
                return rng.choice(("true", "false"))
            case "date":
                return f"date '2013-0{rng.randint(1, 9)}-1{rng.randint(0, 9)}'"
            case "zoned":
                return f"timestamptz '2013-02-0{rng.randint(1, 9)} 0{rng.randint(0, 9)}:30:00+00'"
            case "time":
                return f"time '0{rng.randint(0, 9)}:{rng.randint(10, 59)}:00'"
            case "blob":
                return f"cast('{rng.choice(('', 'a', 'zz'))}' as blob)"
            case _:
                return f"timestamp '2013-02-0{rng.randint(1, 9)} 0{rng.randint(0, 9)}:30:00'"

    def condition(self, depth: int = 2) -> str:
        """A boolean expression."""
        rng = self._rng
        if depth > 0 and rng.random() < 0.4:
            left, right = self.condition(depth - 1), self.condition(depth - 1)
            return rng.choice((f"({left} and {right})", f"({left} or {right})", f"({left} or {right})", f"(not {left})"))
        if self._subquery is not None and rng.random() < 0.22:
            return self._subquery(self._columns)
        kind = rng.choice(("int", "int", *KINDS))
        value = self.of(kind, 1)
        other = self.of(kind, 1)
        match rng.randrange(9):
            case 0:
                return f"({value} is null)"
            case 1:
                return f"({value} is not null)"
            case 2:
                return f"({value} between {other} and {self.of(kind, 0)})"
            case 3:
                options = ", ".join(self.literal(kind) for _ in range(rng.randint(1, 4)))
                return f"({value} {rng.choice(('in', 'not in'))} ({options}))"
            case 4 if kind == "text":
                return (
                    f"({value} {rng.choice(('like', 'not like', 'ilike'))} '{rng.choice(('a%', '%b%', '_', '%', 'A__', 'é'))}')"
                )
            case 5:
                return f"({value} is {rng.choice(('', 'not '))}distinct from {other})"
            case _:
                return f"({value} {rng.choice(('=', '<>', '<>', '<', '<=', '>', '>='))} {other})"

    def _conditional(self, kind: str, depth: int) -> str:
        value, other = self.of(kind, depth), self.of(kind, depth)
        match self._rng.randrange(4):
            case 0:
                return f"coalesce({value}, {other})"
            case 1:
                return f"nullif({value}, {other})"
            case 2:
                return f"case when {self.condition(1)} then {value} end"
            case _:
                return f"case when {self.condition(1)} then {value} else {other} end"

    def _int(self, depth: int) -> str:
        value = self.of("int", depth)
        match self._rng.randrange(8):
            case 0:
                return f"(cast({value} as bigint) + {self.of('int', depth)})"
            case 1:
                return f"(cast({value} as bigint) - {self.of('int', depth)})"
            case 2:
                return f"(cast({value} as bigint) * {self._rng.randint(-3, 5)})"
            case 3:
                return f"abs(cast({value} as bigint))"
            case 4:
                return f"({value} % {self._rng.choice((2, 3, 7))})"
            case 5:
                return f"length({self.of('text', depth)})"
            case 6:
                return f"extract({self._rng.choice(('year', 'month', 'day'))} from {self.of('date', depth)})"
            case _:
                return f"cast({self.of('bool', depth)} as integer)"

    def _decimal(self, depth: int) -> str:
        value = self.of("decimal", depth)
        match self._rng.randrange(5):
            case 0:
                return f"({value} + {self.literal('decimal')})"
            case 1:
                return f"({value} - {self.literal('decimal')})"
            case 2:
                # Back to two digits: beside a decimal(38, 2) DuckDB would drop the others, where this engine keeps them.
                return f"cast(cast({value} as decimal(9, 2)) * {self.literal('decimal')} as decimal(18, 2))"
            case 3:
                return f"abs({value})"
            case _:
                return f"(-{value})"

    def _float(self, depth: int) -> str:
        value = self.of("float", depth)
        match self._rng.randrange(5):
            case 0:
                return f"({value} + {self.of('float', depth)})"
            case 1:
                return f"({value} * {self.literal('float')})"
            case 2:
                return f"({self.of('int', depth)} / nullif({self.of('int', depth)}, 0))"
            case 3:
                return f"cast({self.of('decimal', depth)} as double)"
            case _:
                return f"(- {value})"

    def _text(self, depth: int) -> str:
        value = self.of("text", depth)
        match self._rng.randrange(6):
            case 0:
                return f"upper({value})"
            case 1:
                return f"lower({value})"
            case 2:
                return f"({value} || {self.of('text', depth)})"
            case 3:
                return f"substring({value}, {self._rng.randint(1, 3)}, {self._rng.randint(0, 2)})"
            case 4:
                return f"replace({value}, 'a', 'xy')"
            case _:
                return f"cast({self.of('int', depth)} as varchar)"

    def _date(self, depth: int) -> str:
        value = self.of("date", depth)
        if self._rng.random() < 0.5:
            return f"({value} + {self._rng.randint(-40, 40)})"
        return f"cast({self.of('timestamp', depth)} as date)"

    def _timestamp(self, depth: int) -> str:
        value = self.of("timestamp", depth)
        match self._rng.randrange(3):
            case 0:
                return f"({value} + interval '{self._rng.randint(1, 50)}' hour)"
            case 1:
                return f"({value} - interval '{self._rng.randint(1, 3)}' month)"
            case _:
                return f"date_trunc('{self._rng.choice(('hour', 'day', 'month'))}', {value})"


def _signed(number: str) -> str:
    """In parentheses if negative: two minus signs in a row begin a comment."""
    return f"({number})" if number.startswith("-") else number


_SQL_TYPES = {
    "int": "integer",
    "decimal": "decimal(9, 2)",
    "float": "double",
    "text": "varchar",
    "bool": "boolean",
    "date": "date",
    "timestamp": "timestamp",
    "zoned": "timestamptz",
    "time": "time",
    "blob": "blob",
}
