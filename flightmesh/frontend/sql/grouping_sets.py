"""GROUPING SETS, ROLLUP and CUBE: which keys each set keeps, and what grouping() says of them.

Handed the parts of a GROUP BY and what adds a key; hands on the sets, and the Expand that copies rows for them. What always
holds: the sets of a GROUP BY are the combinations of those of its parts, repetitions and order kept, and their number is
bounded before they are made.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field, replace
from itertools import chain, combinations, product
from math import prod

import pyarrow as pa
from sqlglot import exp

from flightmesh.dataclass import dataclass
from flightmesh.expression.nodes import AggregateCall, Case, Column, Expression, Field, InList, Literal, When
from flightmesh.expression.registry import bind_call
from flightmesh.frontend.sql.context import Context
from flightmesh.frontend.sql.refusals import refuse_clauses
from flightmesh.ids import ColumnId
from flightmesh.logical.relations import AggregateItem, Expand, Item, Project, Relation, passes

MOST_SETS = 4096

Keys = tuple[int, ...]
"""Places of keys in the GROUP BY, in the order in which they were written."""

_FORMS = (exp.Rollup, exp.Cube, exp.GroupingSets)


def has_sets(group: exp.Expr) -> bool:
    """Whether a GROUP BY may have more than one set."""
    return any(isinstance(part, _FORMS) for part in group.expressions) or bool(_trailing(group))


@dataclass(frozen=True, slots=True)
class SetBinder:
    """Reads the parts of a GROUP BY. `add` binds one key and gives its place."""

    context: Context
    add: Callable[[exp.Expr], int]

    def sets(self, group: exp.Expr, always: Keys) -> list[Keys]:
        """The sets of a GROUP BY, each with the keys `always`."""
        form = _trailing(group)
        if form is not None:  # GROUP BY a, b WITH ROLLUP
            refuse_clauses(group, ("expressions", form.key), self.context.source)
            parts = [self._of(form, group.expressions)]
        else:
            refuse_clauses(group, ("expressions", "all"), self.context.source)
            parts = [self._part(node) for node in group.expressions]
        self._bounded(prod(len(part) for part in parts), group)
        return [_joined((always, *kept)) for kept in product(*parts)]

    def _part(self, node: exp.Expr) -> list[Keys]:
        if isinstance(node, _FORMS):
            return self._of(node, node.expressions)
        return [self._keys(node)]

    def _of(self, form: exp.Expr, nodes: list[exp.Expr]) -> list[Keys]:
        if isinstance(form, exp.GroupingSets):
            listed = [kept for node in nodes for kept in self._part(node)]
            self._bounded(len(listed), form)
            return listed
        keys = [self._keys(node) for node in nodes]
        if isinstance(form, exp.Rollup):
            return [_joined(tuple(keys[:length])) for length in range(len(keys), -1, -1)]
        self._bounded(2 ** len(keys), form)
        sizes = range(len(keys), -1, -1)
        return [_joined(chosen) for chosen in chain.from_iterable(combinations(keys, size) for size in sizes)]

    def _keys(self, node: exp.Expr) -> Keys:
        if isinstance(node, exp.Tuple):
            return _joined(tuple(self._keys(part) for part in node.expressions))
        if isinstance(node, _FORMS):
            raise self.context.source.error(f"{node.key.upper()} cannot stand inside ROLLUP, CUBE or parentheses", node)
        return (self.add(node),)

    def _bounded(self, count: int, node: exp.Expr) -> None:
        if count > MOST_SETS:
            hint = "group by fewer keys, or list the sets that you need in GROUPING SETS"
            raise self.context.source.error(f"GROUP BY makes {count} grouping sets, of {MOST_SETS} at most", node, hint)


def _trailing(group: exp.Expr) -> exp.Expr | None:
    """The form of WITH ROLLUP or WITH CUBE."""
    for key in ("rollup", "cube"):
        for form in group.args.get(key) or ():
            if isinstance(form, exp.Expr) and not form.expressions:
                return form
    return None


def _joined(parts: tuple[Keys, ...]) -> Keys:
    return tuple(dict.fromkeys(chain.from_iterable(parts)))


@dataclass(slots=True)
class GroupingSets:
    """The keys of a GROUP BY and its sets.

    `number` is the column that tells sets apart, where there are several; `present` is there where some set groups all rows,
    none included, into one group. `marks` are the expressions that stand for calls of grouping().
    """

    items: list[Item]
    sets: list[Keys]
    number: Field | None = None
    present: Field | None = None
    marks: set[Expression] = field(default_factory=set)

    @classmethod
    def of(cls, items: list[Item], sets: list[Keys], fresh: Callable[[], ColumnId]) -> GroupingSets:
        """With the columns that these sets need."""
        if len(sets) == 1:
            return cls(items, sets)
        number = Field(fresh(), "grouping set", pa.int64(), False)
        return cls(items, sets, number, None if all(sets) else Field(fresh(), "present", pa.bool_()))

    @property
    def kept(self) -> list[Item]:
        """The keys of every set: they group as they are."""
        return [item for place, item in enumerate(self.items) if all(place in kept for kept in self.sets)]

    def grouping(self, places: Keys) -> Expression:
        """grouping(...) of these keys: a bit for each, the last one lowest, set where the set leaves the key out."""
        by_mask: dict[int, list[int]] = {}
        for number, kept in enumerate(self.sets):
            mask = sum(1 << bit for bit, place in enumerate(reversed(places)) if place not in kept)
            by_mask.setdefault(mask, []).append(number)
        (last, _), *others = sorted(by_mask.items(), key=lambda pair: -len(pair[1]))
        if not others or self.number is None:
            return _integer(last)
        column = self.number.column()
        whens = tuple(When(InList(column, tuple(map(_integer, numbers))), _integer(mask)) for mask, numbers in others)
        mark = Case(whens, _integer(last), pa.int64())
        self.marks.add(mark)
        return mark

    def expand(self, rows: Relation, fresh: Callable[[], ColumnId]) -> tuple[Relation, list[Item]]:
        """(the rows once for each set, what an Aggregate over them groups by)."""
        if self.number is None:
            return rows, self.items
        kept = self.kept
        nulled = [item for item in self.items if item not in kept]
        below = {f.id for f in rows.fields}
        extra = [Item(Field(fresh(), i.field.name, i.field.type), i.expression) for i in nulled if not _is_of(i, below)]
        if extra:
            rows = Project(rows, (*(passes(f.column()) for f in rows.fields), *extra))
        made = {item.expression: item.field.column() for item in extra}
        keys = tuple(Item(item.field, made.get(item.expression, item.expression)) for item in nulled)
        places = {id(item): place for place, item in enumerate(nulled)}
        sets = tuple(
            tuple(places[id(self.items[key])] for key in kept_keys if id(self.items[key]) in places) for kept_keys in self.sets
        )
        groups = [*kept, *(passes(item.field.column()) for item in nulled), passes(self.number.column())]
        return Expand(rows, keys, sets, self.number, self.present), groups

    def over_rows(self, items: list[AggregateItem]) -> list[AggregateItem]:
        """The aggregates, leaving out the rows that stand for a group without rows."""
        if self.present is None:
            return items
        present = self.present.column()
        return [replace(item, call=_only_present(item.call, present)) for item in items]


def _is_of(item: Item, below: set[ColumnId]) -> bool:
    return isinstance(item.expression, Column) and item.expression.id in below


def _integer(value: int) -> Literal:
    return Literal(pa.scalar(value, pa.int64()))


def _only_present(call: AggregateCall, present: Column) -> AggregateCall:
    return replace(call, filter=present if call.filter is None else bind_call("and", (present, call.filter)))
