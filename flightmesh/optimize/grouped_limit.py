"""A LIMIT for each value of some columns, without a window operator.

Handed a relation, the columns whose values each have a LIMIT of their own, and the order; hands on the rows that each LIMIT
keeps. Rows are counted first (equal rows together), and a row's place is the number of rows of its group before it: those
that a self-join finds smaller in the wanted order, ties broken by the remaining columns. What always holds: exactly `count`
rows a group, or all when it has fewer.
"""

from __future__ import annotations

import pyarrow as pa

from flightmesh.expression.nodes import AggregateCall, Call, Cast, Column, Expression, Field, Literal, SortKey, conjunction
from flightmesh.ids import ColumnId
from flightmesh.logical.expressions import is_pass, with_fresh_ids
from flightmesh.logical.relations import (
    Aggregate,
    AggregateItem,
    Filter,
    Item,
    Join,
    JoinKind,
    Limit,
    Project,
    Relation,
    passes,
)
from flightmesh.optimize.repeat import repeated
from flightmesh.optimize.sharing import Sharing, read_as

INT = pa.int64()


def limit_each(
    relation: Relation, groups: tuple[Column, ...], keys: tuple[SortKey, ...], limit: Limit, sharing: Sharing
) -> Relation:
    """The columns of `relation`, with `limit` applied for each value of `groups`, in the order of `keys`."""
    fresh = sharing.context.ids.fresh
    ordered, computed = _with_keys(relation, keys, sharing)
    if limit.count == 1 and limit.offset == 0 and keys and not keys[0].nulls_first:
        ordered = _first_by(ordered, groups, computed[0], keys[0], sharing)
    copies = Field(fresh(), "copies", INT, False)
    counted = Aggregate(
        ordered,
        tuple(passes(f.column()) for f in ordered.fields),
        (AggregateItem(copies, AggregateCall("count_star", (), INT)),),
    )
    copy, _ = with_fresh_ids(counted, sharing.context.ids)
    shared = sharing.add("ranked", copy)
    rows, others = sharing.read(shared, copy.fields), sharing.read(shared, copy.fields)
    mine = {old.id: new.column() for old, new in zip(counted.fields, rows.fields, strict=True)}
    theirs = {old.id: new.column() for old, new in zip(counted.fields, others.fields, strict=True)}
    sort = [(c.id, k) for c, k in zip(computed, keys, strict=True)]
    ranked = {c.id for c in computed} | {g.id for g in groups}
    rest = [(f.id, SortKey(f.column())) for f in ordered.fields if f.id not in ranked]
    tied: list[Expression] = [Call("is_not_distinct_from", (mine[g.id], theirs[g.id]), pa.bool_()) for g in groups]
    tied.append(_before([(theirs[i], mine[i], k) for i, k in (*sort, *rest)]))
    if limit.count == 1 and limit.offset == 0:
        # The first row of a group is the one that no row of the group stands before.
        first = Join(rows, others, JoinKind.ANTI, conjunction(tuple(tied)))
        return Project(first, tuple(Item(f, mine[f.id]) for f in relation.fields))
    joined = Join(rows, others, JoinKind.LEFT, conjunction(tuple(tied)))
    before = Field(fresh(), "before", pa.decimal128(38, 0))
    placed = Aggregate(
        joined,
        tuple(passes(mine[f.id]) for f in counted.fields),
        (AggregateItem(before, AggregateCall("sum", (theirs[copies.id],), pa.decimal128(38, 0))),),
    )
    return _kept(placed, relation, mine, copies, before, limit, sharing)


