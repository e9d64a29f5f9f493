"""What the 22 TPC-H queries become: the plans that a person would write."""

from __future__ import annotations

import statistics as summary
import time
from collections.abc import Iterator
from functools import cache

import pytest

from flightmesh.catalog.catalog import Catalog
from flightmesh.catalog.open import open_table
from flightmesh.catalog.statistics import statistics
from flightmesh.config import Config
from flightmesh.expression.nodes import conjuncts
from flightmesh.frontend.sql.plan import plan_statement
from flightmesh.frontend.sql.statements import Query
from flightmesh.ids import ColumnIds
from flightmesh.logical.relations import Aggregate, Apply, Join, JoinKind, Relation, Scan, SetOperation, Window
from flightmesh.logical.traversal import walk
from flightmesh.logical.validate import validate
from flightmesh.optimize.context import Context
from flightmesh.optimize.keys import at_most_one_row
from flightmesh.optimize.rules import optimize, optimize_with_trace
from tests.tpch.data import TABLES, queries, table_files, tpch_folder

NUMBERS = tuple(range(1, 23))


@cache
def catalog() -> Catalog:
    made = Catalog()
    folder = tpch_folder("0.1")
    for name in TABLES:
        made.register(name, open_table(name, table_files(folder, name)))
    return made


def bound(number: int) -> tuple[Relation, Context]:
    ids = ColumnIds()
    statement = plan_statement(queries()[number], catalog=catalog(), dialect="duckdb", params={}, ids=ids)
    assert isinstance(statement, Query)
    return statement.relation, Context(ids, statistics, Config())


@cache
def optimized(number: int) -> Relation:
    return optimize(*bound(number))


def joins(number: int, *kinds: JoinKind) -> list[Join]:
    return [n for n in walk(optimized(number)) if isinstance(n, Join) and (not kinds or n.kind in kinds)]


def scans(relation: Relation, table: str) -> Iterator[Scan]:
    return (n for n in walk(relation) if isinstance(n, Scan) and n.table.name == table)


@pytest.mark.parametrize("number", NUMBERS)
def test_well_formed_and_free_of_subqueries(number: int) -> None:
    relation, context = bound(number)
    result = optimize_with_trace(relation, context)
    validate(result.relation)
    assert [f.id for f in result.relation.fields] == [f.id for f in relation.fields]
    assert not any(isinstance(n, Apply | SetOperation) for n in walk(result.relation))
    assert not [n for n in walk(result.relation) if isinstance(n, Join) and n.kind in (JoinKind.SINGLE, JoinKind.MARK)]
    assert "prune_columns" in result.fired


@pytest.mark.parametrize("number", NUMBERS)
def test_every_join_has_a_key_or_a_side_of_few_rows(number: int) -> None:
    for join in joins(number):
        keyed = any(getattr(part, "function", "") == "equal" for part in conjuncts(join.condition))
        nations = all(isinstance(side, Scan) and side.table.name == "nation" for side in (join.left, join.right))
        assert keyed or at_most_one_row(join.right) or nations


@pytest.mark.parametrize("number", NUMBERS)
def test_lineitem_is_never_built_but_for_a_membership(number: int) -> None:
    for join in joins(number, JoinKind.INNER):
        whole = isinstance(join.right, Scan) and join.right.table.name == "lineitem" and not join.right.filters
        assert not whole


@pytest.mark.parametrize(
    ("number", "kind", "count"),
    [
        (4, JoinKind.SEMI, 1),
        (13, JoinKind.LEFT, 1),
        (16, JoinKind.ANTI, 1),
        (18, JoinKind.SEMI, 1),
        (20, JoinKind.SEMI, 3),
        (21, JoinKind.SEMI, 1),
        (22, JoinKind.ANTI, 1),
        (22, JoinKind.INNER, 1),
    ],
)
def test_kinds_of_joins(number: int, kind: JoinKind, count: int) -> None:
    assert len(joins(number, kind)) == count


def test_a_correlated_aggregate_is_grouped_by_its_key_over_the_wanted_groups_only() -> None:
    grouped = next(
        n for n in walk(optimized(20)) if isinstance(n, Aggregate) and any(g.field.name == "l_partkey" for g in n.groups)
    )
    assert any(isinstance(n, Join) and n.kind is JoinKind.SEMI for n in walk(grouped))


@pytest.mark.parametrize(("number", "table"), [(2, "partsupp"), (17, "lineitem")])
def test_a_correlated_aggregate_of_what_the_query_reads_is_a_window_over_the_wanted_rows_only(number: int, table: str) -> None:
    (window,) = (n for n in walk(optimized(number)) if isinstance(n, Window))
    assert any(isinstance(n, Join) and n.kind is JoinKind.SEMI for n in walk(window))
    assert len(list(scans(optimized(number), table))) == 1


def test_q6_and_q3_read_only_what_they_need() -> None:
    (lines,) = scans(optimized(6), "lineitem")
    assert [f.name for f in lines.fields] == ["l_extendedprice", "l_discount"]
    assert {f.name for f in lines.filter_only} == {"l_quantity", "l_shipdate"}
    assert len(lines.filters) == 5
    (customers,) = scans(optimized(3), "customer")
    assert [f.name for f in customers.fields] == ["c_custkey"]
    assert [f.name for f in customers.filter_only] == ["c_mktsegment"]


def test_q19_takes_the_common_conjuncts_out_of_its_or() -> None:
    (join,) = joins(19)
    assert any(getattr(part, "function", "") == "equal" for part in conjuncts(join.condition))
    for side in ("part", "lineitem"):
        (scan,) = scans(optimized(19), side)
        assert any(getattr(part, "function", "") == "or" for part in scan.filters)


def test_q7_gives_each_nation_its_part_of_the_or() -> None:
    assert all(scan.filters for scan in scans(optimized(7), "nation"))


def test_planning_is_quick() -> None:
    best = []
    for number in NUMBERS:
        tries = []
        for _ in range(3):
            relation, context = bound(number)
            started = time.process_time()
            optimize(relation, context)
            tries.append(time.process_time() - started)
        best.append(min(tries))
    assert summary.median(best) < 0.010
