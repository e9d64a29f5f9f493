"""Rule: every dependent join becomes an ordinary one.

Handed a query with Applies; hands on one without. Innermost first: an Apply whose right side can be freed of its
correlation by pulling predicates up (`pulling`) becomes a join on them; what cannot, and stands in no other Apply, is
computed over a domain (`domain`); what cannot and does stand in another waits until that one has been turned.
"""

from __future__ import annotations

from dataclasses import replace

import pyarrow as pa

from flightmesh.errors import InternalError
from flightmesh.expression.nodes import (
    Call,
    Case,
    Column,
    Expression,
    Field,
    Literal,
    When,
    columns_of,
    conjunction,
    conjuncts,
    substitute,
)
from flightmesh.ids import ColumnId
from flightmesh.logical.expressions import free_columns, renamed
from flightmesh.logical.relations import (
    Apply,
    Definition,
    Filter,
    Item,
    Join,
    JoinKind,
    Project,
    Relation,
    SetOperation,
    With,
    passes,
)
from flightmesh.logical.traversal import inputs, rewrite_up, walk, with_inputs
from flightmesh.optimize.context import Context
from flightmesh.optimize.domain import unnest_by_domain
from flightmesh.optimize.folded_lists import folded_lists
from flightmesh.optimize.keys import at_most_one_row, exactly_one_row
from flightmesh.optimize.nullability import may_be_null, never_null
from flightmesh.optimize.order_of_fields import in_order
from flightmesh.optimize.ordered_calls import in_input_order
from flightmesh.optimize.over_left import over_left
from flightmesh.optimize.pulling import Pulled, pull, without_limit
from flightmesh.optimize.sharing import Sharing

MEMBERSHIP = (JoinKind.SEMI, JoinKind.ANTI, JoinKind.MARK)
TRUE = Literal(pa.scalar(True))
FALSE = Literal(pa.scalar(False))


def decorrelate(relation: Relation, context: Context) -> Relation:
    """The query without any Apply."""
    if not any(isinstance(node, Apply) for node in walk(relation)):
        return relation
    sharing = Sharing.of(relation, context)
    body = relation
    if isinstance(relation, With):
        for old in relation.definitions:
            changed = _whole(old.relation, sharing)
            sharing.definitions.append(Definition(old.id, old.name, changed))
        body = relation.body
    return sharing.finish(in_order(_whole(body, sharing), body.fields))


def _whole(relation: Relation, sharing: Sharing) -> Relation:
    """Turns Applies until none is left: each pass turns at least the outermost ones."""
    while any(isinstance(node, Apply) for node in walk(relation)):
        relation = _unnest(relation, sharing)
    return relation


def _unnest(node: Relation, sharing: Sharing) -> Relation:
    old = inputs(node)
    if old:
        new = tuple(_unnest(part, sharing) for part in old)
        if isinstance(node, SetOperation):
            new = tuple(in_order(n, o.fields) for n, o in zip(new, old, strict=True))
        if any(a is not b for a, b in zip(old, new, strict=True)):
            node = with_inputs(node, new)
    return _turn(node, sharing) if isinstance(node, Apply) else node


def _turn(node: Apply, sharing: Sharing) -> Relation:
    if node.kind in MEMBERSHIP and node.condition is None:
        node = replace(node, right=without_limit(node.right))
    if node.kind is JoinKind.SINGLE and at_most_one_row(node.right):
        node = replace(node, kind=JoinKind.LEFT)
    outer = frozenset(f.id for f in node.left.fields)
    if not free_columns(node.right) & outer:
        return Join(node.left, node.right, node.kind, node.condition, node.mark, node.at)
    ordered = rewrite_up(node.right, lambda part: in_input_order(part, sharing.context))
    node = node if ordered is node.right else replace(node, right=ordered)
    over = over_left(node) or folded_lists(node, sharing.context)
    if over is not None:
        return over
    pulled = pull(node.right, outer, sharing.context)
    if pulled is not None:
        joined = (
            _join_scalar(node, pulled, sharing.context) if pulled.defaults is not None else _join(node, pulled, sharing.context)
        )
        if joined is not None:
            return joined
    if free_columns(node):
        return node
    if node.kind is JoinKind.LEFT and node.condition is None and exactly_one_row(node.right):
        node = replace(node, kind=JoinKind.INNER)
    # The left side becomes a shared relation, which no later pass enters: what waits in it is turned now.
    return unnest_by_domain(replace(node, left=_whole(node.left, sharing)), sharing)


