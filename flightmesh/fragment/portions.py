"""Runs expressions over a batch in portions, so that what they compute stays bounded however much longer it is than its input.

Handed expressions and batches; hands on portions of a batch, in order, each with its values. What always holds: a portion is
the whole batch where nothing of variable width is computed; elsewhere it has about so many rows as gave `PORTION_BYTES`
before, starting from few; text past the 2 GiB that an Arrow array can hold makes portions smaller, until one row does not fit:
that is the query's error.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

import pyarrow as pa

from flightmesh.expression.headroom import with_headroom
from flightmesh.expression.lower import Program, compile_expressions
from flightmesh.expression.nodes import Call, Case, Column, Expression, Literal, children
from flightmesh.expression.properties import is_constant, is_volatile, may_fail
from flightmesh.kernel.values import Array

PORTION_BYTES = 8 << 20
"""Bytes of computed texts that a portion is to have at most, about."""
FIRST_ROWS = 256
"""Rows of the first portion where texts are computed: what they come to is not known yet."""
GROWTH = 16
"""A portion has at most so many times as many rows as the one before."""

_LAZY = frozenset({"and", "or", "coalesce", "ifnull"})


class Portions:
    """A program over `expressions` and what was seen of the size of its values; the decimals of those with the numbers `short`
    may come as decimal64. Used by one task."""

    def __init__(self, expressions: Sequence[Expression], short: Collection[int] = ()) -> None:
        self._program = with_headroom(lambda: _watching(expressions))
        self._count = len(expressions)
        self._short = frozenset(short)
        is_watched = len(self._program.types) > self._count
        self._grows = is_watched or any(_is_wide(e) and not isinstance(e, Column) for e in expressions)
        self._rows = FIRST_ROWS if self._grows else 1 << 62

    def run(self, batch: pa.RecordBatch) -> Iterator[tuple[pa.RecordBatch, list[Array]]]:
        """Each portion of the batch with the values of the expressions. Raises DataError."""
        start = 0
        while start < batch.num_rows:
            part = batch if start == 0 and batch.num_rows <= self._rows else batch.slice(start, self._rows)
            try:
                values = self._program.run(part, self._short)
            except pa.ArrowCapacityError:
                if part.num_rows == 1:
                    raise
                self._rows = max(1, part.num_rows // GROWTH)
                continue
            if self._grows:
                self._learn(part.num_rows, sum(value.nbytes for value in values))
            start += part.num_rows
            yield part, values[: self._count]

    def _learn(self, rows: int, size: int) -> None:
        fitting = PORTION_BYTES * rows // max(1, size)
        self._rows = max(1, min(fitting, max(self._rows, rows * GROWTH)))


def _watching(expressions: Sequence[Expression]) -> Program:
    """The program of expressions, and after them of the texts inside, each once."""
    watched = dict.fromkeys(part for expression in expressions for part in _texts_inside(expression))
    return compile_expressions((*expressions, *watched))


def _texts_inside(expression: Expression) -> Iterator[Expression]:
    """Texts that are computed on the way, for every row: those on which a lazy operand works are not known to be."""
    waiting = list(reversed(_eager(expression)))
    while waiting:
        part = waiting.pop()
        if _is_wide(part) and not isinstance(part, Column | Literal) and not is_constant(part) and not is_volatile(part):
            yield part
        waiting.extend(reversed(_eager(part)))


def _eager(expression: Expression) -> tuple[Expression, ...]:
    """The parts of an expression that are computed for every row."""
    if isinstance(expression, Case):
        return ()
    if isinstance(expression, Call) and expression.function in _LAZY and any(may_fail(a) for a in expression.args[1:]):
        return expression.args[:1]
    return children(expression)


def _is_wide(expression: Expression) -> bool:
    kind = expression.type
    return not (pa.types.is_primitive(kind) or pa.types.is_boolean(kind) or pa.types.is_null(kind) or pa.types.is_decimal(kind))
