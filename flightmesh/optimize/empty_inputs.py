"""Rule: what is computed from no rows is not computed.

Handed a query in which some filter proved false (an empty Values); hands on one where what follows from it is said: an
inner join with nothing is nothing, an anti join with nothing keeps every row, a union leaves empty inputs out. A grouping
without keys still gives its one row.
"""

from __future__ import annotations

from dataclasses import replace

import pyarrow as pa

from flightmesh.expression.nodes import Field, Literal
from flightmesh.logical.relations import (
    Aggregate,
    Expand,
    Filter,
    Item,
    Join,
    JoinKind,
    Limit,
    Project,
    Quantifier,
    Relation,
    SetKind,
    SetOperation,
    Sort,
    Unnest,
    Values,
    Window,
    passes,
)
from flightmesh.logical.traversal import rewrite_up, walk
from flightmesh.optimize.context import Context
from flightmesh.optimize.simplify import empty

NOTHING_WITHOUT_LEFT = (JoinKind.INNER, JoinKind.LEFT, JoinKind.SEMI, JoinKind.ANTI, JoinKind.SINGLE, JoinKind.MARK)
NOTHING_WITHOUT_RIGHT = (JoinKind.INNER, JoinKind.RIGHT, JoinKind.SEMI)


def remove_empty_inputs(relation: Relation, context: Context) -> Relation:
    """The query without what comes to nothing."""
    if not any(is_empty(node) for node in walk(relation)):
        return relation
    return rewrite_up(relation, _node)


def is_empty(node: Relation) -> bool:
    """A Values without rows."""
    return isinstance(node, Values) and node.rows.num_rows == 0


def _node(node: Relation) -> Relation:
    match node:
        case Filter(input=child) | Project(input=child) | Sort(input=child) | Limit(input=child) if is_empty(child):
            return empty(node)
        case Window(input=child) if is_empty(child):
            return empty(node)
        case Aggregate(input=child, groups=groups) if groups and is_empty(child):
            return empty(node)
        case Expand(input=child, present=None) if is_empty(child):
            return empty(node)
        case Unnest(input=child) if is_empty(child):
            return empty(node)
        case Join() if is_empty(node.left) or is_empty(node.right):
            return _join(node)
        case SetOperation(kind=SetKind.UNION, quantifier=Quantifier.ALL, inputs=parts) if any(map(is_empty, parts)):
            return _union(node, tuple(part for part in parts if not is_empty(part)))
        case _:
            return node


def _join(node: Join) -> Relation:
    no_left, no_right = is_empty(node.left), is_empty(node.right)
    if (no_left and node.kind in NOTHING_WITHOUT_LEFT) or (no_right and node.kind in NOTHING_WITHOUT_RIGHT):
        return empty(node)
    if no_left and no_right:
        return empty(node)
    if no_left:
        return _padded(node.right, node.left.fields, node.fields)
    match node.kind:
        case JoinKind.ANTI:
            return node.left
        case JoinKind.MARK if node.mark is not None:
            passed = tuple(passes(f.column()) for f in node.left.fields)
            return Project(node.left, (*passed, Item(node.mark, Literal(pa.scalar(False)))))
        case _:
            return _padded(node.left, node.right.fields, node.fields)


def _padded(kept: Relation, missing: tuple[Field, ...], order: tuple[Field, ...]) -> Relation:
    """The kept side of an outer join with NULLs for the other."""
    nulls = {f.id: Item(Field(f.id, f.name, f.type), Literal(pa.scalar(None, f.type))) for f in missing}
    return Project(kept, tuple(nulls.get(f.id) or passes(f.column()) for f in order))


def _union(node: SetOperation, parts: tuple[Relation, ...]) -> Relation:
    if not parts:
        return empty(node)
    if len(parts) > 1:
        return replace(node, inputs=parts)
    (only,) = parts
    return Project(only, tuple(Item(f, s.column()) for f, s in zip(node.fields, only.fields, strict=True)))
