"""A table of tricks to get at what no node's owner allowed, over SQL, YAML plans, actions, descriptors and tickets: each is
refused with a clear error, and nothing outside is opened or even listed.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from flightmesh.catalog.open import open_table
from flightmesh.catalog.table import SERVED, FileSplit
from flightmesh.config import MIB, Config
from flightmesh.errors import FlightmeshError, InvalidInput, InvalidPlan, InvalidQuery, NotAllowed, UnsupportedFeature
from flightmesh.node.offers import read_offers
from flightmesh.node.roots import read_roots
from flightmesh.node.worker_node import Place
from flightmesh.physical.operators import TableScan
from flightmesh.protocol.asking import AskServed, AskStatistics, LookUp
from flightmesh.protocol.client_messages import (
    Done,
    DropTable,
    Explain,
    OpenSession,
    Planned,
    RegisterTable,
    Run,
    Statement,
    Text,
)
from flightmesh.protocol.codec import encode
from flightmesh.protocol.node_messages import ListSplits
from flightmesh.protocol.tickets import FileTicket, sign
from flightmesh.session.remote_params import pack_params
from flightmesh.transport.flight_peers import FlightPeers
from flightmesh.transport.service import Asked
from tests.node.loopback import Client, Loopback, client_of, loopback, wait_until
from tests.node.watching import Watch, watching

SECRET = "the secret of this machine"
REFUSED = (NotAllowed, InvalidInput, InvalidQuery, InvalidPlan, UnsupportedFeature)

OUTSIDE = [
    "{shut}",
    "{shut}/secret.parquet",
    "{shut}/*.parquet",
    "{open}/../shut/secret.parquet",
    "{open}/./../shut/secret.parquet",
    "{open}//..//shut//secret.parquet",
    "{open}/deep/../../shut/secret.parquet",
    "{open}/deep/../../open/../shut",
    "{open}/..",
    "{all}/../../../../../../../../etc/passwd",
    "{open}x/../shut/secret.parquet",
    "/{open}/../shut/secret.parquet",
    "{open}/door/secret.parquet",
    "{open}/door",
    "{open}/door/*.parquet",
    "{open}/links/latch.parquet",
    "{open}/links/*.parquet",
    "{open}/links/",
    "{open}/chain/secret.parquet",
    "{open}/hive",
    "{open}/hive/year=*/*.parquet",
    "{open}/hive/**",
    "{open}/**/secret.parquet",
    "{open}/../*/secret.parquet",
    "{open}/*/../../shut/*.parquet",
    "{all}/*/secret.parquet",
    "{all}/[s]hut/secret.parquet",
    "{all}/sh?t/secret.parquet",
    "/**/secret.parquet",
    "/*",
    "file://{shut}/secret.parquet",
    "file://{open}/../shut/secret.parquet",
    "file:///etc/passwd",
    "FILE://{shut}/secret.parquet",
    "http://127.0.0.1:1/secret.parquet",
    "https://example.com/secret.parquet",
    "ftp://127.0.0.1/secret.parquet",
    "gs://bucket/secret.parquet",
    "gcs://bucket/secret.parquet",
    "hdfs://host/secret.parquet",
    "abfss://c@a.dfs.core.windows.net/secret.parquet",
    "hf://datasets/a/b.parquet",
    "unix:///run/secret.parquet",
    "s3://bucket/secret.parquet",
    "s3a://bucket/secret.parquet",
    "S3://bucket/secret.parquet",
    "s3://allowed/prefix/../secret.parquet",
    "s3://allowed/prefixed/secret.parquet",
    "s3://../secret.parquet",
    "/etc/passwd",
    "/proc/self/root{shut}/secret.parquet",
    "/proc/self/cwd/secret.parquet",
    "/proc/self/environ",
    "/proc/self/fd/0",
    "/proc/1/root{shut}/secret.parquet",
    "/dev/stdin",
    "/dev/fd/0",
    "/dev/zero",
    "{open}/process/secret.parquet",
    "{served}/rows.parquet",
    "{served}",
]
"""Paths that lead outside the one root, `{open}`; some are inside the mesh's served folder, which is no root."""

