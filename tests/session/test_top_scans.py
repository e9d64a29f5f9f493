"""ORDER BY with LIMIT over files: the answer is DuckDB's, whatever order the rows lie in, and row groups that come too late are
not read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

import flightmesh
from flightmesh.catalog.formats import parquet
from flightmesh.config import Config
from tests.compare import Order, assert_same, duckdb_answer
from tests.meshes import AT_MESHES, Meshes, session_at
from tests.session.counting import counted

ROWS, GROUP, FILES = 30_000, 2_500, 3
GROUPS = ROWS // GROUP
LAYOUTS = ("shuffled", "ascending", "descending", "clustered", "tied", "nulls", "all_null")
KEYS = ("number", "small", "big", "day", "moment", "price", "real", "word", "flag")


def placed(layout: str, generator: np.random.Generator) -> npt.NDArray[np.int64]:
    """Where each row stands in the order of the keys."""
    places = np.arange(ROWS)
    match layout:
        case "shuffled":
            return generator.permutation(places)
        case "descending":
            return places[::-1].copy()
        case "clustered":
            return np.concatenate([generator.permutation(part) for part in generator.permutation(places.reshape(-1, 500))])
        case "tied":
            return np.sort(generator.integers(0, 5, ROWS)) * 1000
        case _:
            return places


def make(layout: str, seed: int) -> pa.Table:
    """Keys of many types in the same order, and `id`, which nothing is ordered by."""
    generator = np.random.default_rng(seed)
    places = placed(layout, generator)
    share = {"nulls": 0.3, "all_null": 1.0}.get(layout, 0.0)
    gone = generator.random(ROWS) < share
    if layout == "nulls":
        gone[: 2 * GROUP] = False
        gone[5 * GROUP : 6 * GROUP] = True
    real = places / 7.0 - 1000.0
    if layout in ("shuffled", "nulls"):
        real[generator.random(ROWS) < 0.0005] = np.nan
    words = [f"{'a long beginning that all of them have, ' * 3}{place:08}" for place in places]

    def column(values: Any, kind: pa.DataType) -> pa.Array:
        made = pa.array(values).cast(kind)
        return pc.if_else(pa.array(gone), pa.scalar(None, kind), made)

    return pa.table(
        {
            "id": pa.array(generator.permutation(ROWS)),
            "number": column(places - 9_000, pa.int64()),
            "small": column(places.astype(np.int32), pa.int32()),
            "big": column(places.astype(np.uint64) + np.uint64(1 << 63), pa.uint64()),
            "day": column(places.astype(np.int32) - 500, pa.date32()),
            "moment": column(places * 1_000_003, pa.timestamp("us")),
            "price": column(
                pa.array(places - 700).cast(pa.decimal128(19, 0)).cast(pa.decimal128(15, 2), safe=False), pa.decimal128(15, 2)
            ),
            "real": column(real, pa.float64()),
            "word": column(words, pa.string()),
            "flag": column(places > ROWS // 2, pa.bool_()),
            "part": pa.array((np.arange(ROWS) // (ROWS // FILES)).astype(np.int64)),
        }
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder a layout with files of several row groups; `mixed` has files without statistics, without the keys, and by
    DuckDB, which cuts the bounds of long texts; `hive` has the key in the names of its folders."""
    made = tmp_path_factory.mktemp("top")
    for seed, layout in enumerate(LAYOUTS):
        (made / layout).mkdir()
        table = make(layout, seed)
        share = ROWS // FILES
        for number in range(FILES):
            pq.write_table(table.slice(number * share, share), made / layout / f"{number}.parquet", row_group_size=GROUP)
    mixed = made / "mixed"
    mixed.mkdir()
    first, second = make("ascending", 20), make("shuffled", 21)
    pq.write_table(first.slice(0, 9_000), mixed / "a.parquet", row_group_size=GROUP)
    pq.write_table(second.slice(0, 9_000), mixed / "b.parquet", row_group_size=GROUP, write_statistics=False)
    pq.write_table(second.slice(9_000, 6_000).select(["id", "part"]), mixed / "c.parquet", row_group_size=GROUP)
    with duckdb.connect() as connection:
        connection.register("rows", second.slice(15_000, 9_000))
        connection.execute(f"copy rows to '{mixed / 'd.parquet'}' (format parquet, row_group_size 2048)")
        connection.register("rows", make("clustered", 22).rename_columns(["id", *KEYS, "year"]))
        connection.execute(f"copy rows to '{made / 'hive'}' (format parquet, partition_by (year), row_group_size 2048)")
    return made


