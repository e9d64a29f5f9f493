"""A LIMIT for each value of some columns: the first rows of a numbering.

Handed a limited relation; hands on its order, and the rows that each LIMIT keeps. What always holds: exactly `count` rows a
group, or all when it has fewer; which of rows that tie is open, as it is of any LIMIT.
"""

from __future__ import annotations

from dataclasses import replace

import pyarrow as pa

from flightmesh.expression.frames import DEFAULT_FRAME
from flightmesh.expression.nodes import Call, Column, Expression, Field, Literal, SortKey, conjunction
from flightmesh.expression.windows import bind_window
from flightmesh.logical.relations import Filter, Item, Limit, Project, Relation, Sort, Window, WindowItem, passes
from flightmesh.optimize.context import Context


def with_order(relation: Relation, context: Context) -> tuple[Relation, tuple[SortKey, ...]]:
    """The rows, unsorted, and the order that they had: what it is by is among the columns, those of `relation` being first."""
    match relation:
        case Sort(input=rows, keys=keys):
            return rows, keys
        case Filter(input=child):
            rows, keys = with_order(child, context)
            return (replace(relation, input=rows), keys) if keys else (relation, ())
        case Limit(input=child):
            rows, keys = with_order(child, context)
            return (replace(relation, input=Sort(rows, keys)), keys) if keys else (relation, ())
        case Project(input=child, items=items):
            rows, keys = with_order(child, context)
            if not keys:
                return relation, ()
            made = tuple(Item(Field(context.ids.fresh(), "key", k.expression.type), k.expression) for k in keys)
            columns = tuple(replace(k, expression=item.field.column()) for k, item in zip(keys, made, strict=True))
            return Project(rows, (*items, *made)), columns
        case _:
            return relation, ()


def limit_each(
    relation: Relation, groups: tuple[Column, ...], keys: tuple[SortKey, ...], limit: Limit, context: Context
) -> Relation:
    """The columns of `relation`, with `limit` applied for each value of `groups`, in the order of `keys`."""
    call = bind_window("row_number", (), DEFAULT_FRAME)
    place = Field(context.ids.fresh(), "place", call.type, False)
    numbered = Window(relation, groups, keys, (WindowItem(place, call, len(keys)),))
    bounds: list[Expression] = []
    if limit.count is not None:
        bounds.append(_compared("less_equal", place, limit.offset + limit.count))
    if limit.offset:
        bounds.append(_compared("greater", place, limit.offset))
    kept = conjunction(tuple(bounds))
    rows = numbered if kept is None else Filter(numbered, kept)
    return Project(rows, tuple(passes(f.column()) for f in relation.fields))


def _compared(function: str, place: Field, number: int) -> Expression:
    return Call(function, (place.column(), Literal(pa.scalar(number, place.type))), pa.bool_())