NO_PATHS = [
    "",
    "secret.parquet",
    "../shut/secret.parquet",
    "./secret.parquet",
    "..",
    ".",
    "~/secret.parquet",
    "~root/secret.parquet",
    "file:{shut}/secret.parquet",
    "file://localhost{shut}/secret.parquet",
    "data:text/csv,a",
    "%2e%2e/shut/secret.parquet",
    "%2Fetc%2Fpasswd",
    "{open}/\0/../../shut/secret.parquet",
    "{shut}/secret.parquet\0.csv",
    "\0",
    "{open}/" + "x/" * 3000,
    "{open}/" + "x" * 300,
    "{open}/%2e%2e/shut/secret.parquet",
    "{open}/..%2fshut/secret.parquet",
    "{open}/..\\shut\\secret.parquet",
    "{open}/door/../shut/secret.parquet",
    "{open}/door/../shut/*.parquet",
    "{open}/door/../shut",
    "{open}/%252e%252e/shut/secret.parquet",
    "{open}/\u2025/shut/secret.parquet",
    "{open}/$HOME/secret.parquet",
    "{open}/`id`.parquet",
    "{open}/pipe.csv",
]
"""What is no path at all on a mesh, or is one inside the root that leads to no data."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("tricks").resolve()
    for name in ("open/deep", "open/links", "open/hive/year=2020", "open/out", "shut", "served"):
        (made / name).mkdir(parents=True)
    pq.write_table(pa.table({"x": [1]}), made / "open" / "deep" / "rows.parquet")
    pq.write_table(pa.table({"x": [2]}), made / "open" / "hive" / "year=2020" / "rows.parquet")
    pq.write_table(pa.table({"x": [3]}), made / "served" / "rows.parquet")
    pq.write_table(pa.table({SECRET: [SECRET]}), made / "shut" / "secret.parquet")
    (made / "open" / "door").symlink_to(made / "shut")
    (made / "open" / "links" / "latch.parquet").symlink_to("../../shut/secret.parquet")
    (made / "open" / "chain").symlink_to("door")
    (made / "open" / "hive" / "year=2021").symlink_to(made / "shut")
    (made / "open" / "process").symlink_to("/proc/self/root" + str(made / "shut"))
    os.mkfifo(made / "open" / "pipe.csv")
    return made


@pytest.fixture(scope="module")
def mesh(folder: Path) -> Iterator[Loopback]:
    """A driver and a worker that allow one folder and one prefix of a store; the worker serves a table from elsewhere."""
    roots = read_roots([str(folder / "open"), "s3://allowed/prefix"])
    with loopback(Config(threads=2, memory=256 * MIB), 0, roots) as made:
        made.begin(Place("w", roots=roots, offers=read_offers([f"mine={folder}/served"], [])))
        wait_until(lambda: len(made.driver.mesh.workers()) == 1, "the worker registers")
        yield made


@pytest.fixture(scope="module")
def client(mesh: Loopback) -> Iterator[Client]:
    with client_of(mesh, OpenSession()) as opened:
        yield opened


@pytest.fixture
def watch(folder: Path) -> Iterator[Watch]:
    """Fails the test in which something of `shut` was opened or listed."""
    with watching(folder / "shut") as watched:
        yield watched
        assert watched.seen() == []


def filled(trick: str, folder: Path) -> str:
    return trick.format(all=folder, open=folder / "open", shut=folder / "shut", served=folder / "served")


def refused(error: FlightmeshError) -> None:
    """A clear error: of the query's kind, with no word of what lies outside."""
    assert isinstance(error, REFUSED), f"{type(error).__name__}: {error.message}"
    assert SECRET not in str(error)
    assert "Traceback" not in str(error)
    assert error.message


def doors(client: Client, path: str) -> Iterator[object]:
    """Everything that a client can do with a path of the nodes; each is to raise."""
    quoted = path.replace("'", "''")
    named = path.replace('"', '""')
    listed = path.replace("\\", "\\\\").replace('"', '\\"').replace("\0", "\\0")
    plan = 'inputs:\n  a: {{{0}: "{1}"}}\nsteps:\n  s: {{from: a}}\n'
    yield lambda: client.info(f"select * from '{quoted}'")
    yield lambda: client.info(f'select * from "{named}"')
    for reader in ("read_parquet", "read_csv", "read_json", "parquet_scan"):
        yield lambda reader=reader: client.info(f"select * from {reader}('{quoted}')")
    yield lambda: client.info(f"select * from read_parquet(['{quoted}', '{quoted}'])")
    yield lambda: client.info(f"create table stolen as select * from read_parquet('{quoted}')")
    yield lambda: client.ask("explain", Explain(f"select * from read_csv('{quoted}')", "physical"), Text)
    yield lambda: client.ask("register-table", RegisterTable("stolen", (path,)), Done)
    yield lambda: client.ask("register-table", RegisterTable("stolen", (path,), "csv", (("header", "false"),)), Done)
    for kind in ("parquet", "csv"):
        yield lambda kind=kind: client.info(plan.format(kind, listed))
    run = Run(plan="params: {p: {type: path}}\n" + plan.format("csv", "{p}"), params=pack_params({"p": path}))
    yield lambda: client.info(encode(run))
    yield lambda: client.connection.info(Asked(path=(path,)))
    yield lambda: client.connection.info(Asked(path=("memory", "main", path)))


