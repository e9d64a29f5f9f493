"""Rule: rows joined with an aggregate of the same rows, on its keys, carry it as a window function.

A correlated scalar subquery over what the query itself reads becomes, without its correlation, such a join: each row with the
average of its group. Handed a query whose filters are pushed down; hands on one in which those rows are read and joined once,
and the aggregate is computed over the partition of each row, where that is expected to cost less than reading them again.
What always holds: the aggregate sees the rows that it saw (what only the outer rows are filtered by is asked above it); rows
whose key is NULL go, as the join's equality has it; nothing volatile is taken for the same.

After Zuzarte et al., "WinMagic: Subquery Elimination Using Window Aggregation" (SIGMOD 2003).
"""

from __future__ import annotations

from dataclasses import replace

import pyarrow as pa

from flightmesh.dataclass import dataclass
from flightmesh.expression.frames import DEFAULT_FRAME
from flightmesh.expression.nodes import Call, Column, Expression, columns_of, conjuncts, substitute
from flightmesh.expression.properties import is_volatile
from flightmesh.expression.windows import over_frame
from flightmesh.ids import ColumnId
from flightmesh.logical.expressions import call_expressions, is_pass
from flightmesh.logical.relations import (
    Aggregate,
    AggregateItem,
    Expand,
    Filter,
    Item,
    Join,
    JoinKind,
    Project,
    Relation,
    Window,
    WindowItem,
    passes,
)
from flightmesh.logical.traversal import inputs, rebuilt
from flightmesh.optimize.context import Context
from flightmesh.optimize.estimate import estimate
from flightmesh.optimize.join_graph import JoinGraph, is_region, join_graph, leaves
from flightmesh.optimize.nullability import never_null
from flightmesh.optimize.order_of_fields import in_order
from flightmesh.optimize.push_filters import filtered_down
from flightmesh.optimize.reduce_aggregates import reduce_aggregates
from flightmesh.optimize.same_rows import SameRows, same_rows
from flightmesh.optimize.work import JOIN, work

OVER_PARTITIONS = frozenset({"sum", "min", "max", "count", "count_star", "avg"})
"""Aggregates that cost little over whole partitions."""

Mapping = dict[ColumnId, Expression]


def aggregates_to_windows(relation: Relation, context: Context) -> Relation:
    """The query with such joins replaced."""
    return _look(relation, False, context)


def _look(node: Relation, inside: bool, context: Context) -> Relation:
    """The relation with such joins replaced; `inside`: it belongs to a region that has been looked at."""
    if isinstance(node, Join) and is_region(node):
        changed = None if inside else _region(node, context)
        if changed is not None:
            return _look(changed, False, context)
        within = (True, node.kind is JoinKind.INNER)
    else:
        is_between = inside and isinstance(node, Project) and all(map(is_pass, node.items))
        within = (is_between, False)
    old = inputs(node)
    if not old:
        return node
    parts = (_look(part, place < 2 and within[place], context) for place, part in enumerate(old))
    return rebuilt(node, tuple(parts))


def _region(root: Relation, context: Context) -> Relation | None:
    """The region with one of its leaves as a window; None where none is to be."""
    if not any(map(_is_grouping, leaves(root))):
        return None
    graph = join_graph(root)
    for place, leaf in enumerate(graph.leaves):
        grouped = None if place in graph.memberships else _grouped(leaf)
        changed = None if grouped is None else _replaced(graph, place, grouped, context)
        if changed is not None:
            return in_order(changed, root.fields)
    return None


def _is_grouping(leaf: Relation) -> bool:
    while isinstance(leaf, Project | Filter):
        leaf = leaf.input
    return isinstance(leaf, Aggregate)


@dataclass(frozen=True, slots=True)
class _Grouped:
    """A grouping, and a leaf's columns and what it keeps of the groups, over the results of the grouping."""

    keys: dict[ColumnId, Column]
    """What each group is of, in the columns of `rows`."""
    aggregates: tuple[AggregateItem, ...]
    rows: Relation
    items: tuple[Item, ...]
    predicates: tuple[Expression, ...]


def _grouped(leaf: Relation) -> _Grouped | None:
    """The leaf as a grouping by columns whose aggregates may be computed over partitions; None where it is none."""
    items = tuple(passes(f.column()) for f in leaf.fields)
    predicates: tuple[Expression, ...] = ()
    while isinstance(leaf, Project | Filter):
        if isinstance(leaf, Filter):
            predicates = (*predicates, *conjuncts(leaf.predicate))
        else:
            made = {i.field.id: i.expression for i in leaf.items}
            items = tuple(Item(i.field, substitute(i.expression, made)) for i in items)
            predicates = tuple(substitute(part, made) for part in predicates)
        leaf = leaf.input
    if not isinstance(leaf, Aggregate) or not leaf.groups or isinstance(leaf.input, Expand):
        return None
    calls = [item.call for item in leaf.aggregates]
    if not calls or any(c.function not in OVER_PARTITIONS or c.distinct or c.order for c in calls):
        return None
    rows: Relation = leaf.input
    computed: Mapping = {}
    while isinstance(rows, Project):
        made = {i.field.id: i.expression for i in rows.items}
        computed = {id_: substitute(e, made) for id_, e in computed.items()} if computed else made
        rows = rows.input
    keys = {g.field.id: substitute(g.expression, computed) for g in leaf.groups}
    columns = {id_: key for id_, key in keys.items() if isinstance(key, Column) and _is_one_value(key.type)}
    if len(columns) < len(keys):
        return None
    aggregates = tuple(_over(item, computed) for item in leaf.aggregates)
    read = [*(i.expression for i in items), *predicates, *(e for item in aggregates for e in call_expressions(item.call))]
    return None if any(map(is_volatile, read)) else _Grouped(columns, aggregates, rows, items, predicates)


