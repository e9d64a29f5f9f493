"""Keys that conditions on other columns have thinned out still meet by chance: shares are of what they were drawn from."""

from __future__ import annotations

import pyarrow as pa
import pytest

from flightmesh.catalog.table import ColumnStatistics, MemoryTable, Table, TableStatistics
from flightmesh.config import Config
from flightmesh.expression.nodes import Cast, Field
from flightmesh.ids import ColumnIds
from flightmesh.logical.relations import Aggregate, Filter, Join, JoinKind, Relation, Scan, passes
from flightmesh.logical.traversal import walk
from flightmesh.optimize.context import Context
from flightmesh.optimize.estimate import estimate
from flightmesh.optimize.order_joins import order_joins
from tests.optimize.building import call, col, lit


def numbers(low: int, high: int, distinct: int | None = None) -> ColumnStatistics:
    return ColumnStatistics(pa.scalar(low), pa.scalar(high), 0, distinct or high - low + 1)


KNOWN = {
    "sales": TableStatistics(
        3_000_000,
        72_000_000,
        {"s_day": numbers(50_001, 51_800), "s_person": numbers(1, 2_000_000), "s_item": numbers(1, 20_000)},
    ),
    "days": TableStatistics(73_000, 2_000_000, {"d_day": numbers(15_001, 88_000), "d_year": numbers(1900, 2099)}),
    "people": TableStatistics(2_000_000, 32_000_000, {"p_person": numbers(1, 2_000_000), "p_kind": numbers(1, 100)}),
    "notes": TableStatistics(100, 2_000, {"n_item": ColumnStatistics(pa.scalar("1"), pa.scalar("99"), 0, 100)}),
    "stock": TableStatistics(
        40_000, 640_000, {"k_item": numbers(1, 20_000), "k_person": numbers(1, 2_000_000, 40_000), "k_left": numbers(1, 9)}
    ),
    "items": TableStatistics(20_000, 320_000, {"i_item": numbers(1, 20_000), "i_maker": numbers(1, 1_000)}),
}


def planning() -> Context:
    def statistics(table: Table) -> TableStatistics:
        return KNOWN[table.name]

    return Context(ColumnIds(1000), statistics, Config())


def table(name: str, ids: ColumnIds) -> Scan:
    known = KNOWN[name].columns
    fields = tuple(Field(ids.fresh(), n, pa.int64() if c.minimum is None else c.minimum.type) for n, c in known.items())
    schema = pa.schema([pa.field(f.name, f.type) for f in fields])
    return Scan(MemoryTable(name, name, schema, KNOWN[name].rows or 0, KNOWN[name].bytes), fields)


def only(relation: Relation, name: str, value: int) -> Relation:
    return Filter(relation, call("equal", col(relation, name), lit(value)))


def joined(left: Relation, a: str, right: Relation, b: str, kind: JoinKind = JoinKind.INNER) -> Join:
    return Join(left, right, kind, call("equal", col(left, a), col(right, b)))


def rows(relation: Relation) -> float:
    return estimate(relation, planning()).rows


def test_a_second_dimension_keeps_its_share_of_what_the_first_has_left() -> None:
    ids = ColumnIds()
    sales, items, people = table("sales", ids), table("items", ids), table("people", ids)
    of_maker = joined(sales, "s_item", only(items, "i_maker", 7), "i_item")
    assert rows(of_maker) == pytest.approx(3_000, rel=0.01)
    # Those 3,000 rows have some 3,000 people, fewer than the 20,000 of the kind, and still only one in a hundred is of it.
    assert rows(joined(of_maker, "s_person", only(people, "p_kind", 3), "p_person")) == pytest.approx(30, rel=0.1)


def test_asked_for_days_lie_among_those_with_sales() -> None:
    ids = ColumnIds()
    sales, days = table("sales", ids), table("days", ids)
    assert rows(joined(sales, "s_day", days, "d_day")) == pytest.approx(3_000_000, rel=0.01)
    assert rows(joined(sales, "s_day", days, "d_day", JoinKind.SEMI)) == pytest.approx(3_000_000, rel=0.01)
    year = only(days, "d_year", 2037)
    assert rows(joined(sales, "s_day", year, "d_day")) == pytest.approx(3_000_000 * 365 / 1_800, rel=0.01)
    assert rows(joined(sales, "s_day", year, "d_day", JoinKind.SEMI)) == pytest.approx(3_000_000 * 365 / 1_800, rel=0.01)


def test_what_a_semi_join_has_cut_down_is_not_cut_down_by_the_same_again() -> None:
    ids = ColumnIds()
    sales = table("sales", ids)
    few, again = (only(table("items", ids), "i_maker", 7) for _ in range(2))
    reduced = joined(sales, "s_item", few, "i_item", JoinKind.SEMI)
    grouped = Aggregate(reduced, (passes(col(reduced, "s_item")),), ())
    assert rows(grouped) == pytest.approx(20, rel=0.01)
    assert rows(joined(grouped, "s_item", again, "i_item")) == pytest.approx(20, rel=0.01)


def test_text_and_numbers_are_not_compared_by_their_ranges() -> None:
    ids = ColumnIds()
    sales, notes = table("sales", ids), table("notes", ids)
    compared = call("equal", col(sales, "s_item"), Cast(col(notes, "n_item"), pa.int64()))
    assert rows(Join(sales, notes, JoinKind.INNER, compared)) == pytest.approx(3_000_000 * 100 / 20_000, rel=0.01)


def test_the_dimension_that_keeps_least_comes_first() -> None:
    ids = ColumnIds()
    sales, days = table("sales", ids), only(table("days", ids), "d_year", 2000)
    people = only(table("people", ids), "p_kind", 3)
    written = joined(joined(sales, "s_day", days, "d_day"), "s_person", people, "p_person")
    ordered = order_joins(written, planning())
    joins = [node for node in walk(ordered) if isinstance(node, Join)]
    first = joins[-1]
    assert {f.name for f in first.right.fields} == {"p_person", "p_kind"}
    assert {f.name for f in first.left.fields} == {"s_day", "s_person", "s_item"}


def test_columns_that_met_one_table_are_one_key_of_it() -> None:
    """A sale of an item and a person that some row of stock names, asked by way of the item and the person themselves."""
    ids = ColumnIds()
    sales, stock, items, people = (table(name, ids) for name in ("sales", "stock", "items", "people"))
    named = joined(joined(stock, "k_item", items, "i_item"), "k_person", people, "p_person")
    both = call(
        "and", *(call("equal", col(sales, a), col(named, b)) for a, b in (("s_item", "i_item"), ("s_person", "p_person")))
    )
    by_stock = call(
        "and", *(call("equal", col(sales, a), col(named, b)) for a, b in (("s_item", "k_item"), ("s_person", "k_person")))
    )
    asked = rows(Join(sales, named, JoinKind.INNER, both))
    assert asked == pytest.approx(rows(Join(sales, named, JoinKind.INNER, by_stock)), rel=0.05)
    assert asked == pytest.approx(3_000_000 * 40_000 / 2_000_000, rel=0.05)  # of two keys apart it would be three
