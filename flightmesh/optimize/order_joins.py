"""Rule: joins in the cheapest order.

Handed a query whose filters are pushed down; hands on one whose regions of inner, semi and anti joins are ordered by cost
(`join_search`), the smaller side on the right, where the planner builds. Outer joins, groupings and the like stay where
they are and are leaves of a region.
"""

from __future__ import annotations

from flightmesh.expression.nodes import columns_of, conjunction
from flightmesh.logical.relations import Definition, Join, JoinKind, Relation, SetOperation, With
from flightmesh.logical.traversal import inputs, with_inputs
from flightmesh.optimize.context import Context
from flightmesh.optimize.estimate import estimate
from flightmesh.optimize.join_graph import JoinGraph, bits, is_region, join_graph
from flightmesh.optimize.join_search import Sized, Tree, search
from flightmesh.optimize.order_of_fields import in_order
from flightmesh.optimize.push_filters import above, filtered_down
from flightmesh.optimize.reduce_aggregates import reduce_aggregates


def order_joins(relation: Relation, context: Context) -> Relation:
    """The query with its joins ordered."""
    if isinstance(relation, With):
        made = []
        for definition in relation.definitions:
            changed = in_order(_order(definition.relation, context), definition.relation.fields)
            made.append(Definition(definition.id, definition.name, changed))
            context.shared[definition.id] = changed
        return With(tuple(made), in_order(_order(relation.body, context), relation.body.fields))
    return in_order(_order(relation, context), relation.fields)


def _order(node: Relation, context: Context) -> Relation:
    if is_region(node):
        return _region(node, context)
    old = inputs(node)
    if not old:
        return node
    new = tuple(_order(part, context) for part in old)
    if isinstance(node, SetOperation):
        new = tuple(in_order(n, o.fields) for n, o in zip(new, old, strict=True))
    if any(a is not b for a, b in zip(old, new, strict=True)):
        node = with_inputs(node, new)
    return node


def _region(node: Relation, context: Context) -> Relation:
    graph = join_graph(node)
    reduce_aggregates(graph, context)
    graph.leaves = [filtered_down(_order(leaf, context), tuple(graph.local.get(i, ()))) for i, leaf in enumerate(graph.leaves)]
    read = frozenset(c.id for members in graph.classes for _, c in members)
    read = read.union(*(columns_of(p.expression) for p in graph.predicates))
    read = read.union(*(columns_of(m.condition) for m in graph.memberships.values()))
    sizes = []
    for leaf in graph.leaves:
        known = estimate(leaf, context)
        sizes.append(Sized(known.rows, {i: c for i, c in known.columns.items() if i in read}))
    planner = context.config.planner
    tree = search(graph, sizes, planner.join_search_relations, planner.share_builds)
    return above(_build(tree, graph), tuple(graph.above))


def _build(tree: Tree, graph: JoinGraph) -> Relation:
    if tree.left is None or tree.right is None:
        return graph.leaves[bits(tree.leaves)[0]]
    left, right = _build(tree.left, graph), _build(tree.right, graph)
    member = None
    if tree.right.left is None:
        member = graph.memberships.get(bits(tree.right.leaves)[0])
    if member is not None:
        return Join(left, right, member.kind, member.condition)
    return Join(left, right, JoinKind.INNER, conjunction(tuple(graph.between(tree.left.leaves, tree.right.leaves))))