def _is_one_value(kind: pa.DataType) -> bool:
    """Whether values that count as equal are alike, so that a row's key may stand for its group's."""
    return not (pa.types.is_floating(kind) or pa.types.is_interval(kind) or pa.types.is_nested(kind))


def _over(item: AggregateItem, computed: Mapping) -> AggregateItem:
    call = item.call
    args = tuple(substitute(arg, computed) for arg in call.args)
    kept = None if call.filter is None else substitute(call.filter, computed)
    return AggregateItem(item.field, replace(call, args=args, filter=kept))


def _replaced(graph: JoinGraph, place: int, grouped: _Grouped, context: Context) -> Relation | None:
    """The region with the grouping at this place as a window over the rows that it groups, if it has those and that pays."""
    if any(map(is_volatile, graph.conjuncts)):
        return None
    same = same_rows(graph, place, grouped.rows)
    if same is None:
        return None
    keys: Mapping = {id_: same.columns[key.id] for id_, key in grouped.keys.items()}
    joined = _joined_columns(graph, place, grouped)
    if any(not _equal(graph, joined.get(id_), key) for id_, key in keys.items()):
        return None
    representative = same.equal | {joined[id_]: same.alike(key) for id_, key in keys.items()}
    parts = _without_known(graph.conjuncts, representative, same.asked)
    window = _window(same, grouped, keys, parts, context)
    others = [leaf for i, leaf in enumerate(graph.leaves) if i not in (place, *same.leaves) and i not in graph.memberships]
    region = _joined([window.relation, *others], (*window.local, *parts))
    for i, member in graph.memberships.items():
        region = Join(region, graph.leaves[i], member.kind, member.condition)
    return region if _pays(graph, place, same, region, context) else None


def _joined_columns(graph: JoinGraph, place: int, grouped: _Grouped) -> dict[ColumnId, ColumnId]:
    """For each group key, the leaf's column that is compared with columns of other leaves."""
    compared = {column.id for members in graph.classes for leaf, column in members if leaf == place}
    found: dict[ColumnId, ColumnId] = {}
    for item in grouped.items:
        if isinstance(item.expression, Column) and item.expression.id in grouped.keys and item.field.id in compared:
            found.setdefault(item.expression.id, item.field.id)
    return found


def _equal(graph: JoinGraph, column: ColumnId | None, other: Expression) -> bool:
    """Whether the region compares two columns as equal."""
    if column is None or not isinstance(other, Column):
        return False
    classes = ({c.id for _, c in members} for members in graph.classes)
    return any(column in members and other.id in members for members in classes)


def _without_known(
    parts: tuple[Expression, ...], representative: Mapping, asked: tuple[Expression, ...]
) -> tuple[Expression, ...]:
    """The conjuncts without those that are asked below, and without equalities of columns that are equal anyway."""
    kept: list[Expression] = []
    for part in parts:
        if part in asked:
            continue
        if isinstance(part, Call) and part.function == "equal" and all(isinstance(a, Column) for a in part.args):
            part = substitute(part, representative)
            if isinstance(part, Call) and part.args[0] == part.args[1]:
                continue
        if part not in kept:
            kept.append(part)
    return tuple(kept)


@dataclass(frozen=True, slots=True)
class _Windowed:
    """The rows with their aggregates, and what is to be kept of them."""

    relation: Relation
    local: tuple[Expression, ...]


def _window(same: SameRows, grouped: _Grouped, keys: Mapping, parts: tuple[Expression, ...], context: Context) -> _Windowed:
    """The rows, each with the aggregates of those that agree with it in the keys, under the columns of both."""
    rows = same.relation
    partition = tuple(dict.fromkeys(keys.values()))
    sure = never_null(rows, context)
    compared = [a for p in parts if isinstance(p, Call) and p.function == "equal" and len(columns_of(p)) == 2 for a in p.args]
    missing = tuple(
        Call("is_not_null", (key,), pa.bool_()) for key in partition if not columns_of(key) <= sure and key not in compared
    )
    made = tuple(_over(item, same.columns) for item in grouped.aggregates)
    items = tuple(WindowItem(item.field, over_frame(item.call, DEFAULT_FRAME, ()), 0) for item in made)
    window = Window(filtered_down(rows, missing), partition, (), items)
    shown = [passes(f.column()) for f in rows.fields]
    for item in grouped.items:
        shown.append(Item(item.field, substitute(item.expression, keys)))
    local = (*same.predicates, *(substitute(part, keys) for part in grouped.predicates))
    return _Windowed(Project(window, tuple(shown)), local)


def _joined(factors: list[Relation], parts: tuple[Expression, ...]) -> Relation:
    """The inputs under the conjuncts, joined as they come: their order is chosen later."""
    product = factors[0]
    for leaf in factors[1:]:
        product = Join(product, leaf, JoinKind.INNER)
    return filtered_down(product, parts)


def _pays(graph: JoinGraph, place: int, same: SameRows, region: Relation, context: Context) -> bool:
    """Whether the window over one reading costs less than the grouping and a second one; both without groups nobody reads."""
    before = replace(graph, leaves=list(graph.leaves))
    reduce_aggregates(before, context)
    after = join_graph(region)
    reduce_aggregates(after, context)
    apart = sum(_joining(before.leaves[i], context) for i in (place, *same.leaves))
    return _joining(after.leaves[0], context) < apart


def _joining(leaf: Relation, context: Context) -> float:
    return work(leaf, context) + JOIN * estimate(leaf, context).rows
