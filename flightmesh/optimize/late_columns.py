"""Rule: columns that a group's key determines are fetched for the groups that a LIMIT keeps, not carried by every row.

`GROUP BY c.id, c.name, c.comment ... ORDER BY sum(x) LIMIT 20` groups by `c.id` alone where that is proved to be a key of `c`,
and reads the texts of twenty customers afterwards. Handed a query whose filters are pushed down; hands on one with a join above
such a LIMIT. What always holds: the columns are neither computed with nor sorted by below the LIMIT; a key is proved to be one
(`determined`), so the join gives each of its rows exactly once; texts are among the columns, and it is expected to pay.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pyarrow as pa

from flightmesh.dataclass import dataclass
from flightmesh.expression.nodes import Call, Column, Field, columns_of
from flightmesh.expression.types import is_string
from flightmesh.ids import ColumnId
from flightmesh.logical.relations import (
    Aggregate,
    Filter,
    Item,
    Join,
    JoinKind,
    Limit,
    Project,
    Relation,
    Scan,
    Sort,
    passes,
)
from flightmesh.logical.traversal import rewrite_down, walk
from flightmesh.optimize.column_estimate import table_rows
from flightmesh.optimize.context import Context
from flightmesh.optimize.determined import Step, determined
from flightmesh.optimize.estimate import estimate
from flightmesh.optimize.join_graph import JoinGraph, is_region, join_graph
from flightmesh.optimize.work import READ

MOST_ROWS = 1_000
"""More rows are not fetched late."""
TEXT = 2.0
"""What a text costs a row that carries it through joins, a grouping and an exchange, in the units of `work`, at least."""
STAGE = 50_000.0
"""What reading a table in a stage of its own costs besides, in the same."""

Names = dict[ColumnId, ColumnId]
_Path = tuple[Project | Filter, ...]


def fetch_late(relation: Relation, context: Context) -> Relation:
    """The query with such columns fetched above its LIMITs."""
    return rewrite_down(relation, lambda node: _limit(node, context) if isinstance(node, Limit) else node)


def _limit(node: Limit, context: Context) -> Relation:
    sort = node.input
    if isinstance(sort, Project):
        below = _limit(replace(node, input=sort.input), context)
        return node if isinstance(below, Limit) else replace(sort, input=below)
    if node.count is None or node.count + node.offset > MOST_ROWS or not isinstance(sort, Sort):
        return node
    path, aggregate = _path(sort.input)
    if not isinstance(aggregate, Aggregate) or len(aggregate.groups) < 2 or not is_region(aggregate.input):
        return node
    if any(isinstance(part, Filter) for part in walk(aggregate.input)):
        return node  # a condition that no table could take: how many rows it leaves is a guess, and mostly they are few
    found = _choose(aggregate, _not_looked_at(aggregate, path, sort), context)
    return node if found is None else _Fetching(node, sort, path, aggregate, found, context).relation()


def _path(node: Relation) -> tuple[_Path, Relation]:
    """The projections and filters from here on down, and what is below them."""
    found: list[Project | Filter] = []
    while isinstance(node, Project | Filter):
        found.append(node)
        node = node.input
    return tuple(found), node


def _not_looked_at(aggregate: Aggregate, path: _Path, sort: Sort) -> dict[ColumnId, Field]:
    """The plain columns that are grouped by and that everything up to the sort only hands on, by the column grouped by."""
    names: Names = {item.field.id: item.field.id for item in aggregate.groups if isinstance(item.expression, Column)}
    looked_at: set[ColumnId] = set()
    for node in reversed(path):
        if isinstance(node, Filter):
            looked_at |= {names[c] for c in columns_of(node.predicate) if c in names}
            continue
        computed = (item for item in node.items if not isinstance(item.expression, Column))
        looked_at |= {names[c] for item in computed for c in columns_of(item.expression) if c in names}
        names = _handed_on(node, names)
    looked_at |= {names[c] for key in sort.keys for c in columns_of(key.expression) if c in names}
    return {
        item.expression.id: item.field
        for item in aggregate.groups
        if isinstance(item.expression, Column) and item.field.id not in looked_at
    }


def _handed_on(node: Project, names: Names) -> Names:
    """The names of columns above a projection, where `names` has them below it."""
    return {
        item.field.id: names[item.expression.id]
        for item in node.items
        if isinstance(item.expression, Column) and item.expression.id in names
    }


@dataclass(frozen=True, slots=True)
class _Late:
    """What is grouped by, `key`; the columns that it determines (the results of the grouping by their sources), and the tables
    to read them of."""

    key: Item
    columns: dict[ColumnId, Field]
    steps: tuple[Step, ...]


def _choose(aggregate: Aggregate, free: dict[ColumnId, Field], context: Context) -> _Late | None:
    """The key that most texts can be fetched by, if one is worth it."""
    texts = sum(is_string(f.type) for f in free.values())
    if TEXT * texts * estimate(aggregate.input, context).rows < STAGE:
        return None
    graph = join_graph(aggregate.input)
    found = [_by(item, free, graph, context) for item in aggregate.groups]
    best = max((late for late in found if late is not None), key=_texts, default=None)
    if best is None or TEXT * _texts(best) * estimate(aggregate.input, context).rows < _price(best.steps, context):
        return None
    return best


def _texts(late: _Late) -> int:
    return sum(is_string(f.type) for f in late.columns.values())


def _by(item: Item, free: dict[ColumnId, Field], graph: JoinGraph, context: Context) -> _Late | None:
    if not isinstance(item.expression, Column) or not pa.types.is_integer(item.expression.type):
        return None
    steps = determined(item.expression, graph, context)
    given = {f.id for step in steps for f in step.scan.fields} - {item.expression.id}
    columns = {source: f for source, f in free.items() if source in given}
    late = _Late(item, columns, _needed(steps, columns))
    return late if _texts(late) else None


def _needed(steps: list[Step], columns: Iterable[ColumnId]) -> tuple[Step, ...]:
    """Those of the steps that give these columns or the key of one that does."""
    wanted, kept = set(columns), []
    for step in reversed(steps):
        if wanted & {f.id for f in step.scan.fields}:
            kept.append(step)
            wanted.add(step.known)
    return tuple(reversed(kept))


def _price(steps: tuple[Step, ...], context: Context) -> float:
    """What the second readings cost: the key and what it leads to are read twice, the rest only then."""
    rows = (table_rows(context.statistics(step.scan.table), step.scan.table) for step in steps)
    return sum(STAGE + 2 * READ * count for count in rows)


class _Fetching:
    """One LIMIT and what is below it, taken apart."""

    def __init__(self, limit: Limit, sort: Sort, path: _Path, aggregate: Aggregate, late: _Late, context: Context) -> None:
        self._limit = limit
        self._sort = sort
        self._path = path
        self._aggregate = aggregate
        self._late = late
        self._ids = context.ids
        self._gone = {f.id for f in late.columns.values()}

    def relation(self) -> Relation:
        """The same rows: few columns under the limit, the others joined to its result."""
        narrow, names, key = self._narrow()
        columns = {self._late.key.expression.id: key} if isinstance(self._late.key.expression, Column) else {}
        joined: Relation = replace(self._limit, input=replace(self._sort, input=narrow))
        for step in self._late.steps:
            copy, made = self._reading(step)
            equality = Call("equal", (columns[step.known], made[step.key.id]), pa.bool_())
            joined = Join(joined, copy, JoinKind.INNER, equality)
            columns = {**made, **columns}
        sources = {f.id: source for source, f in self._late.columns.items()}
        items = (
            Item(f, columns[sources[names[f.id]]]) if names.get(f.id) in self._gone else passes(f.column())
            for f in self._limit.fields
        )
        return Project(Sort(joined, self._sort.keys), tuple(items))

    def _narrow(self) -> tuple[Relation, Names, Column]:
        """What is sorted, without the late columns and with the key; the groups' names above it; the key there."""
        groups = tuple(item for item in self._aggregate.groups if item.field.id not in self._gone)
        node: Relation = replace(self._aggregate, groups=groups)
        names: Names = {f.id: f.id for f in self._aggregate.fields}
        key = self._late.key.field.column()
        for step in reversed(self._path):
            if isinstance(step, Filter):
                node = replace(step, input=node)
                continue
            above = _handed_on(step, names)
            items = tuple(item for item in step.items if above.get(item.field.id) not in self._gone)
            handed = next((i for i in items if isinstance(i.expression, Column) and i.expression.id == key.id), None)
            if handed is None:
                items = (*items, passes(key))
            else:
                key = handed.field.column()
            node, names = Project(node, items), above
        return node, names, key

    def _reading(self, step: Step) -> tuple[Scan, dict[ColumnId, Column]]:
        """A table read again: its key, what is fetched of it and what leads to further tables, by their ids in the first."""
        wanted = {step.key.id, *self._late.columns, *(other.known for other in self._late.steps)}
        fields = {f.id: Field(self._ids.fresh(), f.name, f.type, f.nullable) for f in step.scan.fields if f.id in wanted}
        return Scan(step.scan.table, tuple(fields.values())), {old: f.column() for old, f in fields.items()}
