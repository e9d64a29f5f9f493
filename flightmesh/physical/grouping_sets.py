"""Plans the copies of rows that grouping sets group.

Handed a logical Expand, and rows already planned; hands on those rows once for each set. What always holds: where no row is
in a group that is there all the same (the grand total), every task adds one for it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias

from flightmesh.expression.nodes import AggregateCall, Column, Field, Literal, columns_of, substitute
from flightmesh.ids import ColumnId
from flightmesh.logical.expressions import is_pass
from flightmesh.logical.relations import Aggregate, Expand, Item, Relation, passes
from flightmesh.optimize.booleans import TRUE
from flightmesh.optimize.fold import fold
from flightmesh.physical.operators import ExpandSets
from flightmesh.physical.planned import Planned, Planning, as_columns

PlanInput: TypeAlias = Callable[[Relation, frozenset[ColumnId], Planning], Planned]


def plan_expand(node: Expand, required: frozenset[ColumnId], planning: Planning, plan: PlanInput) -> Planned:
    """The input's own rows, copied before anything is aggregated."""
    sources = tuple(item.expression for item in node.keys)
    read = frozenset[ColumnId]().union(*(columns_of(e) for e in sources))
    wanted = frozenset(f.id for f in node.input.fields) & required
    child = plan(node.input, wanted | read, planning)
    kept = tuple(f for f in child.operator.fields if f.id in wanted)
    operator, columns = as_columns(child.operator, sources, tuple(i.field.name for i in node.keys), kept, planning)
    return expanded(replace(child, operator=operator), node, columns, (*kept, *node.made), node.present)


def expanded(
    rows: Planned, node: Expand, sources: tuple[Column, ...], fields: tuple[Field, ...], present: Field | None
) -> Planned:
    """Copies of `rows`, in which `sources` are the keys' columns, with `fields`."""
    keys = tuple(Item(item.field, source) for item, source in zip(node.keys, sources, strict=True))
    whole = () if node.present is None else tuple(n for n, kept in enumerate(node.sets) if not kept)
    count = None if rows.rows is None else rows.rows * len(node.sets)
    hashed = None if whole else rows.hashed  # the rows for the whole, of every task, are NULL in all columns
    made = ExpandSets(rows.operator, keys, node.sets, whole, node.number, present, fields)
    return Planned(made, rows.single, hashed, count)


def finest(aggregate: Aggregate, node: Expand, planning: Planning) -> Aggregate | None:
    """The grouping by all keys of all sets, whose results the groups of every set can be made of, below the Expand.

    None where a key of the sets is not grouped by as it is, and where nothing is left to group by but no set is the whole:
    without keys there would be a result of no rows.
    """
    made = {f.id for f in node.made}
    kept = tuple(g for g in aggregate.groups if not columns_of(g.expression) & made)
    if not kept and not node.keys and node.present is None:
        return None
    if not all(is_pass(g) for g in aggregate.groups if g not in kept):
        return None
    calls = tuple(replace(item, call=_of_rows(item.call, node.present)) for item in aggregate.aggregates)
    return Aggregate(node.input, (*kept, *(_source(item, planning) for item in node.keys)), calls)


def _source(item: Item, planning: Planning) -> Item:
    if isinstance(item.expression, Column):
        return passes(item.expression)
    return Item(planning.fresh(item.field.name, item.field.type), item.expression)


def _of_rows(call: AggregateCall, present: Field | None) -> AggregateCall:
    """The call over rows of the input only, which are all present."""
    if call.filter is None or present is None:
        return call
    kept = fold(substitute(call.filter, {present.id: TRUE}))
    return replace(call, filter=None if isinstance(kept, Literal) and kept == TRUE else kept)
