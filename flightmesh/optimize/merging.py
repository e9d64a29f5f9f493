"""Two relations that compute the same become one.

Handed two relations; hands on one that gives the columns of both, and which of its columns stands for each of the second's; or
None where they are not the same. The same means: the same rows of the same tables under the same predicates, joined and grouped
alike. The columns that are read, the expressions that are projected and the aggregates of a grouping may differ: the merged
relation has those of both. What always holds: the columns of the first keep their ids; nothing volatile is merged.
"""

from __future__ import annotations

from dataclasses import field, replace

from flightmesh.dataclass import dataclass
from flightmesh.expression.exactness import float_signs
from flightmesh.expression.nodes import AggregateCall, Column, Expression, Field, SortKey, conjuncts, substitute
from flightmesh.expression.properties import is_volatile
from flightmesh.ids import ColumnId
from flightmesh.logical.expressions import call_expressions, with_expressions
from flightmesh.logical.relations import (
    Aggregate,
    AggregateItem,
    Filter,
    Item,
    Join,
    Limit,
    Project,
    Reference,
    Relation,
    Scan,
    SetOperation,
    Sort,
    Values,
    Window,
    WindowItem,
    passes,
)
from flightmesh.logical.traversal import expressions

Names = dict[ColumnId, ColumnId]


def merge(first: Relation, second: Relation) -> tuple[Relation, Names] | None:
    """(the merged relation, its column for each column of the second)."""
    merging = _Merging()
    merged = merging.merge(first, second)
    return None if merged is None else (merged, merging.names)