def tables(folder: Path) -> dict[str, str]:
    named = {layout: f"{folder / layout}/*.parquet" for layout in (*LAYOUTS, "mixed")}
    return {**named, "hive": f"{folder / 'hive'}/**/*.parquet"}


@pytest.fixture(scope="module")
def duck(folder: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        # So that it reads all of them itself: it has been seen to be wrong where it filters below ORDER BY with LIMIT.
        connection.execute("set disabled_optimizers = 'join_filter_pushdown'")
        for name, path in tables(folder).items():
            hive = ", hive_partitioning = true" if name == "hive" else ""
            connection.execute(f"create table \"{name}\" as select * from read_parquet('{path}', union_by_name = true{hive})")
        yield connection


def registered(session: Any, folder: Path) -> Any:
    for name, path in tables(folder).items():
        session.register(name, path if name != "hive" else str(folder / "hive"))
    return session


@pytest.fixture(scope="module", params=[1, 2, 5])
def session(request: pytest.FixtureRequest, folder: Path) -> Iterator[flightmesh.Session]:
    """Of so many tasks a scan."""
    config = Config(threads=2, partitions=request.param, encode_messages=True, morsel_rows=1024)
    with flightmesh.connect(config=config) as opened:
        yield registered(opened, folder)


def orders(key: str) -> list[str]:
    return [f"{key} {way} nulls {place}" for way in ("asc", "desc") for place in ("first", "last")]


@pytest.mark.parametrize("table", [*LAYOUTS, "mixed", "hive"])
@pytest.mark.parametrize("key", KEYS)
def test_first_rows_are_duckdbs(session: flightmesh.Session, duck: duckdb.DuckDBPyConnection, table: str, key: str) -> None:
    for order in orders(key):
        ordered = f'select id, {key} from "{table}" order by {order}, id limit 13 offset 4'
        assert_same(session.sql(ordered).to_arrow(), duckdb_answer(duck, ordered), Order.COUNTS)
        key_alone = f'select {key} from "{table}" where id % 3 = 1 order by {order} limit 40'
        assert_same(session.sql(key_alone).to_arrow(), duckdb_answer(duck, key_alone), Order.COUNTS)


QUERIES = [
    "select id, x from (select id, number as x, price * 2 as y from clustered) where x > 100 order by x, id limit 5",
    "select id, number + 1 as x from clustered order by x desc, id limit 5",
    "select id, number from clustered order by -number, id limit 5",
    "select * from shuffled where word like '%7%' order by moment desc, id limit 10",
    "select * from nulls order by small nulls first, real desc, id limit 3000",
    "select id from ascending order by number desc limit 3 offset 20000",
    "select id from ascending order by number limit 0",
    "select id from ascending where number < -8995 order by number desc limit 10",
    "select year, id from hive order by year desc, id limit 9",
    "select year, id from hive order by year, number desc, id limit 9 offset 3",
    "select id, n from (select id, number n, row_number() over (order by number) r from clustered) where r > 10"
    " order by n, id limit 4",
    "select a.id from (select * from clustered order by number, id limit 50) a order by a.day desc, a.id limit 7",
    "select a.id, b.id from clustered a join shuffled b on a.number = b.number order by a.number desc, b.id limit 7",
    "select a.id, b.id from clustered a full join (select * from shuffled where id < 3) b on a.number = b.number"
    " order by b.number nulls last, a.id limit 7",
    "select id from (select id, number from clustered union all select id, number from shuffled) order by number, id limit 9",
    "with s as (select id, number from clustered) select count(*) n, (select id from s order by number, id limit 1) f from s",
    "select number, count(*) c from tied group by number order by number desc limit 2",
    "select id from tied order by number, day desc, id desc limit 20",
]


@pytest.mark.parametrize("text", QUERIES)
def test_other_queries_are_duckdbs(session: flightmesh.Session, duck: duckdb.DuckDBPyConnection, text: str) -> None:
    assert_same(session.sql(text).to_arrow(), duckdb_answer(duck, text), Order.COUNTS)


@pytest.mark.parametrize("mode", AT_MESHES)
def test_answers_on_a_mesh(mode: str, meshes: Meshes, duck: duckdb.DuckDBPyConnection, folder: Path) -> None:
    with session_at(meshes.of(mode)) as remote:
        registered(remote, folder)
        for text in QUERIES:
            assert_same(remote.sql(text).to_arrow(), duckdb_answer(duck, text), Order.COUNTS)


@pytest.fixture(scope="module")
def alone(folder: Path) -> Iterator[flightmesh.Session]:
    """One task, so that what is read does not depend on who is faster. A row group is a split."""
    config = Config(threads=1, partitions=1, morsel_rows=1024)
    with pytest.MonkeyPatch.context() as patch, flightmesh.connect(config=config) as opened:
        patch.setattr(parquet, "_FEW_ROWS", 1)
        for layout in LAYOUTS:
            opened.register(layout, f"{folder / layout}/*.parquet")
        opened.register("bare", str(folder / "mixed" / "b.parquet"))
        opened.register("hive", str(folder / "hive"))
        yield opened


@pytest.mark.parametrize(
    ("layout", "way"), [("ascending", "asc"), ("ascending", "desc"), ("descending", "asc"), ("descending", "desc")]
)
@pytest.mark.parametrize("key", ["number", "small", "big", "day", "moment", "price", "word"])
def test_the_split_with_the_first_rows_is_read_and_no_other(alone: flightmesh.Session, layout: str, way: str, key: str) -> None:
    totals = counted(alone, f"select * from {layout} order by {key} {way}, id limit 10")
    assert totals["rows_read"] == GROUP
    assert totals["row_groups"] == 1
    assert totals["row_groups_pruned_by_top"] == GROUPS - 1


def test_numbers_that_may_be_nan_are_pruned_from_below_alone(alone: flightmesh.Session) -> None:
    assert counted(alone, "select * from ascending order by real, id limit 10")["row_groups_pruned_by_top"] == GROUPS - 1
    assert "row_groups_pruned_by_top" not in counted(alone, "select * from ascending order by real desc, id limit 10")


def test_nothing_is_left_out_that_nothing_is_known_of(alone: flightmesh.Session) -> None:
    totals = counted(alone, "select * from bare order by number, id limit 10")
    assert totals["rows_read"] == 9_000
    assert "row_groups_pruned_by_top" not in totals


def test_ties_are_read_where_another_key_decides(alone: flightmesh.Session) -> None:
    """Each number has several row groups of rows; one alone holds enough of them."""
    one_key, two_keys = (counted(alone, f"select id, number from tied order by number{more} limit 10") for more in ("", ", id"))
    assert one_key["row_groups"] == 1
    assert 1 < two_keys["row_groups"] < GROUPS


def test_nulls_that_come_first_are_read(alone: flightmesh.Session) -> None:
    """Two row groups have none, one has nothing else."""
    last = counted(alone, "select id, number from nulls order by number nulls last limit 10")
    first = counted(alone, "select id, number from nulls order by number nulls first limit 10")
    with_ties = counted(alone, "select id, number from nulls order by number nulls first, id limit 10")
    assert last["row_groups"] == 1
    assert first["row_groups"] == 1
    assert with_ties["row_groups"] == GROUPS - 2


def test_partitions_are_left_out(alone: flightmesh.Session) -> None:
    totals = counted(alone, "select id, number from hive order by year desc limit 10")
    assert totals["rows_read"] <= ROWS // FILES
    assert totals["row_groups_pruned_by_top"] > 0


def test_filters_and_offsets_count(alone: flightmesh.Session) -> None:
    """Half of the rows pass, and 7,000 of them are to be skipped first."""
    passing = counted(alone, "select * from ascending where id % 2 = 0 order by number desc limit 10 offset 7000")
    assert passing["row_groups"] == 6
    assert passing["row_groups_pruned_by_top"] == GROUPS - 6


def test_explain_says_what_comes_first_and_what_was_pruned(alone: flightmesh.Session) -> None:
    text = "select * from ascending order by number desc, id limit 10"
    scan = next(line for line in alone.explain(text, "physical").splitlines() if "Scan ascending" in line)
    assert "first by number#" in scan
    analyzed = alone.explain(text, "analyze")
    assert "row groups pruned by top" in analyzed
    assert "; pruned " in analyzed.splitlines()[0]


@pytest.mark.parametrize(
    "text",
    [
        "select * from ascending order by number + 1 limit 10",
        "select * from ascending order by number",
        "select number from ascending group by number order by number limit 10",
        "select a.id from ascending a join tied b using (id) order by a.number limit 10",
        "select id from (select * from ascending limit 50) order by number limit 10",
    ],
)
def test_a_scan_is_told_nothing_where_rows_are_not_handed_on_as_they_are(alone: flightmesh.Session, text: str) -> None:
    assert "first by" not in alone.explain(text, "physical")
