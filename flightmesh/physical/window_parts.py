"""The functions that the results of a Window are made of: an average over frames is a sum and a count over them.

Handed the items of a Window with what they read as columns; hands on functions, and for each item an expression over their
results. What always holds: aggregates are taken apart by the rules of groupings, and equal functions over equal frames are
computed once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field, replace
from typing import TypeAlias

from flightmesh.dataclass import dataclass
from flightmesh.expression.frames import Frame
from flightmesh.expression.nodes import Column, Expression, Literal, columns_of
from flightmesh.expression.windows import WINDOW_FUNCTIONS, WindowCall
from flightmesh.ids import ColumnId
from flightmesh.logical.relations import Item, WindowItem
from flightmesh.physical.aggregate_results import Parts
from flightmesh.physical.measures import Argument, argument_expressions, rows_condition
from flightmesh.physical.operators import ColumnOrder, Measure, WindowFunction
from flightmesh.physical.planned import Planning, pass_item

_Over: TypeAlias = tuple[Frame, int, tuple[Column, ...]]
"""What functions have to share to be over the same frames: the frame, how many keys of the order they see, the bounds."""


def parts_read(call: WindowCall) -> tuple[Expression, ...]:
    """The expressions that the functions of a call read, in the order in which `WindowParts` takes them as columns."""
    call = _exact(call)
    if call.function in WINDOW_FUNCTIONS:
        return (*call.args, *call.bounds, *(key.expression for key in call.order))
    condition = rows_condition(call.aggregate)
    kept = () if condition is None else (condition,)
    return (*argument_expressions(call.aggregate), *call.bounds, *kept, *(key.expression for key in call.order))


@dataclass(slots=True)
class WindowParts:
    """The functions of one Window."""

    planning: Planning
    functions: list[WindowFunction] = field(default_factory=list)
    _shared: dict[_Over, Parts] = field(default_factory=dict)
    _known: set[Column] = field(default_factory=set)

    def result(self, item: WindowItem, columns: tuple[Column, ...]) -> Item:
        """The item that gives a call's result."""
        call = _exact(item.call)
        if call.function in WINDOW_FUNCTIONS:
            self.functions.append(_value(item, columns))
            return pass_item(item.field)
        rest = iter(columns)
        arguments = tuple(next(rest) for _ in argument_expressions(call.aggregate))
        bounds = tuple(next(rest) for _ in call.bounds)
        where = None if rows_condition(call.aggregate) is None else next(rest)
        order = tuple(ColumnOrder(next(rest), key.descending, key.nulls_first) for key in call.order)
        over = call.frame, item.keys, bounds
        parts = self._shared.setdefault(over, Parts(self.planning))
        measures = parts.measures((Argument(call.aggregate, item.field, arguments, where, order),))
        for measure in measures:
            if measure.field.column() not in self._known:
                self._known.add(measure.field.column())
                self.functions.append(_over(measure, over))
        return parts.results[-1]

    def read_by(self, results: Sequence[Item]) -> tuple[WindowFunction, ...]:
        """The functions that results are made of; measures that only merging would read are left out."""
        read = frozenset[ColumnId]().union(*(columns_of(item.expression) for item in results))
        return tuple(function for function in self.functions if function.field.id in read)


def _value(item: WindowItem, columns: tuple[Column, ...]) -> WindowFunction:
    """A function that is no aggregate."""
    call, rest = item.call, iter(columns)
    arguments = tuple(next(rest) for _ in call.args)
    bounds = tuple(next(rest) for _ in call.bounds)
    order = tuple(ColumnOrder(next(rest), key.descending, key.nulls_first) for key in call.order)
    return WindowFunction(
        item.field, call.function, arguments, call.frame, item.keys, bounds, order=order, skips_nulls=call.skips_nulls
    )


def _exact(call: WindowCall) -> WindowCall:
    """Over frames the exact value costs less than a sketch of each frame would."""
    match call.function:
        case "approx_count_distinct":
            return replace(call, function="count", distinct=True)
        case "approx_quantile":
            return replace(call, function="quantile_disc")
        case _:
            return call


def _over(measure: Measure, over: _Over) -> WindowFunction:
    frame, keys, bounds = over
    arguments = () if measure.argument is None else (measure.argument, *measure.more)
    constant: Literal | None = measure.constant
    return WindowFunction(
        measure.field,
        measure.function,
        arguments,
        frame,
        keys,
        bounds,
        measure.where,
        measure.distinct,
        constant,
        measure.order,
    )