@dataclass(slots=True)
class _Merging:
    """`names`: the merged relation's column for each column of the second; `columns`: the same as expressions."""

    names: Names = field(default_factory=dict)
    columns: dict[ColumnId, Expression] = field(default_factory=dict)

    def merge(self, a: Relation, b: Relation) -> Relation | None:
        """One relation with the columns of both, or None."""
        match a, b:
            case (Project(), _) | (_, Project()):
                return self._project(a, b)
            case Scan(), Scan():
                return self._scan(a, b)
            case Filter(), Filter():
                below = self.merge(a.input, b.input)
                same = below is not None and self._agree(conjuncts(a.predicate), conjuncts(b.predicate))
                return replace(a, input=below) if below is not None and same else None
            case Join(), Join():
                return self._join(a, b)
            case Aggregate(), Aggregate():
                return self._aggregate(a, b)
            case Window(), Window():
                return self._window(a, b)
            case SetOperation(), SetOperation():
                return self._set_operation(a, b)
            case Reference(), Reference():
                return self._reference(a, b)
            case Sort(), Sort():
                below = self.merge(a.input, b.input)
                same = below is not None and a.keys == self._keys(b.keys) and not _any_volatile(a)
                return replace(a, input=below) if below is not None and same else None
            case Limit(), Limit():
                below = self.merge(a.input, b.input) if (a.count, a.offset) == (b.count, b.offset) else None
                return None if below is None else replace(a, input=below)
            case Values(), Values():
                same = [f.type for f in a.fields] == [f.type for f in b.fields] and _same_rows(a, b)
                return self._by_place(a, b) if same else None
            case _:
                return None

    def _name(self, b: Field, a: Field) -> None:
        self.names[b.id] = a.id
        self.columns[b.id] = a.column()

    def _by_place(self, a: Values | SetOperation, b: Values | SetOperation) -> Relation:
        for mine, other in zip(a.fields, b.fields, strict=True):
            self._name(other, mine)
        return a

    def _of_first(self, expression: Expression) -> Expression:
        return substitute(expression, self.columns)

    def _keys(self, keys: tuple[SortKey, ...]) -> tuple[SortKey, ...]:
        return tuple(replace(key, expression=self._of_first(key.expression)) for key in keys)

    def _agree(self, of_first: tuple[Expression, ...], of_second: tuple[Expression, ...]) -> bool:
        """Whether two conjunctions are the same, in whatever order."""
        if len(of_first) != len(of_second) or any(map(is_volatile, of_first)):
            return False
        translated = [self._of_first(part) for part in of_second]
        return all(part in translated for part in of_first) and all(part in of_first for part in translated)

    def _scan(self, a: Scan, b: Scan) -> Relation | None:
        if (a.table is not b.table and a.table != b.table) or a.limit is not None or b.limit is not None:
            return None
        own = {f.name: f for f in (*a.fields, *a.filter_only)}
        every = (*b.fields, *b.filter_only)
        for other in every:
            self._name(other, own.get(other.name, other))
        if not self._agree(a.filters, b.filters):
            return None
        shown = {f.name for f in a.fields}
        added = tuple(own.get(f.name, f) for f in b.fields if f.name not in shown)
        return replace(a, fields=(*a.fields, *added)) if added else a

    def _project(self, a: Relation, b: Relation) -> Relation | None:
        """A projection on one side only is as one that passes everything on the other."""
        below = self.merge(a.input if isinstance(a, Project) else a, b.input if isinstance(b, Project) else b)
        if below is None:
            return None
        items = list(a.items) if isinstance(a, Project) else [passes(f.column()) for f in below.fields]
        theirs = b.items if isinstance(b, Project) else tuple(passes(f.column()) for f in b.fields)
        if any(is_volatile(item.expression) for item in (*items, *theirs)):
            return None
        for item in theirs:
            if not self._added(item, items):
                return None
        return Project(below, tuple(items))

    def _added(self, item: Item, items: list[Item]) -> bool:
        """Finds the second's item among the items, or adds it."""
        made = self._of_first(item.expression)
        known = next((i for i in items if i.expression == made), None)
        if known is None:
            target = Field(made.id, made.name, made.type, made.nullable) if isinstance(made, Column) else item.field
            if any(i.field.id == target.id for i in items):
                return False
            known = Item(target, made)
            items.append(known)
        self._name(item.field, known.field)
        return True

    def _join(self, a: Join, b: Join) -> Relation | None:
        if a.kind is not b.kind:
            return None
        left = self.merge(a.left, b.left)
        right = None if left is None else self.merge(a.right, b.right)
        if left is None or right is None or not self._agree(conjuncts(a.condition), conjuncts(b.condition)):
            return None
        if a.mark is not None and b.mark is not None:
            self._name(b.mark, a.mark)
        return replace(a, left=left, right=right)

    def _aggregate(self, a: Aggregate, b: Aggregate) -> Relation | None:
        below = self.merge(a.input, b.input) if len(a.groups) == len(b.groups) else None
        if below is None:
            return None
        for other in b.groups:
            made = self._of_first(other.expression)
            mine = next((g for g in a.groups if g.expression == made), None)
            if mine is None or is_volatile(made):
                return None
            self._name(other.field, mine.field)
        if len({self.names[g.field.id] for g in b.groups}) != len(a.groups):
            return None
        items = list(a.aggregates)
        for item in b.aggregates:
            call = self._call(item.call)
            if any(map(is_volatile, call_expressions(call))):
                return None
            known = next((i for i in items if i.call == call), None)
            if known is None:
                known = AggregateItem(item.field, call)
                items.append(known)
            self._name(item.field, known.field)
        return Aggregate(below, a.groups, tuple(items))

    def _call(self, call: AggregateCall) -> AggregateCall:
        return replace(
            call,
            args=tuple(self._of_first(arg) for arg in call.args),
            filter=None if call.filter is None else self._of_first(call.filter),
            order=self._keys(call.order),
        )

    def _window(self, a: Window, b: Window) -> Relation | None:
        below = self.merge(a.input, b.input)
        if below is None:
            return None
        theirs = with_expressions(replace(b, input=below), self._of_first)
        if not isinstance(theirs, Window) or (a.partition, a.order) != (theirs.partition, theirs.order):
            return None
        if _any_volatile(a) or _any_volatile(theirs):
            return None
        items: list[WindowItem] = list(a.items)
        for item in theirs.items:
            known = next((i for i in items if (i.call, i.keys) == (item.call, item.keys)), None)
            if known is None:
                known = item
                items.append(item)
            self._name(item.field, known.field)
        return replace(a, input=below, items=tuple(items))

    def _set_operation(self, a: SetOperation, b: SetOperation) -> Relation | None:
        """Inputs meet by place, so they must be the same in every column."""
        if (a.kind, a.quantifier, len(a.inputs), len(a.fields)) != (b.kind, b.quantifier, len(b.inputs), len(b.fields)):
            return None
        for mine, other in zip(a.inputs, b.inputs, strict=True):
            merged = self.merge(mine, other)
            if merged is None or [self.names.get(f.id) for f in other.fields] != [f.id for f in mine.fields]:
                return None
            if [f.id for f in merged.fields] != [f.id for f in mine.fields]:
                return None
        return self._by_place(a, b)

    def _reference(self, a: Reference, b: Reference) -> Relation | None:
        if a.shared != b.shared:
            return None
        own = dict(zip(a.sources, a.fields, strict=True))
        added = [(f, s) for f, s in zip(b.fields, b.sources, strict=True) if s not in own]
        for other, source in zip(b.fields, b.sources, strict=True):
            self._name(other, own.get(source, other))
        if not added:
            return a
        return replace(a, fields=(*a.fields, *(f for f, _ in added)), sources=(*a.sources, *(s for _, s in added)))


def _any_volatile(node: Relation) -> bool:
    return any(map(is_volatile, expressions(node)))


def _same_rows(a: Values, b: Values) -> bool:
    if a.rows.num_rows != b.rows.num_rows or a.rows.columns != b.rows.columns:
        return False
    return all(float_signs(mine) == float_signs(other) for mine, other in zip(a.rows.columns, b.rows.columns, strict=True))
