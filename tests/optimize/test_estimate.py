"""Estimates against the truth of made-up tables: right within a factor, and never absurd."""

from __future__ import annotations

import datetime

import pyarrow as pa
import pytest

from flightmesh.catalog.table import ColumnStatistics, MemoryTable, Table, TableStatistics
from flightmesh.config import Config
from flightmesh.expression.nodes import Expression, Field, InList
from flightmesh.expression.registry import bind_aggregate
from flightmesh.ids import ColumnIds
from flightmesh.logical.relations import (
    Aggregate,
    AggregateItem,
    Filter,
    Join,
    JoinKind,
    Limit,
    Project,
    Quantifier,
    Relation,
    Scan,
    SetKind,
    SetOperation,
    passes,
)
from flightmesh.optimize.context import Context
from flightmesh.optimize.estimate import estimate
from flightmesh.optimize.rules import optimize
from tests.optimize.binding import bound
from tests.optimize.building import call, col, lit

DAY = datetime.date
KNOWN = {
    "orders": TableStatistics(
        1_000_000,
        80_000_000,
        {
            "o_key": ColumnStatistics(pa.scalar(1), pa.scalar(4_000_000), 0, 1_000_000),
            "o_date": ColumnStatistics(pa.scalar(DAY(1992, 1, 1)), pa.scalar(DAY(1998, 12, 31)), 0, 2_557),
            "o_note": ColumnStatistics(None, None, 250_000, 50),
        },
    ),
    "lines": TableStatistics(
        4_000_000,
        200_000_000,
        {
            "l_key": ColumnStatistics(pa.scalar(1), pa.scalar(4_000_000), 0, 1_000_000),
            "l_part": ColumnStatistics(pa.scalar(1), pa.scalar(200_000), 0, 200_000),
            "l_supplier": ColumnStatistics(pa.scalar(1), pa.scalar(10_000), 0, 10_000),
        },
    ),
    "offers": TableStatistics(
        800_000,
        20_000_000,
        {
            "p_part": ColumnStatistics(pa.scalar(1), pa.scalar(200_000), 0, 200_000),
            "p_supplier": ColumnStatistics(pa.scalar(1), pa.scalar(10_000), 0, 10_000),
        },
    ),
    "text": TableStatistics(None, 3_200_000, {}),
}
TYPES = {"o_date": pa.date32(), "o_note": pa.string()}


def statistics(table: Table) -> TableStatistics:
    return KNOWN[table.name]


def planning() -> Context:
    return Context(ColumnIds(1000), statistics, Config())


def table(name: str, ids: ColumnIds, *columns: str) -> Scan:
    names = columns or tuple(KNOWN[name].columns)
    fields = tuple(Field(ids.fresh(), n, TYPES.get(n, pa.int64())) for n in names)
    schema = pa.schema([pa.field(f.name, f.type) for f in fields])
    return Scan(MemoryTable(name, name, schema, KNOWN[name].rows or 0, KNOWN[name].bytes), fields)


def rows(relation: Relation) -> float:
    return estimate(relation, planning()).rows


def filtered(*parts: Expression, over: Relation) -> float:
    return rows(Filter(over, call("and", *parts) if len(parts) > 1 else parts[0]))


def test_ranges_of_one_column_are_put_together() -> None:
    orders = table("orders", ColumnIds())
    date = col(orders, "o_date")
    year = (call("greater_equal", date, lit(DAY(1994, 1, 1))), call("less", date, lit(DAY(1995, 1, 1))))
    assert filtered(*year, over=orders) == pytest.approx(1_000_000 / 7, rel=0.05)
    assert filtered(call("less", date, lit(DAY(1990, 1, 1))), over=orders) < 10


def test_equalities_lists_and_nulls() -> None:
    orders = table("orders", ColumnIds())
    note = col(orders, "o_note")
    assert filtered(call("equal", note, lit("x")), over=orders) == pytest.approx(20_000)
    assert rows(Filter(orders, InList(note, (lit("x"), lit("y"), lit("z"))))) == pytest.approx(60_000)
    assert filtered(call("is_null", note), over=orders) == pytest.approx(250_000)
    assert filtered(call("is_not_null", note), over=orders) == pytest.approx(750_000)
    either = call("or", call("equal", note, lit("x")), call("equal", note, lit("y")))
    assert filtered(either, over=orders) == pytest.approx(39_600)


def test_a_foreign_key_join_has_the_rows_of_the_many() -> None:
    ids = ColumnIds()
    orders, lines = table("orders", ids), table("lines", ids)
    on = call("equal", col(lines, "l_key"), col(orders, "o_key"))
    assert rows(Join(lines, orders, JoinKind.INNER, on)) == pytest.approx(4_000_000)
    recent = Filter(orders, call("greater_equal", col(orders, "o_date"), lit(DAY(1998, 1, 1))))
    assert rows(Join(lines, recent, JoinKind.INNER, on)) == pytest.approx(4_000_000 / 7, rel=0.05)
    assert rows(Join(lines, recent, JoinKind.SEMI, on)) == pytest.approx(4_000_000 / 7, rel=0.3)
    assert rows(Join(lines, recent, JoinKind.LEFT, on)) == pytest.approx(4_000_000)


def test_a_key_of_two_columns_is_not_two_keys() -> None:
    ids = ColumnIds()
    lines, offers = table("lines", ids), table("offers", ids)
    part = call("equal", col(lines, "l_part"), col(offers, "p_part"))
    supplier = call("equal", col(lines, "l_supplier"), col(offers, "p_supplier"))
    assert rows(Join(lines, offers, JoinKind.INNER, call("and", part, supplier))) == pytest.approx(4_000_000)


def test_groups_are_no_more_than_rows() -> None:
    ids = ColumnIds()
    lines = table("lines", ids)
    counted = bind_aggregate("count", ())
    made = (AggregateItem(Field(ids.fresh(), "n", counted.type), counted),)
    by_part = Aggregate(lines, (passes(col(lines, "l_part")),), made)
    assert rows(by_part) == pytest.approx(200_000)
    assert rows(Aggregate(lines, tuple(passes(f.column()) for f in lines.fields), made)) <= 4_000_000
    assert rows(Aggregate(lines, (), made)) == 1


def test_limits_unions_and_unknown_tables() -> None:
    ids = ColumnIds()
    orders, text = table("orders", ids), table("text", ids, "a", "b")
    assert rows(Limit(orders, 10, 5)) == 10
    assert rows(text) == pytest.approx(200_000)
    fields = (Field(ids.fresh(), "n", pa.int64()),)
    parts = (Project(orders, (passes(col(orders, "o_key")),)), Project(text, (passes(col(text, "a")),)))
    assert rows(SetOperation(SetKind.UNION, Quantifier.ALL, parts, fields)) == pytest.approx(1_200_000)


def test_bytes_follow_the_columns() -> None:
    orders = table("orders", ColumnIds(), "o_key", "o_date")
    assert estimate(orders, planning()).row_bytes == 12


def test_an_estimate_is_made_once_for_a_relation() -> None:
    calls: list[str] = []

    def counting(found: Table) -> TableStatistics:
        calls.append(found.name)
        return statistics(found)

    once = Context(ColumnIds(), counting, Config())
    orders = table("orders", ColumnIds())
    assert estimate(orders, once) is estimate(orders, once)
    assert calls == ["orders"]


def test_references_are_estimated_by_what_they_read() -> None:
    shared = "with a as (select k, count(*) as n from t group by k)"
    relation, context = bound(f"{shared} select a.n from a join a as b on a.k = b.n")
    assert 1 <= estimate(optimize(relation, context), context).rows <= 10