@pytest.mark.parametrize("trick", OUTSIDE)
def test_what_lies_outside_is_not_read(client: Client, folder: Path, watch: Watch, trick: str) -> None:
    path = filled(trick, folder)
    by_roots = 0
    for door in doors(client, path):
        with pytest.raises(FlightmeshError) as caught:
            door()  # type: ignore[operator]
        refused(caught.value)
        by_roots += isinstance(caught.value, NotAllowed)
    assert by_roots >= 12, "the roots are what refuses it"


@pytest.mark.parametrize("trick", NO_PATHS, ids=[trick[:60].encode("unicode_escape").decode() for trick in NO_PATHS])
def test_what_is_no_path_is_not_read(client: Client, folder: Path, watch: Watch, trick: str) -> None:
    for door in doors(client, filled(trick, folder)):
        with pytest.raises(FlightmeshError) as caught:
            door()  # type: ignore[operator]
        refused(caught.value)


def test_the_mesh_is_open_where_it_was_opened(client: Client, folder: Path) -> None:
    """That all the others are refused is not because nothing works."""
    assert client.sql(f"select x from '{folder}/open/deep'").to_pydict() == {"x": [1]}
    assert client.sql(f"select x from '{folder}/open/door/../deep/*.parquet'").to_pydict() == {"x": [1]}
    assert client.sql(f"select x from '{folder}/shut/../open/deep/rows.parquet'").to_pydict() == {"x": [1]}
    assert client.sql("select x from mine").to_pydict() == {"x": [3]}


@pytest.mark.parametrize("trick", [*OUTSIDE, *NO_PATHS[:-1]])
def test_nothing_is_written_outside(client: Client, folder: Path, watch: Watch, trick: str) -> None:
    before = listed(folder, watch)
    target = filled(trick, folder).replace("\\", "\\\\").replace("\0", "\\0")
    plan = f"inputs:\n  a: {{parquet: {folder}/open/deep}}\nsteps:\n  s: {{from: a}}\n"
    for kind in ("parquet", "csv"):
        for at in (target, f"{target.rstrip('/')}/made.{kind}"):
            if _is_inside(at, folder):
                continue
            with pytest.raises(FlightmeshError) as caught:
                client.rows(client.info(plan + f'write: {{{kind}: "{at}"}}\n'))
            refused(caught.value)
    assert watch.seen() == []
    assert listed(folder, watch) == before


def test_a_link_before_the_dots_does_not_lead_outside(client: Client, folder: Path, watch: Watch) -> None:
    """`door/../made.csv`, of a link, is beside what the link leads to for those who open it, and beside the link for who reads
    it: what was allowed is what is written."""
    plan = f"inputs:\n  a: {{parquet: {folder}/open/deep}}\nsteps:\n  s: {{from: a}}\n"
    for at in ("door/../made.csv", "chain/../made.csv", "door/../out/made.csv"):
        written = client.sql(plan + f'write: {{csv: "{folder}/open/{at}"}}\n').to_pydict()["file"]
        assert written == [os.path.normpath(f"{folder}/open/{at}")]
        Path(written[0]).unlink()
    (folder / "open" / "d[a]ngling").symlink_to(folder / "shut")
    for at in ("d[a]ngling/made.csv", "door/made.csv", "door/../../shut/made.csv", "d[a]ngling/"):
        with pytest.raises(NotAllowed):
            client.sql(plan + f'write: {{csv: "{folder}/open/{at}"}}\n')
    (folder / "open" / "d[a]ngling").unlink()


def listed(folder: Path, watch: Watch) -> list[Path]:
    """Everything that is there. That the test looks does not count."""
    found = sorted(folder.rglob("*"))
    watch.seen()
    return found


def _is_inside(target: str, folder: Path) -> bool:
    """Whether a target, odd as it is, is a name below the root, which a plan may write."""
    if "\\0" in target or target.startswith("/proc"):
        return False
    return os.path.realpath(os.path.normpath(target)).startswith(f"{folder}/open/")


