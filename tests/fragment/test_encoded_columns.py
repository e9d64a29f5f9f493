"""Texts as dictionaries between operators: who may hand them on, and that groups are the same with and without them."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

import flightmesh
import flightmesh.fragment.encoded_columns as module
from flightmesh.expression.nodes import Field
from flightmesh.fragment.encoded_columns import Plain
from flightmesh.ids import ColumnId
from flightmesh.kernel.batches import concat_batches
from tests.comparison import reference

ROWS = 20_000
QUERIES = {
    "keys of the scan": "SELECT flag, mode, count(*) AS n, sum(v) AS s FROM facts GROUP BY ALL",
    "behind filters that look at them": "SELECT flag, count(*) AS n FROM facts WHERE flag <> 'b' AND v > 100 GROUP BY ALL",
    "a key that is an argument, too": "SELECT flag, min(flag) AS m, max(mode) AS x FROM facts GROUP BY flag",
    "extremes": "SELECT thing, min(mode) AS a, max(flag) AS b, count(flag) AS n "
    "FROM facts WHERE flag = 'a' OR thing < 9 GROUP BY thing",
    "extremes of all": "SELECT min(mode) AS a, max(mode) AS b, min(flag) AS c, count(flag) AS n FROM facts",
    "extremes by a text": "SELECT mode, min(flag) AS a, max(flag) AS b, sum(v) AS s FROM facts GROUP BY mode",
    "extremes by a text of a build side": "SELECT kind, max(flag) AS a, min(things.mode) AS b "
    "FROM facts JOIN things ON id = thing GROUP BY kind",
    "extremes of a LEFT join": "SELECT max(name) AS a, min(kind) AS b, count(name) AS n "
    "FROM facts LEFT JOIN things ON id = thing + 3",
    "extremes with FILTER": "SELECT flag, max(mode) FILTER (WHERE v > 500) AS a, min(mode) FILTER (WHERE v < 0) AS b "
    "FROM facts GROUP BY flag",
    "extremes of no rows": "SELECT max(mode) AS a, count(mode) AS n FROM facts WHERE v < 0",
    "extremes and others": "SELECT flag, max(mode) AS a, max(upper(mode)) AS b, list(DISTINCT mode ORDER BY mode) AS l "
    "FROM facts GROUP BY flag",
    "computed beside": "SELECT flag, upper(flag) AS u, count(*) AS n FROM facts GROUP BY ALL",
    "of a build side": "SELECT name, kind, count(*) AS n FROM facts JOIN things ON id = thing GROUP BY ALL",
    "of both sides": "SELECT flag, name, sum(v) AS s FROM facts JOIN things ON id = thing GROUP BY ALL",
    "of a LEFT join": "SELECT name, count(*) AS n, count(kind) AS k "
    "FROM facts LEFT JOIN things ON id = thing + 3 GROUP BY ALL",
    "of a FULL join": "SELECT flag, name, count(*) AS n FROM facts FULL JOIN things ON id = thing + 3 GROUP BY ALL",
    "a residual looks": "SELECT name, count(*) AS n FROM facts JOIN things ON id = thing AND name <> flag GROUP BY ALL",
    "a text key of the join": "SELECT flag, kind, count(*) AS n "
    "FROM facts f JOIN things ON f.mode = things.mode GROUP BY ALL",
    "grouping sets": "SELECT flag, name, count(*) AS n FROM facts JOIN things ON id = thing GROUP BY CUBE (flag, name)",
    "distinct": "SELECT DISTINCT flag, kind FROM facts JOIN things ON id = thing",
    "distinct arguments": "SELECT flag, count(DISTINCT mode) AS n FROM facts GROUP BY flag",
    "a union": "SELECT flag, count(*) AS n FROM (SELECT flag FROM facts UNION ALL SELECT name FROM things) GROUP BY flag",
    "SEMI": "SELECT flag, count(*) AS n FROM facts WHERE thing IN (SELECT id FROM things WHERE kind = 'k1') GROUP BY flag",
}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Facts in two files of several row groups, with dictionaries that differ between them, and things, some texts NULL."""
    folder = tmp_path_factory.mktemp("encoded")
    for part in range(2):
        rows = range(part * ROWS, (part + 1) * ROWS)
        facts = pa.table(
            {
                "thing": pa.array([None if i % 97 == 0 else i % 40 for i in rows], pa.int64()),
                "flag": [None if i % 11 == 0 else "abc"[(i // 3000 + i) % 3] for i in rows],
                "mode": ["long mode number " + str(i * i % 7 + i // 5000) for i in rows],
                "v": pa.array([i % 1000 for i in rows], pa.int64()),
            }
        )
        (folder / "facts").mkdir(exist_ok=True)
        pq.write_table(facts, folder / "facts" / f"{part}.parquet", row_group_size=3000)
    things = pa.table(
        {
            "id": pa.array(range(36), pa.int64()),
            "name": [None if i % 9 == 0 else f"thing {i // 2}" for i in range(36)],
            "kind": [f"k{i % 4}" for i in range(36)],
            "mode": [f"long mode number {i}" for i in range(36)],
        }
    )
    pq.write_table(things, folder / "things.parquet")
    return folder


@pytest.mark.parametrize("name", QUERIES)
@pytest.mark.parametrize("threads", [1, 3])
def test_groups_are_those_of_duckdb(name: str, threads: int, folder: Path) -> None:
    sql = QUERIES[name] + " ORDER BY ALL"
    with flightmesh.connect(threads=threads) as session:
        session.register("facts", folder / "facts")
        session.register("things", folder / "things.parquet")
        found = session.sql(sql).to_arrow()
    tables = {"facts": pq.read_table(folder / "facts"), "things": pq.read_table(folder / "things.parquet")}
    assert found.to_pylist() == reference(sql, **tables).to_pylist()
    assert not any(pa.types.is_dictionary(t) for t in found.schema.types)


def test_they_are_dictionaries_as_far_as_the_grouping(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else all of the above says nothing: what the scan hands on, and what the build side holds, is seen."""
    seen: set[str] = set()
    encode, plain = module.encode_build, module.Plain.apply

    def encoded(*arguments: object) -> pa.RecordBatch:
        batch = encode(*arguments)  # type: ignore[arg-type]
        seen.update("build" for t in batch.schema.types if pa.types.is_dictionary(t))
        return batch

    def decoded(*arguments: object) -> pa.RecordBatch:
        batch = plain(*arguments)  # type: ignore[arg-type]
        seen.update("scan" for t in batch.schema.types if pa.types.is_dictionary(t))
        return batch

    monkeypatch.setattr("flightmesh.fragment.join_build.encode_build", encoded)
    monkeypatch.setattr(module.Plain, "apply", decoded)
    with flightmesh.connect(threads=2) as session:
        session.register("facts", folder / "facts")
        session.register("things", folder / "things.parquet")
        session.sql(QUERIES["of both sides"]).to_arrow()
    assert seen == {"scan", "build"}


def test_dictionaries_that_do_not_pay_or_repeat_are_made_plain() -> None:
    def batch(entries: list[str | None], numbers: list[int]) -> pa.RecordBatch:
        column = pa.DictionaryArray.from_arrays(pa.array(numbers, pa.int32()), pa.array(entries, pa.string()))
        return pa.RecordBatch.from_arrays([column], names=["c5"])

    fields = [Field(ColumnId(5), "text", pa.string())]
    accepting = Plain(fields, frozenset({ColumnId(5)}))
    good = batch(["a", "b"], [0, 1, 0, 1])
    assert accepting.apply(good).column(0).type == good.column(0).type
    for bad in (batch(["a", "a"], [0, 1, 0, 1]), batch(["a", None], [0, 1, 0, 1]), batch(["a", "b"], [0, 1])):
        assert accepting.apply(bad).column(0).equals(bad.column(0).dictionary_decode())
    assert Plain(fields).apply(good).column(0).type == pa.string()


def test_dictionaries_and_plain_texts_come_together_as_texts() -> None:
    texts = pa.array(["a", None, "b"])
    coded = pa.RecordBatch.from_arrays([pc.dictionary_encode(texts)], names=["t"])
    other = pa.RecordBatch.from_arrays([pc.dictionary_encode(pa.array(["c", "a"]))], names=["t"])
    plain = pa.RecordBatch.from_arrays([texts], names=["t"])
    assert concat_batches([coded, plain], coded.schema).column(0).to_pylist() == ["a", None, "b", "a", None, "b"]
    both = concat_batches([coded, other], coded.schema).column(0)
    assert both.to_pylist() == ["a", None, "b", "c", "a"]
    assert both.dictionary.to_pylist() == ["a", "b", "c"]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT k, count(*) AS n, sum(v) AS s FROM p WHERE v <> 3 GROUP BY k",
        "SELECT k, count(*) AS n FROM p GROUP BY ROLLUP (k)",
    ],
    ids=["filtered", "sets"],
)
@pytest.mark.parametrize("ordered", [False, True])
def test_files_whose_dictionaries_have_small_numbers(sql: str, ordered: bool, tmp_path: Path) -> None:
    """As of a categorical of pandas: together they have more entries than such numbers can name."""
    for name in "abcd":
        entries = pa.array([name * 20 + f"{i:03d}" for i in range(100)])
        column = pa.DictionaryArray.from_arrays(pa.array([i % 100 for i in range(300)], pa.int8()), entries, ordered=ordered)
        pq.write_table(pa.table({"k": column, "v": pa.array(range(300), pa.int64())}), tmp_path / f"{name}.parquet")
    with flightmesh.connect(threads=2) as session:
        session.register("p", f"{tmp_path}/*.parquet")
        found = session.sql(sql + " ORDER BY ALL").to_arrow()
    schema = pa.schema([("k", pa.string()), ("v", pa.int64())])
    plain = pa.concat_tables([pq.read_table(file).cast(schema) for file in sorted(tmp_path.iterdir())])
    assert found.to_pylist() == reference(sql + " ORDER BY ALL", p=plain).to_pylist()
