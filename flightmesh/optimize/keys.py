"""What can be proved of a relation's rows: which columns are unique together, and whether there is at most one row.

Handed a relation; hands on facts that hold for any data, or that were proved of the data of pinned files (`is_key`); statistics
prove nothing here.
"""

from __future__ import annotations

from flightmesh.expression.nodes import Call, Column, Expression, Literal, columns_of, conjuncts
from flightmesh.ids import ColumnId
from flightmesh.logical.relations import (
    Aggregate,
    Filter,
    Join,
    JoinKind,
    Limit,
    Project,
    Relation,
    Scan,
    Sort,
    Values,
    Window,
)
from flightmesh.optimize.context import Context

Key = frozenset[ColumnId]

MOST_KEYS = 8
LEFT_ONLY = (JoinKind.SEMI, JoinKind.ANTI, JoinKind.MARK, JoinKind.SINGLE)


def unique_keys(relation: Relation) -> tuple[Key, ...]:
    """Sets of columns in which no two rows agree (NULL agreeing with NULL). The empty set: at most one row."""
    match relation:
        case Values(rows=rows):
            return (frozenset(),) if rows.num_rows <= 1 else ()
        case Filter(input=Window() as child, predicate=predicate):
            return (*_first_of_each(child, predicate), *unique_keys(child))
        case Filter(input=child) | Sort(input=child) | Window(input=child):
            return unique_keys(child)
        case Limit(input=child, count=count):
            return (frozenset(),) if count is not None and count <= 1 else unique_keys(child)
        case Project(input=child, items=items):
            names = {i.expression.id: i.field.id for i in items if isinstance(i.expression, Column)}
            return tuple(frozenset(names[c] for c in key) for key in unique_keys(child) if key <= names.keys())
        case Aggregate(groups=groups):
            return (frozenset(g.field.id for g in groups),)
        case Join():
            return _join_keys(relation)
        case _:
            return ()


def is_key(relation: Relation, columns: Key, context: Context) -> bool:
    """Whether no two rows agree in all these columns. What tables hold is asked for (`Context.is_unique`), so it may take
    reading some of them."""
    if any(key <= columns for key in unique_keys(relation)):
        return True
    match relation:
        case Scan(fields=fields, table=table):
            return any(context.is_unique(table, f.name) for f in fields if f.id in columns)
        case Filter(input=child) | Sort(input=child) | Limit(input=child) | Window(input=child):
            return is_key(child, columns, context)
        case Project(input=child, items=items):
            handed = (i.expression.id for i in items if i.field.id in columns and isinstance(i.expression, Column))
            return is_key(child, frozenset(handed), context)
        case Join(left=left, right=right, kind=kind):
            if kind in LEFT_ONLY:
                return is_key(left, columns, context)
            if kind in (JoinKind.INNER, JoinKind.LEFT) and binds_key(relation, right):
                return is_key(left, columns, context)
            return kind in (JoinKind.INNER, JoinKind.RIGHT) and binds_key(relation, left) and is_key(right, columns, context)
        case _:
            return False


def _first_of_each(window: Window, predicate: Expression) -> tuple[Key, ...]:
    """What the window's rows are numbered by, where only the first row of each keeps its place."""
    if not all(isinstance(part, Column) for part in window.partition):
        return ()
    places = {item.field.id for item in window.items if item.call.function == "row_number"}
    firsts = (part.args for part in conjuncts(predicate) if isinstance(part, Call) and part.function in ("equal", "less_equal"))
    if any(isinstance(a, Column) and a.id in places and _is_one(b) for a, b in firsts):
        return (frozenset[ColumnId]().union(*(columns_of(part) for part in window.partition)),)
    return ()


def _is_one(expression: Expression) -> bool:
    return isinstance(expression, Literal) and bool(expression.value.as_py() == 1)


def _join_keys(join: Join) -> tuple[Key, ...]:
    left = unique_keys(join.left)
    if join.kind in LEFT_ONLY:
        return left
    right = unique_keys(join.right)
    found: list[Key] = []
    if join.kind in (JoinKind.INNER, JoinKind.LEFT) and _binds(join, join.right, right):
        found.extend(left)
    if join.kind in (JoinKind.INNER, JoinKind.RIGHT) and _binds(join, join.left, left):
        found.extend(right)
    if join.kind is not JoinKind.FULL:
        found.extend(a | b for a in left for b in right)
    return _smallest(found)


def _smallest(keys: list[Key]) -> tuple[Key, ...]:
    """The keys that contain no other, the shortest few: joins of joins would make more of them than there are plans."""
    kept: list[Key] = []
    for key in sorted(dict.fromkeys(keys), key=len):
        if len(kept) < MOST_KEYS and not any(other <= key for other in kept):
            kept.append(key)
    return tuple(kept)


def binds_key(join: Join, side: Relation) -> bool:
    """Whether the join's equalities let a row of the other side meet at most one row of `side`."""
    return _binds(join, side, unique_keys(side))


def _binds(join: Join, side: Relation, keys: tuple[Key, ...]) -> bool:
    if not keys:
        return False
    inside = frozenset(f.id for f in side.fields)
    bound = frozenset(c for part in conjuncts(join.condition) for c in _bound_column(part, inside))
    return any(key <= bound for key in keys)


def _bound_column(part: Expression, inside: Key) -> tuple[ColumnId, ...]:
    if not isinstance(part, Call) or part.function not in ("equal", "is_not_distinct_from"):
        return ()
    a, b = part.args
    if isinstance(a, Column) and a.id in inside and not (columns_of(b) & inside):
        return (a.id,)
    if isinstance(b, Column) and b.id in inside and not (columns_of(a) & inside):
        return (b.id,)
    return ()


def at_most_one_row(relation: Relation) -> bool:
    """Whether there is provably no second row."""
    return any(not key for key in unique_keys(relation))


def exactly_one_row(relation: Relation) -> bool:
    """Whether there is provably one row, no more and no fewer."""
    match relation:
        case Aggregate(groups=groups):
            return not groups
        case Values(rows=rows):
            return bool(rows.num_rows == 1)
        case Project(input=child) | Sort(input=child) | Window(input=child):
            return exactly_one_row(child)
        case Join(left=left, right=right, kind=JoinKind.INNER, condition=None):
            return exactly_one_row(left) and exactly_one_row(right)
        case Join(left=left, right=right, kind=JoinKind.LEFT | JoinKind.SINGLE | JoinKind.MARK):
            return exactly_one_row(left) and (at_most_one_row(right) or relation.kind is not JoinKind.LEFT)
        case _:
            return False
