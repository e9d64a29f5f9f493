"""Rule: an inner join for a reader that does not count rows, and reads one side only, is a semi join.

Below a SEMI, ANTI or MARK join's right side, a DISTINCT, or aggregates that repetition does not change, a row that comes ten
times is as good as once. Handed a query without Applies; hands on one where such a join, if it is expected to repeat rows, only
asks whether there is a partner. What always holds: a shared relation is treated so only if all of its readers are blind.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import field, replace

from flightmesh.dataclass import dataclass
from flightmesh.expression.nodes import Expression, columns_of
from flightmesh.ids import ColumnId, SharedId
from flightmesh.logical.relations import (
    Aggregate,
    Definition,
    Filter,
    Join,
    JoinKind,
    Project,
    Quantifier,
    Reference,
    Relation,
    SetKind,
    SetOperation,
    With,
)
from flightmesh.logical.traversal import expressions, inputs, rebuilt
from flightmesh.optimize.context import Context
from flightmesh.optimize.estimate import estimate
from flightmesh.optimize.order_of_fields import in_order
from flightmesh.optimize.redundant_aggregates import BLIND_TO_REPETITION

Ids = frozenset[ColumnId]

REPEATS = 1.2
"""Rows of the join for each row of the side that is read, from which on it is expected to repeat them."""

ASKS_ONLY = (JoinKind.SEMI, JoinKind.ANTI, JoinKind.MARK)


def joins_to_semi_joins(relation: Relation, context: Context) -> Relation:
    """The query with fewer repeated rows."""
    seeing = _Seeing(context)
    if not isinstance(relation, With):
        return seeing.all_rows(relation)
    body = seeing.all_rows(relation.body)
    kept: list[Definition] = []
    for old in reversed(relation.definitions):
        read = seeing.readers.get(old.id)
        changed = seeing.all_rows(old.relation) if read is None else seeing.blind(old.relation, frozenset(read))
        kept.insert(0, old if changed is old.relation else Definition(old.id, old.name, changed))
    same = body is relation.body and all(a is b for a, b in zip(kept, relation.definitions, strict=True))
    return relation if same else With(tuple(kept), body)


@dataclass(slots=True)
class _Seeing:
    """`readers`: for each shared relation that only blind readers have been seen of, its columns that they read; None for one
    with a reader that counts rows."""

    context: Context
    readers: dict[SharedId, set[ColumnId] | None] = field(default_factory=dict)

    def all_rows(self, node: Relation) -> Relation:
        """A relation whose rows are counted."""
        match node:
            case Reference():
                self.readers[node.shared] = None
                return node
            case Aggregate() if _is_blind(node):
                return rebuilt(node, (self.blind(node.input, _read(expressions(node))),))
            case Join(kind=kind) if kind in ASKS_ONLY:
                return rebuilt(node, (self.all_rows(node.left), self._asked(node)))
            case _:
                return rebuilt(node, tuple(self.all_rows(part) for part in inputs(node)))

    def _asked(self, node: Join) -> Relation:
        return self.blind(node.right, _read(expressions(node)))

    def blind(self, node: Relation, required: Ids) -> Relation:
        """A relation of which only the different rows of the `required` columns matter."""
        match node:
            case Reference():
                self._note(node)
                return node
            case Filter(input=child):
                return rebuilt(node, (self.blind(child, required | columns_of(node.predicate)),))
            case Project(input=child, items=items):
                return rebuilt(node, (self.blind(child, _read(i.expression for i in items if i.field.id in required)),))
            case SetOperation(kind=SetKind.UNION, quantifier=Quantifier.ALL):
                return rebuilt(node, tuple(self._arm(part) for part in node.inputs))
            case Join(kind=JoinKind.INNER):
                return self._inner(node, required)
            case Join(kind=JoinKind.LEFT):
                read = required | _read(expressions(node))
                return rebuilt(node, (self.blind(node.left, read), self.blind(node.right, read)))
            case Join(kind=kind) if kind in ASKS_ONLY:
                read = required | _read(expressions(node))
                return rebuilt(node, (self.blind(node.left, read), self._asked(node)))
            case _:
                return self.all_rows(node)

    def _note(self, node: Reference) -> None:
        known = self.readers.setdefault(node.shared, set())
        if known is not None:
            known.update(node.sources)

    def _arm(self, part: Relation) -> Relation:
        """An input of a union, which reads it by place."""
        return in_order(self.blind(part, frozenset(f.id for f in part.fields)), part.fields)

    def _inner(self, node: Join, required: Ids) -> Relation:
        """The join as a SEMI join where one side is not read and repeats the rows of the other."""
        read = required | _read(expressions(node))
        for kept, asked in ((node.left, node.right), (node.right, node.left)):
            unread = required.isdisjoint(f.id for f in asked.fields)
            if unread and node.condition is not None and self._repeats(node, kept):
                semi = Join(self.blind(kept, read), asked, JoinKind.SEMI, node.condition)
                return replace(semi, right=self._asked(semi))
        return rebuilt(node, (self.blind(node.left, read), self.blind(node.right, read)))

    def _repeats(self, node: Join, kept: Relation) -> bool:
        return estimate(node, self.context).rows > REPEATS * estimate(kept, self.context).rows


def _is_blind(node: Aggregate) -> bool:
    return all(item.call.distinct or item.call.function in BLIND_TO_REPETITION for item in node.aggregates)


def _read(parts: Iterable[Expression]) -> Ids:
    return frozenset[ColumnId]().union(*(columns_of(part) for part in parts))