def _first_by(relation: Relation, groups: tuple[Column, ...], column: Column, key: SortKey, sharing: Sharing) -> Relation:
    """Of each group the rows that come first by one key: only ties are left to be compared with each other."""
    copy, names = with_fresh_ids(relation, sharing.context.ids)
    shared = sharing.add("candidates", copy)
    wanted = [*(names[g.id] for g in groups), names[column.id]]
    by_id = {f.id: f for f in copy.fields}
    source = sharing.read(shared, tuple(by_id[i] for i in dict.fromkeys(wanted)))
    place = dict(zip(source.sources, source.fields, strict=True))
    best = Field(sharing.context.ids.fresh(), "best", column.type)
    call = AggregateCall("max" if key.descending else "min", (place[names[column.id]].column(),), column.type)
    grouped = Aggregate(source, tuple(passes(place[names[g.id]].column()) for g in groups), (AggregateItem(best, call),))
    pairs = [(g, place[names[g.id]].column()) for g in groups] + [(column, best.column())]
    tied = tuple(Call("is_not_distinct_from", pair, pa.bool_()) for pair in pairs)
    return Join(read_as(shared, relation.fields, names), grouped, JoinKind.SEMI, conjunction(tied))


def _with_keys(relation: Relation, keys: tuple[SortKey, ...], sharing: Sharing) -> tuple[Relation, tuple[Column, ...]]:
    """The relation with each sort key as a column."""
    items = [passes(f.column()) for f in relation.fields]
    columns: list[Column] = []
    for key in keys:
        if isinstance(key.expression, Column):
            columns.append(key.expression)
            continue
        made = Field(sharing.context.ids.fresh(), "key", key.expression.type)
        items.append(Item(made, key.expression))
        columns.append(made.column())
    changed = any(not is_pass(item) for item in items)
    return (Project(relation, tuple(items)) if changed else relation), tuple(columns)


def _before(parts: list[tuple[Column, Column, SortKey]]) -> Expression:
    """Whether the first row of each pair stands before the second: lexicographic, NULLs where the keys put them."""
    if not parts:
        return Literal(pa.scalar(False))
    (a, b, key), rest = parts[0], parts[1:]
    if pa.types.is_null(a.type):  # a column of NULLs alone orders nothing
        return _before(rest)
    smaller = _smaller(a, b, key)
    if not rest:
        return smaller
    equal = Call("is_not_distinct_from", (a, b), pa.bool_())
    return Call("or", (smaller, Call("and", (equal, _before(rest)), pa.bool_())), pa.bool_())


def _smaller(a: Column, b: Column, key: SortKey) -> Expression:
    compared = Call("greater" if key.descending else "less", (a, b), pa.bool_())
    first, second = (a, b) if key.nulls_first else (b, a)
    null_first = Call(
        "and",
        (Call("is_null", (first,), pa.bool_()), Call("is_not_null", (second,), pa.bool_())),
        pa.bool_(),
    )
    return Call("or", (Call("coalesce", (compared, Literal(pa.scalar(False))), pa.bool_()), null_first), pa.bool_())


def _kept(
    placed: Relation,
    relation: Relation,
    mine: dict[ColumnId, Column],
    copies: Field,
    before: Field,
    limit: Limit,
    sharing: Sharing,
) -> Relation:
    """Of each row's copies those whose places are within the limit, under the ids of `relation`."""
    fresh = sharing.context.ids.fresh
    start = Field(fresh(), "start", INT)
    zero = Literal(pa.scalar(0, before.type))
    begin = Cast(Call("coalesce", (before.column(), zero), before.type), INT)
    items = tuple(Item(f, mine[f.id]) for f in relation.fields)
    passed = (*items, Item(start, begin), passes(mine[copies.id]))
    numbered = Project(placed, passed)
    end = Call("add", (start.column(), mine[copies.id]), INT)
    last = Call("least", (end, _number(limit.offset + limit.count)), INT) if limit.count is not None else end
    first = Call("greatest", (start.column(), _number(limit.offset)), INT)
    left = Field(fresh(), "left", INT)
    again = tuple(passes(f.column()) for f in relation.fields)
    within = Project(numbered, (*again, Item(left, Call("subtract", (last, first), INT))))
    positive = Filter(within, Call("greater", (left.column(), _number(0)), pa.bool_()))
    most = {} if limit.count is None else {"most": limit.count}
    return repeated(positive, left.column(), relation.fields, sharing.context, **most)


def _number(value: int) -> Literal:
    return Literal(pa.scalar(value, INT))
