"""Dependent joins by hand: every shape of correlation, against DuckDB's LATERAL joins, rule by rule."""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa
import pytest

from flightmesh.expression.nodes import Column, Expression, Field, SortKey
from flightmesh.expression.registry import bind_aggregate, bind_cast
from flightmesh.ids import ColumnIds
from flightmesh.logical.relations import (
    Aggregate,
    AggregateItem,
    Apply,
    Filter,
    Item,
    Join,
    JoinKind,
    Limit,
    Project,
    Quantifier,
    Relation,
    Scan,
    SetKind,
    SetOperation,
    Sort,
    passes,
)
from tests.optimize.building import call, col, lit, scan
from tests.optimize.checking import connection, optimized_step_by_step

Make = Callable[[Relation, ColumnIds], Relation]


def keyed(left: Relation, ids: ColumnIds) -> Relation:
    """u where u.k = left.k."""
    u = scan("u", ids)
    return Filter(u, call("equal", col(u, "k"), col(left, "k")))


def below(left: Relation, ids: ColumnIds) -> Relation:
    """u where u.k < left.k: no equality binds the outer column."""
    u = scan("u", ids)
    return Filter(u, call("less", col(u, "k"), col(left, "k")))


def aggregated(
    relation: Relation, ids: ColumnIds, function: str, *args: Expression, groups: tuple[Item, ...] = ()
) -> Aggregate:
    made = bind_aggregate(function, args)
    return Aggregate(relation, groups, (AggregateItem(Field(ids.fresh(), function, made.type), made),))


def projected(relation: Relation, ids: ColumnIds, expression: Expression) -> Project:
    return Project(relation, (Item(Field(ids.fresh(), "made", expression.type), expression),))


def counted(source: Make) -> Make:
    return lambda left, ids: aggregated(source(left, ids), ids, "count_star")


def summed(source: Make) -> Make:
    def make(left: Relation, ids: ColumnIds) -> Relation:
        rows = source(left, ids)
        return aggregated(rows, ids, "sum", col(rows, "y"))

    return make


def count_plus_one(left: Relation, ids: ColumnIds) -> Relation:
    inner = counted(keyed)(left, ids)
    return projected(inner, ids, call("add", col(inner, "count_star"), lit(1)))


def count_or_null(left: Relation, ids: ColumnIds) -> Relation:
    """A default that is not NULL beside values that are: needs the marker column."""
    inner = counted(keyed)(left, ids)
    return projected(inner, ids, call("nullif", call("add", col(inner, "count_star"), lit(1)), lit(3)))


def having(left: Relation, ids: ColumnIds) -> Relation:
    inner = counted(keyed)(left, ids)
    return Filter(inner, call("less", col(inner, "count_star"), lit(2)))


def outer_in_sum(left: Relation, ids: ColumnIds) -> Relation:
    rows = keyed(left, ids)
    return aggregated(rows, ids, "sum", call("add", col(rows, "y"), col(left, "x")))


def grouped_max(left: Relation, ids: ColumnIds) -> Relation:
    """The largest of the counts of each z: an aggregate over a correlated grouping."""
    rows = keyed(left, ids)
    groups = aggregated(rows, ids, "count_star", groups=(passes(col(rows, "z")),))
    return aggregated(groups, ids, "max", col(groups, "count_star"))


def either_table(left: Relation, ids: ColumnIds) -> Relation:
    a, b = keyed(left, ids), scan("v", ids)
    b2 = Filter(b, call("less_equal", col(b, "y"), col(left, "x")))
    first = Project(a, (passes(col(a, "y")),))
    second = Project(b2, (passes(col(b, "y")),))
    fields = (Field(ids.fresh(), "y", pa.int64()),)
    union = SetOperation(SetKind.UNION, Quantifier.DISTINCT, (first, second), fields)
    return aggregated(union, ids, "sum", col(union, "y"))


def top_one(left: Relation, ids: ColumnIds) -> Relation:
    rows = keyed(left, ids)
    ordered = Sort(rows, (SortKey(col(rows, "y"), descending=True, nulls_first=False), SortKey(col(rows, "z"))))
    return Project(Limit(ordered, 1), (passes(col(rows, "y")),))


def second_largest_below(left: Relation, ids: ColumnIds) -> Relation:
    rows = below(left, ids)
    narrow = Project(rows, (passes(col(rows, "y")),))
    return Limit(Sort(narrow, (SortKey(col(rows, "y"), nulls_first=True),)), 1, 1)


