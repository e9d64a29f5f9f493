"""Whether two filters provably keep no row in common.

Handed two conjunctions; hands on True only where some column cannot have a value that both allow: x = 1 and x > 1, x between
0 and 5 and x in (6, 7). What always holds: a doubt is answered with no.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

import pyarrow as pa

from flightmesh.catalog.pruning import Range, comparable, may_match
from flightmesh.expression.nodes import Call, Column, Expression, InList, Literal, columns_of
from flightmesh.ids import ColumnId

Predicates = tuple[Expression, ...]


def are_disjoint(first: Predicates, second: Predicates) -> bool:
    """Whether no row can satisfy all of both."""
    for id_, ranges in _ranges(first).items():
        said = [p for p in second if columns_of(p) == {id_}]
        if said and not any(_all_may_match(said, id_, values) for values in ranges):
            return True
    return False


def _all_may_match(predicates: Iterable[Expression], id_: ColumnId, values: Range) -> bool:
    return all(may_match(p, lambda column: values if column == id_ else None) for p in predicates)


def _ranges(predicates: Predicates) -> dict[ColumnId, list[Range]]:
    """For each column that is compared with constants, ranges outside of which it has no value; bounds count as included."""
    bounds: dict[ColumnId, Range] = {}
    options: dict[ColumnId, list[Range]] = {}
    for id_, function, values in _compared(predicates):
        if function == "equal":
            options.setdefault(id_, [Range.constant(value.value) for value in values])
            continue
        known = bounds.get(id_, Range(may_be_null=False))
        (value,) = values
        if function.startswith("greater"):
            if known.minimum is None or comparable(value.value) > comparable(known.minimum):
                bounds[id_] = replace(known, minimum=value.value)
        elif known.maximum is None or comparable(value.value) < comparable(known.maximum):
            bounds[id_] = replace(known, maximum=value.value)
    return {id_: [found] for id_, found in bounds.items()} | options


def _compared(predicates: Predicates) -> Iterator[tuple[ColumnId, str, tuple[Literal, ...]]]:
    """(column, comparison, constants: one, or for "equal" one or more)."""
    for part in predicates:
        match part:
            case Call(function="equal", args=(Column() as column, Literal() as value)):
                function, values = "equal", (value,)
            case InList(operand=Column() as column, options=values):
                function = "equal"
            case Call(
                function="less" | "less_equal" | "greater" | "greater_equal" as function,
                args=(Column() as column, Literal() as value),
            ):
                values = (value,)
            case _:
                continue
        if pa.types.is_interval(column.type):
            continue  # a month and 30 days are equal, and no bound says so
        if all(value.type == column.type and comparable(value.value) is not None for value in values):
            yield column.id, function, values
