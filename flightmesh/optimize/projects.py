"""Rule: projections over projections become one, projections that change nothing go.

Handed any query; hands on one where a Project computes something, renames, or fixes the order of columns for a reader by
position (the client, a set operation). An expression that is read twice is not computed twice: such projections stay apart.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from flightmesh.expression.nodes import Column, Literal, substitute, walk
from flightmesh.expression.properties import is_volatile
from flightmesh.ids import ColumnId
from flightmesh.logical.expressions import is_pass
from flightmesh.logical.relations import Definition, Filter, Item, Limit, Project, Relation, SetOperation, Sort, With
from flightmesh.logical.traversal import inputs, rebuilt
from flightmesh.optimize.context import Context
from flightmesh.optimize.order_of_fields import in_order


def merge_projects(relation: Relation, context: Context) -> Relation:
    """The query with the fewest projections."""
    if isinstance(relation, With):
        definitions = tuple(Definition(d.id, d.name, _by_id(d.relation)) for d in relation.definitions)
        return With(definitions, _by_position(relation.body))
    return _by_position(relation)


def _by_position(node: Relation) -> Relation:
    """For a reader by position: exactly these columns in this order."""
    match node:
        case Project():
            merged = _merged(node)
            below = _by_id(merged.input)
            if _passes_all(merged) and [f.id for f in merged.fields] == [f.id for f in below.fields]:
                return below
            return merged if below is merged.input else replace(merged, input=below)
        case Filter(input=child) | Sort(input=child) | Limit(input=child):
            below = _by_position(child)
            return node if below is child else replace(node, input=below)
        case _:
            return in_order(_inside(node), node.fields)


def _by_id(node: Relation) -> Relation:
    """For a reader by id: more columns, or another order, do no harm."""
    match node:
        case Project():
            merged = _merged(node)
            below = _by_id(merged.input)
            if _passes_all(merged):
                return below
            return merged if below is merged.input else replace(merged, input=below)
        case _:
            return _inside(node)


def _inside(node: Relation) -> Relation:
    old = inputs(node)
    if not old:
        return node
    turn = _by_position if isinstance(node, SetOperation) else _by_id
    new = tuple(turn(part) for part in old)
    return rebuilt(node, new)


def _passes_all(node: Project) -> bool:
    return all(is_pass(item) for item in node.items)


def _merged(node: Project) -> Project:
    """The projection with those right below it taken in, as far as nothing is computed twice."""
    while isinstance(node.input, Project):
        inner = node.input
        computed = {item.field.id: item.expression for item in inner.items}
        uses: Counter[ColumnId] = Counter()
        for item in node.items:
            uses.update(part.id for part in walk(item.expression) if isinstance(part, Column))
        repeated = [id_ for id_, count in uses.items() if count > 1 and not isinstance(computed[id_], Column | Literal)]
        if repeated or any(is_volatile(expression) for expression in computed.values()):
            return node
        node = Project(inner.input, tuple(Item(i.field, substitute(i.expression, computed)) for i in node.items))
    return node
