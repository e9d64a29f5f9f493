"""Rule: no column is read that nothing needs.

Handed any query without Applies; hands on one whose scans, projections, groupings, unions and shared relations give only
what is read above them. A column that only a scan's own filters read stands in `filter_only`. A MARK join whose mark nobody
reads, and a LEFT join that can only repeat its left rows as they are, go altogether.
"""

from __future__ import annotations

from dataclasses import replace

from flightmesh.dataclass import dataclass
from flightmesh.expression.nodes import Expression, columns_of
from flightmesh.ids import ColumnId, SharedId
from flightmesh.logical.expressions import call_expressions
from flightmesh.logical.relations import (
    Aggregate,
    Apply,
    Definition,
    Expand,
    Filter,
    Join,
    JoinKind,
    Limit,
    Project,
    Quantifier,
    Recursion,
    Reference,
    Relation,
    Scan,
    SetKind,
    SetOperation,
    Sort,
    Unnest,
    Values,
    Window,
    With,
    Working,
)
from flightmesh.logical.traversal import expressions
from flightmesh.optimize.context import Context
from flightmesh.optimize.keys import binds_key
from flightmesh.optimize.order_of_fields import in_order

Ids = frozenset[ColumnId]


@dataclass(frozen=True, slots=True)
class _Wanted:
    """Columns of shared relations that references read."""

    sources: dict[SharedId, set[ColumnId]]


def prune_columns(relation: Relation, context: Context) -> Relation:
    """The query without unread columns."""
    wanted = _Wanted({})
    if not isinstance(relation, With):
        return _prune(relation, _ids(relation), wanted)
    body = _prune(relation.body, _ids(relation.body), wanted)
    kept: list[Definition] = []
    for old in reversed(relation.definitions):
        if old.id in wanted.sources:
            kept.append(Definition(old.id, old.name, _prune(old.relation, frozenset(wanted.sources[old.id]), wanted)))
    return With(tuple(reversed(kept)), body) if kept else body


def _ids(relation: Relation) -> Ids:
    return frozenset(f.id for f in relation.fields)


def _read(parts: tuple[Expression, ...]) -> Ids:
    return frozenset[ColumnId]().union(*(columns_of(part) for part in parts))


def _prune(node: Relation, required: Ids, wanted: _Wanted) -> Relation:
    match node:
        case Scan():
            return _scan(node, required)
        case Values():
            return node
        case Filter(input=child, predicate=predicate):
            return _over(node, _prune(child, required | columns_of(predicate), wanted))
        case Sort(input=child, keys=keys):
            return _over(node, _prune(child, required | _read(tuple(k.expression for k in keys)), wanted))
        case Limit(input=child):
            return _over(node, _prune(child, required, wanted))
        case Project():
            return _project(node, required, wanted)
        case Join():
            return _join(node, required, wanted)
        case Aggregate():
            return _aggregate(node, required, wanted)
        case Window():
            return _window(node, required, wanted)
        case Expand(input=child, keys=made):
            read = (required & _ids(child)) | _read(tuple(item.expression for item in made))
            return _over(node, _prune(child, read, wanted))
        case Unnest(input=child, lists=lists):
            read = (required & _ids(child)) | _read(tuple(item.expression for item in lists))
            return _over(node, _prune(child, read, wanted))
        case SetOperation():
            return _set_operation(node, required, wanted)
        case Reference():
            return _reference(node, required, wanted)
        case Recursion(seed=seed, step=step):
            # Rows differ by every column, or the step reads them: all columns stay.
            below = _prune(seed, frozenset(node.seed_columns), wanted), _prune(step, frozenset(node.step_columns), wanted)
            return node if below[0] is seed and below[1] is step else replace(node, seed=below[0], step=below[1])
        case Working(fields=fields, places=places):
            pairs = [(f, p) for f, p in zip(fields, places, strict=True) if f.id in required]
            return replace(node, fields=tuple(f for f, _ in pairs), places=tuple(p for _, p in pairs))
        case Apply() | With():
            return node


def _over(node: Filter | Sort | Limit | Expand | Unnest, below: Relation) -> Relation:
    return node if below is node.input else replace(node, input=below)


def _scan(node: Scan, required: Ids) -> Relation:
    every = (*node.fields, *node.filter_only)
    fields = tuple(f for f in node.fields if f.id in required)
    read = _read(node.filters) - required
    extra = tuple(f for f in every if f.id in read)
    if len(fields) == len(node.fields) and extra == node.filter_only:
        return node
    return replace(node, fields=fields, filter_only=extra)


def _project(node: Project, required: Ids, wanted: _Wanted) -> Relation:
    items = tuple(item for item in node.items if item.field.id in required)
    below = _prune(node.input, _read(tuple(item.expression for item in items)), wanted)
    if not items:
        return below
    if len(items) == len(node.items) and below is node.input:
        return node
    return Project(below, items)


def _join(node: Join, required: Ids, wanted: _Wanted) -> Relation:
    left, right = _ids(node.left), _ids(node.right)
    if node.mark is not None and node.mark.id not in required:
        return _prune(node.left, required, wanted)
    if node.kind is JoinKind.LEFT and not required & right and binds_key(node, node.right):
        return _prune(node.left, required, wanted)
    read = required if node.condition is None else required | columns_of(node.condition)
    new_left, new_right = _prune(node.left, read & left, wanted), _prune(node.right, read & right, wanted)
    if new_left is node.left and new_right is node.right:
        return node
    return replace(node, left=new_left, right=new_right)


def _aggregate(node: Aggregate, required: Ids, wanted: _Wanted) -> Relation:
    kept = tuple(a for a in node.aggregates if a.field.id in required)
    if not kept and not node.groups:
        kept = node.aggregates[:1]
    read = _read((*(g.expression for g in node.groups), *(e for a in kept for e in call_expressions(a.call))))
    below = _prune(node.input, read, wanted)
    if below is node.input and len(kept) == len(node.aggregates):
        return node
    return Aggregate(below, node.groups, kept)


def _window(node: Window, required: Ids, wanted: _Wanted) -> Relation:
    kept = tuple(item for item in node.items if item.field.id in required)
    if not kept:
        return _prune(node.input, required, wanted)
    most = max(item.keys for item in kept)
    changed = node if len(kept) == len(node.items) else replace(node, order=node.order[:most], items=kept)
    made = frozenset(item.field.id for item in kept)
    below = _prune(node.input, (required - made) | _read(expressions(changed)), wanted)
    return changed if below is changed.input else replace(changed, input=below)


def _set_operation(node: SetOperation, required: Ids, wanted: _Wanted) -> Relation:
    places = list(range(len(node.fields)))
    if node.kind is SetKind.UNION and node.quantifier is Quantifier.ALL:
        places = [i for i in places if node.fields[i].id in required] or places[:1]
    parts = []
    for part in node.inputs:
        fields = tuple(part.fields[i] for i in places)
        parts.append(in_order(_prune(part, frozenset(f.id for f in fields), wanted), fields))
    return replace(node, inputs=tuple(parts), fields=tuple(node.fields[i] for i in places))


def _reference(node: Reference, required: Ids, wanted: _Wanted) -> Relation:
    pairs = [(f, s) for f, s in zip(node.fields, node.sources, strict=True) if f.id in required]
    wanted.sources.setdefault(node.shared, set()).update(s for _, s in pairs)
    if len(pairs) == len(node.fields):
        return node
    return replace(node, fields=tuple(f for f, _ in pairs), sources=tuple(s for _, s in pairs))