def _join(node: Apply, pulled: Pulled, context: Context) -> Relation | None:
    """The Apply as a join on its condition and the pulled predicates; None when padded rows would need computed columns."""
    given = tuple(substitute(part, pulled.deferred) for part in conjuncts(node.condition))
    right = pulled.relation
    deferred = pulled.deferred
    match node.kind:
        case JoinKind.MARK:
            right, tied = _two_valued(node, pulled, context)
            return Join(node.left, right, node.kind, conjunction((*given, *tied)), node.mark)
        case JoinKind.SEMI | JoinKind.ANTI:
            return Join(node.left, right, node.kind, conjunction((*given, *pulled.predicates)))
        case JoinKind.INNER:
            joined = Join(node.left, right, node.kind, conjunction((*given, *pulled.predicates)))
            return joined if not deferred else _compute(joined, node, deferred)
        case JoinKind.LEFT | JoinKind.SINGLE:
            if deferred:
                return None
            return Join(node.left, right, node.kind, conjunction((*given, *pulled.predicates)), at=node.at)
        case JoinKind.RIGHT | JoinKind.FULL:
            raise InternalError(f"a dependent join cannot be {node.kind.value}")


def _compute(joined: Relation, node: Apply, deferred: dict[ColumnId, Expression]) -> Relation:
    items = [passes(f.column()) for f in node.left.fields]
    for field in node.right.fields:
        items.append(Item(field, deferred[field.id]) if field.id in deferred else passes(field.column()))
    return Project(joined, tuple(items))


def _two_valued(node: Apply, pulled: Pulled, context: Context) -> tuple[Relation, list[Expression]]:
    """The pulled predicates so that they are never NULL: a MARK join's condition is three-valued, a filter is not."""
    sure = never_null(node.left, context) | never_null(pulled.relation, context)
    inside = frozenset(f.id for f in pulled.relation.fields)
    right = pulled.relation
    tied: list[Expression] = []
    for part in pulled.predicates:
        if not may_be_null(part, sure):
            tied.append(part)
        elif isinstance(part, Call) and part.function == "equal" and _splits(part, inside):
            mine = next(a for a in part.args if columns_of(a) <= inside)
            right = Filter(right, Call("is_not_null", (mine,), pa.bool_()))
            tied.append(replace(part, function="is_not_distinct_from"))
        else:
            tied.append(Call("coalesce", (part, FALSE), pa.bool_()))
    return right, tied


def _splits(part: Call, inside: frozenset[ColumnId]) -> bool:
    """Whether one argument reads only the right side and the other only the left."""
    a, b = (columns_of(arg) for arg in part.args)
    return (a <= inside and not b & inside) or (b <= inside and not a & inside)


def _join_scalar(node: Apply, pulled: Pulled, context: Context) -> Relation | None:
    """For a global aggregate: exactly one row for each left row, made up where the group is missing."""
    if node.condition is not None and node.kind in (JoinKind.SINGLE, JoinKind.LEFT):
        return None
    joined = _with_defaults(node, pulled, context)
    condition = node.condition
    passed = tuple(passes(f.column()) for f in node.left.fields)
    match node.kind:
        case JoinKind.SINGLE | JoinKind.LEFT:
            return joined
        case JoinKind.INNER:
            return joined if condition is None else Filter(joined, condition)
        case JoinKind.SEMI:
            return node.left if condition is None else Project(Filter(joined, condition), passed)
        case JoinKind.ANTI:
            kept = FALSE if condition is None else Call("coalesce", (Call("not", (condition,), pa.bool_()), TRUE), pa.bool_())
            return Filter(node.left, FALSE) if condition is None else Project(Filter(joined, kept), passed)
        case _:
            if node.mark is None:
                raise InternalError(f"a dependent join cannot be {node.kind.value}")
            return Project(joined, (*passed, Item(node.mark, TRUE if condition is None else condition)))


def _with_defaults(node: Apply, pulled: Pulled, context: Context) -> Relation:
    defaults = {
        id_: value for id_, value in (pulled.defaults or {}).items() if not (isinstance(value, Literal) and value.is_null)
    }
    condition = conjunction(pulled.predicates)
    if not defaults:
        return Join(node.left, pulled.relation, JoinKind.LEFT, condition)
    names = {id_: context.ids.fresh() for id_ in defaults}
    right = renamed(pulled.relation, names)
    sure = never_null(right, context)
    marker = None
    if any(new not in sure for new in names.values()):
        marker = Field(context.ids.fresh(), "present", pa.bool_())
        right = Project(right, (*(passes(f.column()) for f in right.fields), Item(marker, TRUE)))
    items = [passes(f.column()) for f in node.left.fields]
    for field in node.right.fields:
        if field.id not in defaults:
            items.append(passes(Column(field.id, field.name, field.type)))
            continue
        inner = Column(names[field.id], field.name, field.type)
        items.append(Item(field, _default(inner, defaults[field.id], marker if names[field.id] not in sure else None)))
    return Project(Join(node.left, right, JoinKind.LEFT, condition), tuple(items))


def _default(inner: Column, value: Expression, marker: Field | None) -> Expression:
    if marker is None:
        return Call("coalesce", (inner, value), inner.type)
    missing = Call("is_null", (marker.column(),), pa.bool_())
    return Case((When(missing, value),), inner, inner.type)
