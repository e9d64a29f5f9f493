"""Rule: a mark that only filters becomes a SEMI or an ANTI join.

`Filter mark` over a MARK join keeps the rows with a match: SEMI. `Filter not mark` keeps those without: ANTI, unless the
mark can be NULL (`NOT IN` over columns that may hold NULLs), which stays a MARK join for the null-aware kernel.
"""

from __future__ import annotations

from dataclasses import replace

from flightmesh.expression.nodes import Call, Column, Expression, Field, conjunction, conjuncts, walk
from flightmesh.expression.properties import null_rejecting
from flightmesh.ids import ColumnId
from flightmesh.logical.relations import Apply, Filter, Join, JoinKind, Project, Recursion, Relation, SetOperation
from flightmesh.logical.traversal import expressions, inputs, rewrite_up, with_inputs
from flightmesh.logical.traversal import walk as walk_relations
from flightmesh.optimize.context import Context
from flightmesh.optimize.nullability import Ids, may_be_null, never_null


def marks_to_semi_joins(relation: Relation, context: Context) -> Relation:
    """Every mark that is read once, by a filter's conjunct, removed."""
    marks = {n.mark.id for n in walk_relations(relation) if isinstance(n, Join | Apply) and n.mark is not None}
    if not marks:
        return relation
    uses = _uses(relation, marks)
    once = {mark for mark in marks if uses[mark] == 1}
    return rewrite_up(relation, lambda node: _filter(node, once, context) if isinstance(node, Filter) else node)


def _uses(relation: Relation, marks: set[ColumnId]) -> dict[ColumnId, int]:
    uses = dict.fromkeys(marks, 0)

    def count(fields: tuple[Field, ...]) -> None:
        for field in fields:
            if field.id in uses:
                uses[field.id] += 2

    count(relation.fields)
    for node in walk_relations(relation):
        if isinstance(node, SetOperation):
            for part in node.inputs:
                count(part.fields)
        if isinstance(node, Recursion):
            count(node.seed.fields)
            count(node.step.fields)
        for expression in expressions(node):
            for part_ in walk(expression):
                if isinstance(part_, Column) and part_.id in uses:
                    uses[part_.id] += 1
    return uses


def _filter(node: Filter, once: set[ColumnId], context: Context) -> Relation:
    below: Relation = node.input
    kept: list[Expression] = []
    parts = conjuncts(node.predicate)
    # Rows where these are NULL go whatever their mark is.
    sure = frozenset(f.id for f in below.fields if any(null_rejecting(part, (f.id,)) for part in parts))
    for part in parts:
        changed = None
        match part:
            case Column(id=id_) if id_ in once:
                changed = _replace_mark(below, id_, JoinKind.SEMI, sure, context)
            case Call(function="not", args=(Column(id=id_),)) if id_ in once:
                changed = _replace_mark(below, id_, JoinKind.ANTI, sure, context)
        if changed is None:
            kept.append(part)
        else:
            below = changed
    if below is node.input:
        return node
    predicate = conjunction(tuple(kept))
    return below if predicate is None else Filter(below, predicate)


def _replace_mark(node: Relation, mark: ColumnId, kind: JoinKind, sure: Ids, context: Context) -> Relation | None:
    """The relation with the join that makes `mark` as `kind`; None where it cannot be, or is not found on the left spine."""
    match node:
        case Join() | Apply() if node.mark is not None and node.mark.id == mark:
            if kind is JoinKind.ANTI and not _two_valued(node, sure, context):
                return None
            return replace(node, kind=kind, mark=None)
        case Join(kind=JoinKind.RIGHT | JoinKind.FULL):
            return None
        case Join() | Apply() | Filter():
            parts = inputs(node)
            changed = _replace_mark(parts[0], mark, kind, sure, context)
            return None if changed is None else with_inputs(node, (changed, *parts[1:]))
        case Project(items=items) if any(i.field.id == mark for i in items):
            changed = _replace_mark(node.input, mark, kind, sure, context)
            if changed is None:
                return None
            return replace(node, input=changed, items=tuple(i for i in items if i.field.id != mark))
        case _:
            return None


def _two_valued(node: Join | Apply, sure: Ids, context: Context) -> bool:
    """Whether the mark cannot be NULL: no condition (EXISTS), or one that is never NULL over these sides."""
    if node.condition is None:
        return True
    sure = sure | never_null(node.left, context) | never_null(node.right, context)
    return not may_be_null(node.condition, sure)
