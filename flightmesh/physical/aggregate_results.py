"""The measures that aggregates are computed of, and the expressions that make results of them.

Handed aggregates over columns; hands on measures, and for each aggregate an expression over them. What always holds: equal
measures are computed once; a result over no values is NULL, or what the aggregate gives for none.
"""

from __future__ import annotations

import functools
from typing import TypeAlias

import pyarrow as pa

from flightmesh.expression.functions import sketches
from flightmesh.expression.nodes import AggregateCall, Case, Cast, Column, Expression, Literal, When
from flightmesh.expression.registry import bind_call
from flightmesh.logical.relations import Item
from flightmesh.physical.measures import DUPLICATE_BLIND, EXTREME_ROWS, PAIRED, WITH_CONSTANT, Argument
from flightmesh.physical.moments import SPREADS, paired, spread
from flightmesh.physical.operators import ColumnOrder, Measure
from flightmesh.physical.planned import Planning

SKETCH = pa.large_binary()
"""The type of sketches, whose values together may be longer than 2 GiB."""

_Key: TypeAlias = tuple[str, tuple[Column, ...], Column | None, bool, Literal | None, tuple[ColumnOrder, ...]]


class Parts:
    """The measures that results are made of, and the expression that makes each result of them."""

    def __init__(self, planning: Planning) -> None:
        self._planning = planning
        self._measures: dict[_Key, Measure] = {}
        self.results: list[Item] = []

    def measures(self, arguments: tuple[Argument, ...]) -> tuple[Measure, ...]:
        """The measures for these arguments; equal ones are computed once."""
        for argument in arguments:
            self.results.append(Item(argument.result, self.result(argument)))
        return tuple(self._measures.values())

    def result(self, argument: Argument) -> Expression:
        """The expression over measures that gives an aggregate's result."""
        call, columns = argument.call, argument.columns
        function = call.function
        distinct = call.distinct and function not in DUPLICATE_BLIND
        measure = functools.partial(self._measure, distinct=distinct)
        if function in SPREADS:
            return spread(function, columns[0], measure)
        if function in PAIRED:
            return paired(function, columns[0], columns[1], self._measure)
        if function in EXTREME_ROWS:
            return self._at_extreme(function, columns[0], columns[1])
        if function == "fsum":
            return measure("careful_sum", columns, call.type)
        if function in ("avg", "geomean", "favg"):
            careful = function == "favg"
            total = measure("careful_sum" if careful else "sum", columns, sum_type(columns[0].type))
            count = measure("count", columns, pa.int64())
            if pa.types.is_timestamp(call.type):
                return _mean_time(total, count)
            mean = bind_call("divide", (_as_double(total), _as_double(count)))
            # Over no values the sum is NULL, and so is the mean.
            return bind_call("exp", (mean,)) if function == "geomean" else mean
        if function == "approx_count_distinct":
            return bind_call(sketches.COUNT, (self._measure("distinct_sketch", columns, SKETCH),))
        if function == "approx_quantile":
            return self._quantile(call, measure("quantile_sketch", columns, SKETCH))
        if function == "count" and len(columns) > 1:
            counted = "count_star" if call.filter is None else "count"
            plain = columns[:1] if counted == "count" else ()
            return self._measure(counted, columns if distinct else plain, pa.int64(), distinct=distinct)
        if function == "count_star" and columns:
            function = "count"
        last = call.args[-1] if function in WITH_CONSTANT else None
        constant = last if isinstance(last, Literal) else None
        column = measure(function, columns, call.type, where=argument.where, constant=constant, order=argument.order)
        return bind_call("coalesce", (column, Literal(pa.scalar(0.0)))) if function == "entropy" else column

    def _quantile(self, call: AggregateCall, sketch: Column) -> Expression:
        """The fraction that a call asks for, of a sketch that calls for other fractions share."""
        fraction = call.args[-1]
        found = float(fraction.value.as_py()) if isinstance(fraction, Literal) else 0.0
        wanted = (sketch, Literal(pa.scalar(found)), Literal(pa.scalar(None, call.type)))
        return bind_call(sketches.QUANTILE, wanted)

    def _at_extreme(self, function: str, value: Column, key: Column) -> Column:
        extreme = EXTREME_ROWS[function]
        best = self._measure(extreme, (key,), key.type)
        return self._measure(f"arg_{extreme}", (value, key), value.type, (best,))

    def _measure(
        self,
        function: str,
        columns: tuple[Column, ...],
        kind: pa.DataType,
        partners: tuple[Column, ...] = (),
        *,
        where: Column | None = None,
        distinct: bool = False,
        constant: Literal | None = None,
        order: tuple[ColumnOrder, ...] = (),
    ) -> Column:
        key = (function, columns, where, distinct, constant, order)
        if key not in self._measures:
            name = f"{function}({', '.join(c.name for c in columns)})" if columns else function
            first = columns[0] if columns else None
            field = self._planning.fresh(name, kind)
            self._measures[key] = Measure(field, function, first, distinct, columns[1:], partners, where, constant, order)
        return self._measures[key].field.column()


def _mean_time(total: Column, count: Column) -> Expression:
    """The timestamp that is nearest to the mean, of an exact sum of microseconds; half of one is away from 1970."""
    two = Literal(pa.scalar(2))
    twice, parts = bind_call("multiply", (total, two)), bind_call("multiply", (count, two))
    after, before = (bind_call("int_divide", (bind_call(name, (twice, count)), parts)) for name in ("add", "subtract"))
    late = bind_call("greater_equal", (total, Literal(pa.scalar(0))))
    return bind_call("make_timestamp", (Cast(Case((When(late, after),), before, after.type), pa.int64()),))


def sum_type(argument: pa.DataType) -> pa.DataType:
    """The type in which a sum is kept: double for floats, decimal(38, s) for the exact types."""
    if pa.types.is_floating(argument):
        return pa.float64()
    return pa.decimal128(38, argument.scale if pa.types.is_decimal(argument) else 0)


def _as_double(expression: Expression) -> Expression:
    return expression if pa.types.is_float64(expression.type) else Cast(expression, pa.float64())
