"""Tables of a mesh: uploaded, created by queries, registered; who sees them, and when their memory is free again."""

from __future__ import annotations

import threading

import msgpack
import pyarrow as pa
import pytest

from flightmesh.catalog.table import MemoryTable
from flightmesh.config import MIB, Config
from flightmesh.errors import InvalidInput, InvalidMessage, InvalidQuery, ResourceExhausted, WorkerLost
from flightmesh.protocol.client_messages import (
    Done,
    DropTable,
    OpenSession,
    RegisterTable,
    TableListing,
    TablePlace,
    Tables,
    UploadTable,
)
from flightmesh.protocol.codec import encode
from flightmesh.transport.service import Asked
from tests.node.loopback import Client, Loopback, client_of, loopback, wait_until
from tests.node.small_mesh import ROWS, client, held_tables, mesh, numbers

__all__ = ["client", "mesh", "numbers"]

BIG = pa.table({"x": pa.array(range(300_000)), "d": pa.array(["a", "b", "c"] * 100_000).dictionary_encode().cast("string")})


def names(client: Client) -> list[str]:
    return [table.name for table in client.ask("tables", None, Tables).tables]


def drop(client: Client, name: str) -> None:
    client.ask("drop-table", DropTable(name), Done)


def test_an_uploaded_table_lies_at_the_workers(mesh: Loopback, client: Client) -> None:
    client.upload(Asked(path=("big",)), BIG)
    entry = mesh.service.sessions.catalog.peek("big")
    assert isinstance(entry, MemoryTable)
    assert sum(part.rows for part in entry.parts) == entry.rows == 300_000
    assert len({part.holder for part in entry.parts}) == 2
    assert held_tables(mesh) >= entry.bytes > 0
    found = client.sql("select d, count(*) as n, sum(x) as s from big group by d order by d")
    assert found["n"].to_pylist() == [100_000] * 3
    assert sum(found["s"].to_pylist()) == 300_000 * 299_999 // 2
    with client_of(mesh) as other:
        assert other.sql("select count(*) as n from big").to_pydict() == {"n": [300_000]}
    listed = [table for table in client.ask("tables", None, Tables).tables if table.name == "big"]
    places = tuple(TablePlace(part.holder.rpartition("-")[0], "memory", 0, part.rows, part.bytes) for part in entry.parts)
    assert listed == [TableListing("big", "memory", 300_000, entry.bytes, places)]
    drop(client, "big")
    assert "big" not in names(client)
    wait_until(lambda: held_tables(mesh) == 0, "the workers drop the rows")


def test_an_upload_replaces_what_had_the_name(mesh: Loopback, client: Client) -> None:
    client.upload(Asked(command=encode(UploadTable("again"))), pa.table({"x": [1, 2]}))
    client.upload(Asked(command=msgpack.packb({"name": "again"})), pa.table({"x": [3]}))
    assert client.sql("select x from again").to_pydict() == {"x": [3]}
    drop(client, "again")
    wait_until(lambda: held_tables(mesh) == 0, "the workers drop the rows")


def test_types_become_the_engines(client: Client) -> None:
    data = pa.table({"d": pa.array(["x", "y"]).cast(pa.large_string()), "u": pa.array([None, None], pa.null())})
    client.upload(Asked(command=encode(UploadTable("typed", True))), data)
    assert client.connection.schema(Asked(path=("typed",))).types == [pa.string(), pa.int32()]
    assert client.sql("select d from typed order by d").to_pydict() == {"d": ["x", "y"]}


def test_a_table_without_rows(client: Client) -> None:
    client.upload(Asked(command=encode(UploadTable("empty", True))), pa.table({"x": pa.array([], pa.int64())}))
    assert client.sql("select count(*) as n, sum(x) as s from empty").to_pydict() == {"n": [0], "s": [None]}


def test_uploads_that_cannot_be(mesh: Loopback, client: Client) -> None:
    twice = pa.table([pa.array([1]), pa.array([2])], names=["x", "x"])
    with pytest.raises(InvalidInput, match="two columns are named 'x'"):
        client.upload(Asked(path=("twice",)), twice)
    with pytest.raises(InvalidMessage, match="msgpack map"):
        client.upload(Asked(command=b"select 1"), pa.table({"x": [1]}))
    with client_of(mesh) as other, pytest.raises(InvalidQuery, match="needs a session"):
        other.upload(Asked(command=encode(UploadTable("t", True))), pa.table({"x": [1]}))
    assert held_tables(mesh) == 0


def test_an_upload_that_is_dropped_leaves_nothing(mesh: Loopback, client: Client) -> None:
    stream = client.connection.put(Asked(path=("half",)), BIG.schema)
    for batch in BIG.to_batches(max_chunksize=50_000)[:4]:
        stream.write(batch, b"")
    wait_until(lambda: held_tables(mesh) > 0, "rows arrive at a worker")
    stream.cancel()
    wait_until(lambda: held_tables(mesh) == 0, "the workers drop the rows")
    assert "half" not in names(client)


def test_a_table_too_large_for_the_workers() -> None:
    config = Config(threads=1, memory=24 * MIB)
    with loopback(config) as small, client_of(small, OpenSession()) as client:
        wide = pa.table({"t": pa.array(["x" * 1000]).take(pa.array([0] * 100_000))})
        with pytest.raises(ResourceExhausted, match="tables in memory"):
            client.upload(Asked(path=("wide",)), wide)
        wait_until(lambda: held_tables(small) == 0, "the workers drop the rows")
        assert names(client) == []


