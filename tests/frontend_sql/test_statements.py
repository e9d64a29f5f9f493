"""Statements that are more than a query: EXPLAIN, CREATE, DROP; views bound where they are read; files that a query names."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.csv as csv
import pyarrow.parquet as parquet
import pytest

from flightmesh.catalog.catalog import View
from flightmesh.catalog.table import FileTable, Format
from flightmesh.errors import InvalidInput, InvalidQuery, Position
from flightmesh.frontend.sql import (
    Analyze,
    CreateTableAs,
    CreateView,
    DropTable,
    DropView,
    Existing,
    Explain,
    Missing,
    Query,
)
from flightmesh.logical.relations import Scan
from flightmesh.logical.traversal import walk
from tests.frontend_sql.tables import V, catalog, plan, query


@pytest.mark.parametrize(
    ("text", "analyze"),
    [
        ("explain select a from t", Analyze.NO),
        ("EXPLAIN ANALYZE select a from t", Analyze.YES),
        ("-- why\nexplain\n  analyze\nselect a from t;", Analyze.YES),
    ],
)
def test_explain(text: str, analyze: Analyze) -> None:
    statement = plan(text)
    assert isinstance(statement, Explain)
    assert statement.analyze is analyze
    assert statement.query.names == ("a",)


def test_explain_keeps_places() -> None:
    with pytest.raises(InvalidQuery) as caught:
        plan("explain\nselect nope from t")
    assert caught.value.position == Position(2, 8, 4)


@pytest.mark.parametrize(
    ("text", "existing", "kept"),
    [
        ("create view w as select a + 1 as x from t", Existing.FAIL, "select a + 1 as x from t"),
        ("create or replace view w as\n  select 1 as x;", Existing.REPLACE, "select 1 as x"),
        ("create view if not exists w as (select 1 as x)", Existing.KEEP, "(select 1 as x)"),
        ("create temp view w as from t select a as x", Existing.FAIL, "from t select a as x"),
    ],
)
def test_create_view_keeps_the_text(text: str, existing: Existing, kept: str) -> None:
    statement = plan(text)
    assert isinstance(statement, CreateView)
    assert (statement.name, statement.existing, statement.text, statement.dialect) == (("w",), existing, kept, "duckdb")
    assert statement.query.names == ("x",)


def test_column_names_of_a_view_are_part_of_its_text() -> None:
    statement = plan('create view memory.main.w(p, "q q") as select a, b as a from t')
    assert isinstance(statement, CreateView)
    assert statement.name == ("memory", "main", "w")
    known = catalog()
    known.register("w", View("w", statement.text, statement.dialect))
    assert query("select * from w", known=known).names == ("p", "q q") == statement.query.names


def test_a_wrong_view_is_refused_when_it_is_written() -> None:
    with pytest.raises(InvalidQuery, match="there is no column 'nope'"):
        plan("create view w as select nope from t")
    with pytest.raises(InvalidQuery, match="a view cannot have parameters"):
        plan("create view w as select :x", {"x": 1})


def test_a_view_is_bound_in_its_own_dialect_and_names() -> None:
    known = catalog()
    known.register("w", View("w", "select `a` as `x`, b from t where a > 1", "mysql"))
    result = query("with t as (select 1 as z) select p.x, q.b from w p join W q on p.x = q.x", known=known)
    assert result.names == ("x", "b")
    assert sum(isinstance(node, Scan) for node in walk(result.relation)) == 2


def test_an_error_in_a_view_names_it_and_shows_its_text() -> None:
    known = catalog()
    known.register("w", View("w", "select gone from t", "duckdb"))
    with pytest.raises(InvalidQuery) as caught:
        query("select * from w", known=known)
    assert caught.value.message == "in the view w: there is no column 'gone'"
    assert (caught.value.position, caught.value.text) == (Position(1, 8, 4), "select gone from t")


def test_views_that_read_each_other_are_refused() -> None:
    known = catalog()
    known.register("w", View("w", "select * from x", "duckdb"))
    known.register("x", View("x", "select * from w", "duckdb"))
    with pytest.raises(InvalidQuery, match="the view w reads itself"):
        query("select * from w", known=known)


def test_create_table_as() -> None:
    statement = plan("create or replace table x as select a, s from t")
    assert isinstance(statement, CreateTableAs)
    assert (statement.name, statement.existing, statement.query.names) == (("x",), Existing.REPLACE, ("a", "s"))


def test_drop() -> None:
    assert plan("drop table if exists a.b") == DropTable(("a", "b"), Missing.IGNORE)
    assert plan("drop view w") == DropView(("w",), Missing.FAIL)


def _scanned(text: str) -> FileTable:
    statement = plan(text)
    assert isinstance(statement, Query)
    table = next(node.table for node in walk(statement.relation) if isinstance(node, Scan))
    assert isinstance(table, FileTable)
    return table


def test_files_by_path(tmp_path: Path) -> None:
    parquet.write_table(V, tmp_path / "one.parquet")
    parquet.write_table(V, tmp_path / "two.parquet")
    assert len(_scanned(f"select one.a from '{tmp_path}/one.parquet'").files) == 1
    assert len(_scanned(f"select * from '{tmp_path}/*.parquet' x").files) == 2
    assert len(_scanned(f"select * from read_parquet(['{tmp_path}/one.parquet', '{tmp_path}/two.parquet'])").files) == 2
    statement = plan_with_path(f"{tmp_path}/one.parquet")
    assert statement.names == ("A", "Name")


def plan_with_path(path: str) -> Query:
    return query("select * from read_parquet(:path)", {"path": path})


def test_files_with_options(tmp_path: Path) -> None:
    csv.write_csv(V, tmp_path / "v.txt", csv.WriteOptions(delimiter=";"))
    table = _scanned(f"select * from read_csv('{tmp_path}/v.txt', delim = ';', header = true)")
    assert table.format is Format.CSV
    assert dict(table.options)["delimiter"] == ";"
    assert table.schema.names == ["A", "Name"]


def test_a_missing_file_is_named_with_its_place() -> None:
    with pytest.raises(InvalidInput) as caught:
        plan("select *\nfrom 'nowhere/*.parquet'")
    assert caught.value.position == Position(2, 6, 19)


def test_a_column_of_nulls_is_integer() -> None:
    assert query("select null as x, a from t").relation.fields[0].type == pa.int32()
