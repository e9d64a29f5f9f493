"""The text form of every kind of relation."""

from __future__ import annotations

import pyarrow as pa

from flightmesh.expression.nodes import Field, SortKey
from flightmesh.expression.registry import bind_aggregate
from flightmesh.ids import ColumnIds, SharedId
from flightmesh.logical.relations import (
    Aggregate,
    AggregateItem,
    Apply,
    Definition,
    Filter,
    Item,
    Join,
    JoinKind,
    Limit,
    Project,
    Quantifier,
    Reference,
    Scan,
    SetKind,
    SetOperation,
    Sort,
    Values,
    With,
    passes,
)
from flightmesh.logical.text import format_relation
from tests.optimize.building import call, col, lit, scan


def test_a_query() -> None:
    ids = ColumnIds()
    t, u = scan("t", ids), scan("u", ids)
    kept = Scan(t.table, t.fields[:2], (call("equal", col(t, "s"), lit("a")),), t.fields[2:], 10)
    joined = Join(kept, u, JoinKind.LEFT, call("equal", col(t, "k"), col(u, "k")))
    either = call("or", call("greater", col(u, "y"), lit(2)), call("is_null", col(u, "y")))
    filtered = Filter(joined, call("and", either, call("less", col(t, "x"), lit(9))))
    total = bind_aggregate("sum", (col(u, "y"),))
    rows = bind_aggregate("count", ())
    made = (
        AggregateItem(Field(ids.fresh(), "total", total.type), total),
        AggregateItem(Field(ids.fresh(), "rows", rows.type), rows),
    )
    grouped = Aggregate(filtered, (passes(col(t, "k")),), made)
    once = Project(
        grouped, (passes(col(t, "k")), Item(Field(ids.fresh(), "next", pa.int64()), call("add", col(t, "k"), lit(1))))
    )
    top = Limit(Sort(once, (SortKey(col(t, "k"), True, True), SortKey(once.fields[1].column()))), 3, 2)
    assert format_relation(top).splitlines() == [
        "Limit 3 offset 2",
        "  Sort by k#0 DESC NULLS FIRST, next#8",
        "    Project [k#0, next#8 = k#0 + 1]",
        "      Aggregate by [k#0] [total#6 = sum(y#4), rows#7 = count(*)]",
        "        Filter (y#4 > 2 OR y#4 IS NULL) AND x#1 < 9",
        "          Join left on k#0 = k#3",
        "            Scan t [k#0, x#1] reading [s#2] where s#2 = 'a' limit 10",
        "            Scan u [k#3, y#4, z#5]",
    ]


def test_dependent_joins_marks_and_set_operations() -> None:
    ids = ColumnIds()
    t, u, v = scan("t", ids), scan("u", ids), scan("v", ids)
    mark = Field(ids.fresh(), "found", pa.bool_())
    applied = Apply(t, Filter(u, call("equal", col(u, "k"), col(t, "k"))), JoinKind.MARK, None, mark)
    fields = (Field(ids.fresh(), "n", pa.int64()),)
    parts = (Project(applied, (passes(col(t, "k")),)), Project(v, (passes(col(v, "y")),)))
    assert format_relation(SetOperation(SetKind.EXCEPT, Quantifier.ALL, parts, fields)).splitlines() == [
        "Except all [n#9]",
        "  Project [k#0]",
        "    Apply mark found#8",
        "      Scan t [k#0, x#1, s#2]",
        "      Filter k#3 = k#0",
        "        Scan u [k#3, y#4, z#5]",
        "  Project [y#6]",
        "    Scan v [y#6, w#7]",
    ]


def test_shared_relations_and_constant_rows() -> None:
    ids = ColumnIds()
    fields = (Field(ids.fresh(), "n", pa.int64()), Field(ids.fresh(), "s", pa.string()))
    batch = pa.RecordBatch.from_arrays([pa.array([1, 2, None, 4]), pa.array(["x", None, "z", ""])], ["n", "s"])
    values = Values(fields, batch)
    reads = [Reference(SharedId(0), "few", (Field(ids.fresh(), "n", pa.int64()),), (fields[0].id,)) for _ in range(2)]
    body = Join(reads[0], reads[1], JoinKind.INNER)
    assert format_relation(With((Definition(SharedId(0), "few", values),), body)).splitlines() == [
        "Shared few@0",
        "  Values [n#0, s#1] (1, 'x'), (2, null), (null, 'z'), and 1 more",
        "Join inner",
        "  Reference few@0 [n#2 = #0]",
        "  Reference few@0 [n#3 = #0]",
    ]


def test_equal_relations_have_equal_texts() -> None:
    assert format_relation(scan("t", ColumnIds())) == format_relation(scan("t", ColumnIds()))
    assert format_relation(scan("t", ColumnIds())) != format_relation(scan("t", ColumnIds(1)))
