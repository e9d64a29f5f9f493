"""Small tables and few rows are in one task, so nothing is exchanged among them."""

from __future__ import annotations

from dataclasses import replace

import pyarrow as pa

import flightmesh
from flightmesh.catalog.table import File, FileTable, Format, MemoryTable, Storage
from flightmesh.config import Config
from flightmesh.physical.one_task import SMALL_EDGE_ROWS, is_at_hand, is_few, is_small

LARGE = pa.table({"k": [i % 300 for i in range(300_000)], "v": range(300_000)})
SMALL = pa.table({"k": range(300), "name": [f"n{i % 50}" for i in range(300)]})
OTHER = pa.table({"name": [f"n{i}" for i in range(50)], "w": range(50)})
CONFIG = Config(threads=2)


def stages(sql: str) -> str:
    with flightmesh.connect(config=CONFIG) as session:
        for name, table in {"large": LARGE, "small": SMALL, "other": OTHER}.items():
            session.register(name, table)
        return session.explain(sql, "stages")


def test_a_query_of_small_tables_is_one_stage() -> None:
    text = stages("select name, count(*) from small join other using (name) group by name order by 2 limit 3")
    assert text.startswith("Stage 0: 1 task -> edge 0 single to client\n")
    assert "Stage 1" not in text
    assert "GroupBy partial" not in text


def test_few_groups_are_gathered_and_their_readers_are_in_the_same_task() -> None:
    text = stages("select name, n from (select k, count(*) as n from large group by k) join small using (k) order by n")
    assert [line for line in text.splitlines() if line.startswith("Stage")] == [
        "Stage 0: 2 tasks -> edge 0 single to stage 1",
        "Stage 1: 1 task -> edge 1 single to client",
    ]


def test_a_small_build_tells_other_stages_its_keys_from_a_stage_of_its_own() -> None:
    few = "select k from small where name = 'n7'"
    text = stages(f"select n from (select k, count(*) as n from large group by k) where k in ({few})")
    assert text.startswith("Stage 0: 1 task -> edge 0 broadcast to stage 2, makes f0 in k")
    scan = next(line for line in text.splitlines() if "Scan large" in line)
    assert "keys of f" in scan


def test_small_and_large_branches_of_a_union_are_one_stage() -> None:
    text = stages("select k, v from large union all select k, k from small where k > 3 union all select 1, 2")
    assert text.startswith("Stage 0: 2 tasks -> edge 0 single to client\n")
    assert "Stage 1" not in text


def test_what_lies_elsewhere_is_read_by_a_stage_of_its_own() -> None:
    here = FileTable("t", Format.PARQUET, Storage(), (File("t.parquet", 1000, 0),), pa.schema([("k", pa.int64())]))
    there = replace(here, storage=Storage("s3"))
    assert is_small(here) and is_small(there)
    assert is_at_hand(here, CONFIG) and not is_at_hand(there, CONFIG)
    assert not is_at_hand(replace(here, files=(File("t.parquet", 1 << 30, 0),)), CONFIG)
    assert is_at_hand(MemoryTable("t", "t#0", here.schema, 10, 80), CONFIG)


def test_nothing_is_few_where_the_partitions_are_fixed() -> None:
    fixed = Config(threads=2, partitions=2)
    assert is_few(SMALL_EDGE_ROWS - 1, CONFIG) and not is_few(SMALL_EDGE_ROWS, CONFIG) and not is_few(None, CONFIG)
    assert not is_few(1, fixed)
    assert not is_at_hand(MemoryTable("t", "t#0", LARGE.schema, 10, 80), fixed)