@pytest.mark.parametrize(
    "sql",
    [
        "copy (select 1) to '{open}/../shut/made.csv'",
        "copy stolen from '{shut}/secret.parquet'",
        "export database '{shut}'",
        "attach '{shut}/secret.parquet' as a",
        "create external table stolen (x int) location '{shut}/secret.parquet'",
        "create table stolen using parquet location '{shut}'",
        "create view stolen as select * from '{shut}/secret.parquet'; select * from stolen",
        "select * from glob('{shut}/*')",
        "select * from read_text('{shut}/secret.parquet')",
        "select * from read_blob('{shut}/secret.parquet')",
        "select read_text('{shut}/secret.parquet')",
        "select * from parquet_metadata('{shut}/secret.parquet')",
        "select * from parquet_schema('{shut}/secret.parquet')",
        "select * from sniff_csv('{shut}/secret.parquet')",
        "describe select * from '{shut}/secret.parquet'",
        "load '{shut}/secret.parquet'",
        "install httpfs",
        "insert into stolen select * from '{shut}/secret.parquet'",
        "set home_directory = '{shut}'",
        "call pragma_database_list()",
        "import database '{shut}'",
        "select getenv('HOME')",
        "select (select count(*) from '{shut}/secret.parquet')",
        "select 1 where exists (select 1 from read_csv('{shut}/secret.parquet'))",
        "with w as (select * from '{shut}/secret.parquet') select * from w",
        "select * from mine union all select * from '{shut}/secret.parquet'",
        "select * from parquet.`{shut}/secret.parquet`",
        "explain analyze select * from '{shut}/secret.parquet'",
    ],
)
def test_statements_that_reach_for_files(client: Client, folder: Path, watch: Watch, sql: str) -> None:
    *first, last = filled(sql, folder).split("; ")
    for dialect in ("duckdb", "spark", "postgres"):
        with pytest.raises(FlightmeshError) as caught:
            for text in first:
                client.ask("statement", Statement(sql=text, dialect=dialect), Planned)
            client.ask("statement", Statement(sql=last, dialect=dialect), Planned)
        refused(caught.value)


@pytest.mark.parametrize("name", ["../shut/made", "/shut/made", "a/../../b", "..", "\0", "~/made", "file:///made", "s3://b/c"])
def test_names_of_uploads_are_names(client: Client, folder: Path, watch: Watch, name: str) -> None:
    """A table in memory may be called anything; no path comes of it."""
    before = listed(folder, watch)
    try:
        client.upload(Asked(path=(name,)), pa.table({"x": [1]}))
        client.ask("drop-table", DropTable('"' + name.replace('"', '""') + '"'), Done)
    except FlightmeshError as error:
        refused(error)
    assert watch.seen() == []
    assert listed(folder, watch) == before


@pytest.mark.parametrize(
    "name",
    ["../shut/secret.parquet", "/etc/passwd", "{shut}/secret.parquet", "", ".", "..", "rows.parquet/../../shut/secret.parquet"],
)
def test_a_peer_cannot_name_other_files_of_a_served_table(mesh: Loopback, folder: Path, watch: Watch, name: str) -> None:
    """Not that a client could: these are questions of drivers and workers."""
    mine = open_table("mine", folder / "served" / "rows.parquet")
    forged = replace(mine, storage=SERVED, source=("mine",), files=(replace(mine.files[0], path=filled(name, folder)),))
    unserved = replace(mine, files=(replace(mine.files[0], path=f"{folder}/shut/secret.parquet"),))
    worker = mesh.driver.mesh.workers()[0]
    ask = mesh.driver.mesh.ask
    for action, body in (
        ("statistics", AskStatistics(forged)),
        ("find-splits", ListSplits(TableScan(forged, 0, (), (), ()))),
        ("statistics", AskStatistics(replace(forged, source=("other",)))),
        ("statistics", AskStatistics(unserved)),
        ("served", AskServed(f"../{name}")),
        ("look-up", LookUp("x", (f"{folder}/shut/secret.parquet",))),
    ):
        with pytest.raises(FlightmeshError) as caught:
            ask(worker.id, action, encode(body), 10)
        refused(caught.value)
    peers = FlightPeers(1 << 20)
    try:
        ticket = FileTicket(worker.id, forged, FileSplit(0, (), 1, 1, (worker.id,)), ("x",))
        with pytest.raises(FlightmeshError) as caught:
            peers.get(worker.mesh, sign(ticket, mesh.driver.mesh.key)).next()
        refused(caught.value)
        with pytest.raises(FlightmeshError):
            peers.get(worker.client, sign(ticket, mesh.driver.mesh.key)).next()
    finally:
        peers.close()