def test_a_created_table_is_the_meshs_and_lies_at_the_workers(mesh: Loopback, client: Client, numbers: str) -> None:
    client.sql(f"create table made as select k, v from '{numbers}'")
    entry = mesh.service.sessions.catalog.peek("made")
    assert isinstance(entry, MemoryTable) and entry.rows == ROWS
    assert len({part.holder for part in entry.parts}) == 2
    with pytest.raises(InvalidQuery, match="already"):
        client.sql("create table made as select 1 as x")
    with client_of(mesh) as other:
        assert other.sql("select count(*) as n from made").to_pydict() == {"n": [ROWS]}
    client.sql("create or replace table made as select 1 as x")
    assert client.sql("select * from made").to_pydict() == {"x": [1]}
    client.sql("drop table made")
    wait_until(lambda: held_tables(mesh) == 0, "the workers drop the rows")


def test_a_dropped_table_stays_for_a_query_that_reads_it(mesh: Loopback, client: Client) -> None:
    client.upload(Asked(path=("kept",)), BIG)
    info = client.info("select x from kept")
    client.sql("drop table kept")
    assert client.rows(info).num_rows == 300_000
    wait_until(lambda: held_tables(mesh) == 0, "the workers drop the rows")


def test_views_and_temporary_tables_are_the_sessions(mesh: Loopback, client: Client) -> None:
    with client_of(mesh, OpenSession()) as other:
        client.sql("create view seen as select 1 as x")
        client.sql("create temp table mine as select 2 as x")
        client.upload(Asked(command=encode(UploadTable("sent", True))), pa.table({"x": [3]}))
        assert client.sql("select seen.x + mine.x + sent.x as s from seen, mine, sent").to_pydict() == {"s": [6]}
        assert set(names(client)) - set(names(other)) == {"seen", "mine", "sent"}
        for name in ("seen", "mine", "sent"):
            with pytest.raises(InvalidQuery, match="no table"):
                other.sql(f"select * from {name}")


def test_a_session_hides_names_of_the_mesh(mesh: Loopback, client: Client) -> None:
    client.upload(Asked(path=("shade",)), pa.table({"x": [1]}))
    client.sql("create temp table shade as select 2 as x")
    assert client.sql("select x from shade").to_pydict() == {"x": [2]}
    client.sql("drop table shade")
    assert client.sql("select x from shade").to_pydict() == {"x": [1]}, "the mesh's is seen again"
    client.sql("drop table shade")
    with pytest.raises(InvalidQuery, match="no table"):
        client.sql("select x from shade")


def test_without_a_session_what_is_created_is_the_meshs(mesh: Loopback, client: Client) -> None:
    with client_of(mesh) as nobody:
        nobody.sql("create view open_to_all as select 1 as x")
        with pytest.raises(InvalidQuery, match="needs a session"):
            nobody.sql("create temp table t as select 1 as x")
    assert client.sql("select x from open_to_all").to_pydict() == {"x": [1]}
    client.sql("drop view open_to_all")


def test_registered_files_are_the_meshs(mesh: Loopback, client: Client, numbers: str) -> None:
    client.ask("register-table", RegisterTable("sch.n", (numbers,)), Done)
    with client_of(mesh, OpenSession()) as other:
        assert other.sql("select count(*) as n from sch.n").to_pydict() == {"n": [ROWS]}
        tables = {table.name: table for table in other.ask("tables", None, Tables).tables}
        assert tables["memory.sch.n"].kind == "files" and tables["memory.sch.n"].rows == ROWS
        listed = {info.path: info for info in other.connection.list()}
        assert listed[("memory", "sch", "n")].rows == ROWS
        assert listed[("memory", "sch", "n")].schema.names == ["k", "v"]
        assert other.rows(other.connection.info(Asked(path=("sch", "n")))).num_rows == ROWS
        assert other.connection.schema(Asked(path=("sch", "n"))).names == ["k", "v"]
    drop(client, "sch.n")
    with pytest.raises(InvalidQuery, match="no table"):
        drop(client, "sch.n")


def test_uploads_side_by_side(mesh: Loopback) -> None:
    failures: list[BaseException] = []

    def work(number: int) -> None:
        try:
            with client_of(mesh, OpenSession()) as client:
                client.upload(Asked(command=encode(UploadTable("own", True))), pa.table({"x": [number] * 1000}))
                assert client.sql("select sum(x) as s from own").to_pydict() == {"s": [number * 1000]}
                client.connection.action("close-session", b"")
        except BaseException as failure:
            failures.append(failure)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []
    wait_until(lambda: held_tables(mesh) == 0, "the workers drop the rows")


def test_rows_that_went_with_a_worker() -> None:
    with loopback() as losing, client_of(losing, OpenSession()) as client:
        client.upload(Asked(path=("big",)), BIG)
        losing.workers[0].close()
        wait_until(lambda: len(losing.driver.mesh.workers()) == 1, "the worker is gone")
        with pytest.raises(WorkerLost, match="rows of the table big were in the memory of w0"):
            client.sql("select count(*) from big")
        client.sql("drop table big")
        client.upload(Asked(path=("big",)), BIG)
        assert client.sql("select count(*) as n from big").to_pydict() == {"n": [300_000]}
