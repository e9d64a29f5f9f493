"""Queries over Parquet texts that repeat, which scans read as dictionaries: rows and types as if they were plain."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from flightmesh.catalog.normalise import Form
from flightmesh.catalog.open import open_table
from flightmesh.catalog.scan import read_split, splits
from flightmesh.session import Session

QUERIES = [
    "from r",
    "select a from r limit 5000",
    "select a, n from r where a = 'a1' and n % 3 = 0",
    "select a, n from r where a is null",
    "select n from r where a is distinct from 'a2' and b like '%3'",
    "select a, b, n from r where a < b and n > 100",
    "select a, b from r where a = 'a1' or b = 'b3' or n = 7",
    "select n from r where upper(a) in ('A1', 'A3') and b not in ('b1')",
    "select n from r where coalesce(a, b) = 'b3'",
    "select n from r where cast(right(b, 1) as integer) = 3 and a = 'a0'",
    "select a, b, count(*) as c, min(b) as m from r group by a, b",
    "select count(distinct a) as c, max(a) as m from r",
    "select a, n from r order by a desc nulls last, n limit 100",
    "select x.a, count(*) as c from r as x join r as y on x.a = y.a and x.n = y.n + 1 group by x.a",
    "select x.n from r as x where x.a not in (select b from r where b is not null)",
    "select distinct a || '-' || b as t from r where b <> 'b0'",
    "select a from r union select b from r",
    "select n from r where year = 2020 and a = 'a1'",
    "select a, year from r where a = 'a1' and b = 'b9'",
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A partitioned folder whose text `a` has another dictionary in each row group, one of them only NULL."""
    for year in (2020, 2021):
        rows = range(2000)
        a = [None if row % 7 == 0 or 500 <= row < 1000 else f"a{row % 4 + row // 1000}" for row in rows]
        table = pa.table(
            {"a": pa.array(a, pa.string()), "b": [f"b{row % 6}" for row in rows], "n": [row + year for row in rows]}
        )
        (tmp_path / f"year={year}").mkdir()
        pq.write_table(table, tmp_path / f"year={year}" / "x.parquet", row_group_size=500)
    return tmp_path


def test_the_texts_are_read_as_dictionaries(folder: Path) -> None:
    table = open_table("r", folder)
    for split in splits(table):
        for batch in read_split(table, split, ["a", "b"], morsel_rows=1000, form=Form.COMPACT):
            assert all(pa.types.is_dictionary(kind) for kind in batch.schema.types)


def sorted_rows(table: pa.Table) -> list[tuple[object, ...]]:
    return sorted((tuple(row.values()) for row in table.to_pylist()), key=repr)


@pytest.mark.parametrize("query", QUERIES)
def test_like_duckdb(plain: Session, folder: Path, query: str) -> None:
    plain.register("r", folder)
    with duckdb.connect() as reference:
        reference.execute(f"create view r as from read_parquet('{folder}/**/*.parquet', hive_partitioning = true)")
        expected = reference.sql(query).to_arrow_table()
    got = plain.sql(query).to_arrow()
    assert not [kind for kind in got.schema.types if pa.types.is_dictionary(kind)]
    assert sorted_rows(got) == sorted_rows(expected)


def test_a_table_made_of_them_is_plain(plain: Session, folder: Path) -> None:
    plain.register("r", folder)
    plain.sql("create table made as select a, b from r where b <> 'b1'")
    got = plain.sql("from made").to_arrow()
    assert got.schema.types == [pa.string(), pa.string()]
    batches = list(plain.sql("select a from r"))
    assert {batch.schema.types[0] for batch in batches} == {pa.string()}