def nested(left: Relation, ids: ColumnIds) -> Relation:
    """sum(u.y) where u.k = left.k and exists (v where v.y = u.y and v.y < left.x): the innermost reads two levels up."""
    u, v = keyed(left, ids), scan("v", ids)
    tied = call("and", call("equal", col(v, "y"), col(u, "y")), call("less", col(v, "y"), col(left, "x")))
    mark = Field(ids.fresh(), "mark", pa.bool_())
    applied = Apply(u, Filter(v, tied), JoinKind.MARK, None, mark)
    return aggregated(Filter(applied, mark.column()), ids, "sum", col(u, "y"))


def nested_scalar(left: Relation, ids: ColumnIds) -> Relation:
    """count of u where u.y > (select count(*) from v where v.y < left.x and v.y <> u.y)."""
    u, v = keyed(left, ids), scan("v", ids)
    tied = call("and", call("less", col(v, "y"), col(left, "x")), call("not_equal", col(v, "y"), col(u, "y")))
    inner = aggregated(Filter(v, tied), ids, "count_star")
    applied = Apply(u, inner, JoinKind.SINGLE)
    kept = Filter(applied, call("greater", col(u, "y"), col(inner, "count_star")))
    return aggregated(kept, ids, "count_star")


def outer_joined(left: Relation, ids: ColumnIds) -> Relation:
    """The correlation stands in an outer join's condition."""
    u, v = scan("u", ids), scan("v", ids)
    on = call("and", call("equal", col(u, "y"), col(v, "y")), call("equal", col(u, "k"), col(left, "k")))
    joined = Join(u, v, JoinKind.LEFT, on)
    return aggregated(joined, ids, "count", col(v, "y"))


def full_joined(left: Relation, ids: ColumnIds) -> Relation:
    u, v = keyed(left, ids), scan("v", ids)
    kept = Filter(v, call("less", col(v, "y"), col(left, "x")))
    return aggregated(Join(u, kept, JoinKind.FULL, call("equal", col(u, "y"), col(v, "y"))), ids, "count_star")


def joined(left: Relation, ids: ColumnIds) -> Relation:
    u, v = keyed(left, ids), scan("v", ids)
    return aggregated(Join(u, v, JoinKind.INNER, call("equal", col(u, "y"), col(v, "y"))), ids, "sum", col(v, "w"))


def from_nothing(left: Relation, ids: ColumnIds) -> Relation:
    e = scan("e", ids)
    return aggregated(Filter(e, call("equal", col(e, "k"), col(left, "k"))), ids, "count", col(e, "y"))


def uncorrelated(left: Relation, ids: ColumnIds) -> Relation:
    u = scan("u", ids)
    return aggregated(u, ids, "max", col(u, "y"))


SCALARS: dict[str, Make] = {
    "count": counted(keyed),
    "sum": summed(keyed),
    "count_below": counted(below),
    "sum_below": summed(below),
    "count_plus_one": count_plus_one,
    "count_or_null": count_or_null,
    "having": having,
    "outer_in_sum": outer_in_sum,
    "grouped_max": grouped_max,
    "either_table": either_table,
    "top_one": top_one,
    "second_largest_below": second_largest_below,
    "nested": nested,
    "nested_scalar": nested_scalar,
    "outer_joined": outer_joined,
    "full_joined": full_joined,
    "joined": joined,
    "from_nothing": from_nothing,
    "uncorrelated": uncorrelated,
}


@pytest.mark.parametrize("name", SCALARS)
def test_scalar_subquery_in_select(name: str) -> None:
    ids = ColumnIds()
    t = scan("t", ids)
    applied = Apply(t, SCALARS[name](t, ids), JoinKind.SINGLE)
    items = (passes(col(t, "k")), passes(col(t, "x")), passes(applied.fields[-1].column()))
    optimized_step_by_step(Project(applied, items), connection())


@pytest.mark.parametrize("name", SCALARS)
def test_scalar_subquery_in_where(name: str) -> None:
    ids = ColumnIds()
    t = scan("t", ids)
    applied = Apply(t, SCALARS[name](t, ids), JoinKind.SINGLE)
    last = applied.fields[-1].column()
    kept = Filter(applied, call("less_equal", call("coalesce", last, lit(0)) if name == "sum" else last, lit(3)))
    optimized_step_by_step(Project(kept, (passes(col(t, "k")), passes(col(t, "s")))), connection())


WAITING: dict[str, Make] = {
    "nested": nested,
    "nested_scalar": nested_scalar,
    "sum_below": summed(below),
}


@pytest.mark.parametrize("second", WAITING)
@pytest.mark.parametrize("first", WAITING)
def test_dependent_joins_on_one_another(first: str, second: str) -> None:
    """Each waits for the other or is shared by it; the lower one is a filter, a mark and a value in turn."""
    for kind in (JoinKind.SEMI, JoinKind.MARK, JoinKind.SINGLE):
        ids = ColumnIds()
        t = scan("t", ids)
        right = WAITING[first](t, ids)
        tied = None if kind is JoinKind.SINGLE else call("greater_equal", col(t, "x"), _number(right))
        mark = Field(ids.fresh(), "mark", pa.bool_()) if kind is JoinKind.MARK else None
        lower = Apply(t, right, kind, tied, mark)
        upper = Apply(lower, WAITING[second](t, ids), JoinKind.SINGLE)
        items = tuple(passes(f.column()) for f in upper.fields)
        optimized_step_by_step(Project(upper, items), connection())


def _number(right: Relation) -> Expression:
    last = right.fields[-1].column()
    return last if last.type == pa.int64() else bind_cast(last, pa.int64())


def in_y(right: Relation, left: Relation) -> Expression:
    return call("equal", col(left, "x"), col(right, "y"))


MEMBERS: dict[str, Make] = {
    "keyed": keyed,
    "below": below,
    "counted": counted(keyed),
    "having": having,
    "top_one": top_one,
    "uncorrelated": lambda left, ids: scan("u", ids),
    "empty": lambda left, ids: scan("e", ids),
    "joined": lambda left, ids: (lambda u, v: Join(u, v, JoinKind.INNER, call("equal", col(u, "y"), col(v, "y"))))(
        keyed(left, ids), scan("v", ids)
    ),
    "distinct": lambda left, ids: (lambda u: Aggregate(u, (passes(col(u, "y")),), ()))(keyed(left, ids)),
}


@pytest.mark.parametrize("use", ["where", "where not", "select", "or"])
@pytest.mark.parametrize("membership", ["exists", "in"])
@pytest.mark.parametrize("name", MEMBERS)
def test_membership(name: str, membership: str, use: str) -> None:
    ids = ColumnIds()
    t = scan("t", ids)
    right = MEMBERS[name](t, ids)
    condition = None
    if membership == "in":
        inner: Column = next((f for f in right.fields if f.name == "y"), right.fields[0]).column()
        condition = call("equal", col(t, "k" if name in ("counted", "having") else "x"), inner)
    mark = Field(ids.fresh(), "mark", pa.bool_())
    applied = Apply(t, right, JoinKind.MARK, condition, mark)
    kept: Relation = applied
    if use == "where":
        kept = Filter(applied, mark.column())
    elif use == "where not":
        kept = Filter(applied, call("not", mark.column()))
    elif use == "or":
        kept = Filter(applied, call("or", mark.column(), call("greater", col(t, "k"), lit(4))))
    items = (passes(col(t, "k")), passes(col(t, "x")), *([passes(mark.column())] if use == "select" else []))
    optimized_step_by_step(Project(kept, items), connection())


@pytest.mark.parametrize("kind", [JoinKind.INNER, JoinKind.LEFT])
@pytest.mark.parametrize(
    "make", [keyed, below, counted(keyed), counted(below), top_one], ids=["keyed", "below", "count", "count_below", "top"]
)
def test_lateral(make: Make, kind: JoinKind) -> None:
    ids = ColumnIds()
    t = scan("t", ids)
    right = make(t, ids)
    applied = Apply(t, right, kind)
    optimized_step_by_step(Project(applied, (passes(col(t, "x")), passes(right.fields[-1].column()))), connection())


def test_a_computed_left_is_shared_not_computed_twice() -> None:
    ids = ColumnIds()
    t, u = scan("t", ids), scan("u", ids)
    left = Join(t, u, JoinKind.INNER, call("equal", col(t, "k"), col(u, "k")))
    applied = Apply(left, counted(below)(t, ids), JoinKind.SINGLE)
    found = optimized_step_by_step(Project(applied, tuple(passes(f.column()) for f in applied.fields)), connection())
    scans = [n for n in _nodes(found) if isinstance(n, Scan) and n.table.name == "t"]
    assert len(scans) == 1


def _nodes(relation: Relation) -> list[Relation]:
    from flightmesh.logical.traversal import walk

    return list(walk(relation))
