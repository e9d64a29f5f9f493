"""S3, against a server on loopback: single file, prefix, glob, hive folders, errors."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.fs as pafs
import pyarrow.parquet as pq
import pytest
from moto.server import ThreadedMotoServer

from flightmesh.catalog.catalog import Catalog
from flightmesh.catalog.open import open_table, refresh
from flightmesh.catalog.scan import splits
from flightmesh.catalog.statistics import statistics
from flightmesh.catalog.storage import open_file
from flightmesh.catalog.table import FileTable, Storage
from flightmesh.errors import InputChanged, InvalidInput
from tests.catalog.reading import compare, fields_of, read_all


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(scope="module")
def bucket(endpoint: str) -> pafs.S3FileSystem:
    store = pafs.S3FileSystem(
        access_key="key", secret_key="secret", endpoint_override=endpoint, region="us-east-1", allow_bucket_creation=True
    )
    store.create_dir("lake")
    for name, values in (("one/a.parquet", [1, 2]), ("many/a.parquet", [1]), ("many/b.parquet", [2]), ("many/_SUCCESS", [])):
        put(store, f"lake/{name}", values)
    for year in (2012, 2013):
        put(store, f"lake/hive/year={year}/part.parquet", [year])
    with store.open_output_stream("lake/text/a.csv") as stream:
        stream.write(b"v,t\n1,x\n2,NA\n")
    with store.open_output_stream("lake/text/b.csv.gz", compression="gzip") as stream:
        stream.write(b"v,t\n3,y\n")
    with store.open_output_stream("lake/text/c.jsonl") as stream:
        stream.write(b'{"v": 4}\n')
    with (
        store.open_output_stream("lake/text/d.arrow") as stream,
        pa.ipc.new_file(stream, pa.schema([("v", pa.int64())])) as writer,
    ):
        writer.write_table(pa.table({"v": [5]}))
    return store


def put(store: pafs.S3FileSystem, path: str, values: list[int]) -> None:
    with store.open_output_stream(path) as stream:
        if values:
            pq.write_table(pa.table({"v": pa.array(values, pa.int64())}), stream)


@pytest.fixture
def storage(endpoint: str, bucket: pafs.S3FileSystem) -> Storage:
    return Storage("s3", (("access_key", "key"), ("endpoint_override", endpoint), ("secret_key", "secret")))


def values(table: FileTable) -> list[int]:
    return sorted(read_all(table, ["v"]).column("v").to_pylist())


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("s3://lake/one/a.parquet", [1, 2]),
        ("s3://lake/one", [1, 2]),
        ("s3://lake/many/", [1, 2]),
        ("s3://lake/many/[b-z].parquet", [2]),
        ("s3://lake/*/a.parquet", [1, 1, 2]),
        ("s3://lake/**/part.parquet", [2012, 2013]),
        ("s3://lake/text/a.csv", [1, 2]),
        ("s3://lake/text/*.csv*", [1, 2, 3]),
        ("s3://lake/text/c.jsonl", [4]),
        ("s3://lake/text/d.arrow", [5]),
    ],
)
def test_sources(storage: Storage, url: str, expected: list[int]) -> None:
    assert values(open_table("t", url, storage=storage)) == expected


def test_hive_folders_and_pruning(storage: Storage) -> None:
    table = open_table("t", "s3://lake/hive", storage=storage)
    assert table.partition_columns == ("year",)
    fields = fields_of(table)
    kept = splits(table, [compare("equal", fields["year"], 2013)], list(fields.values()))
    assert read_all(table, only=kept).to_pylist() == [{"v": 2013, "year": 2013}]
    pruned = splits(table, [compare("less", fields["v"], 2013)], list(fields.values()))
    assert read_all(table, only=pruned).to_pylist() == [{"v": 2012, "year": 2012}]


def test_statistics(storage: Storage) -> None:
    found = statistics(open_table("t", "s3://lake/many", storage=storage))
    assert (found.rows, found.columns["v"].minimum, found.columns["v"].maximum) == (2, pa.scalar(1), pa.scalar(2))
    assert found.columns["v"].distinct == 2


def test_endpoint_and_credentials_from_the_environment(
    endpoint: str, bucket: pafs.S3FileSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("ENDPOINT_URL", endpoint), ("ACCESS_KEY_ID", "key"), ("SECRET_ACCESS_KEY", "secret")):
        monkeypatch.setenv(f"AWS_{name}", value)
    # An option of its own keeps this file system apart from those that were made without the environment.
    table = open_table("t", "s3://lake/one/a.parquet", storage=Storage("s3", (("region", "us-east-1"),)))
    assert values(table) == [1, 2]


def test_a_query_can_name_a_url(storage: Storage) -> None:
    assert values(Catalog(storage).open_path("s3://lake/one/*.parquet")) == [1, 2]


@pytest.mark.parametrize(
    ("url", "message", "hint"),
    [
        ("s3://lake/one/b.parquet", "s3://lake/one/b.parquet does not exist", "did you mean s3://lake/one/a.parquet?"),
        ("s3://lak/one", "s3://lak/one does not exist", "bucket"),
        ("s3://lake/one/*.csv", "no file matches s3://lake/one/*.csv", "has a.parquet"),
        ("s3://lake/text", "is csv but", "one format"),
    ],
)
def test_errors(storage: Storage, url: str, message: str, hint: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        open_table("t", url, storage=storage)
    assert message in caught.value.message
    assert caught.value.hint is not None
    assert hint in caught.value.hint


def test_unknown_options(storage: Storage) -> None:
    with pytest.raises(InvalidInput, match="S3 has no option 'acces_key'") as caught:
        open_table("t", "s3://lake/one", storage=Storage("s3", (("acces_key", "x"),)))
    assert "access_key" in str(caught.value.hint)


def test_an_object_that_changed(storage: Storage, bucket: pafs.S3FileSystem) -> None:
    put(bucket, "lake/changing/a.parquet", [1])
    table = open_table("t", "s3://lake/changing/a.parquet", storage=storage)
    found = splits(table)
    put(bucket, "lake/changing/a.parquet", list(range(500)))
    with pytest.raises(InputChanged, match=r"s3://lake/changing/a\.parquet has changed"):
        read_all(table, only=found)


def test_credentials_are_not_shown(storage: Storage) -> None:
    table = open_table("t", "s3://lake/one", storage=storage)
    assert ("secret_key", "secret") in table.storage.options
    assert "secret" not in repr(table)


class Denying:
    """A store that lets nobody in."""

    def get_file_info(self, path: object) -> None:
        raise OSError("When getting information: AWS Error ACCESS_DENIED during HeadObject operation: No response body.")


def test_a_store_that_refuses_says_how_to_give_credentials(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    table = open_table("t", "s3://lake/one/a.parquet", storage=storage)
    for room in ("listing", "storage"):
        monkeypatch.setattr(f"flightmesh.catalog.{room}.filesystem", lambda place: Denying())
    for attempt in (
        lambda: open_table("t", "s3://lake/one/a.parquet", storage=storage),
        lambda: refresh(table),
        lambda: open_file(table.storage, table.files[0]),
    ):
        with pytest.raises(InvalidInput, match=r"s3://lake/one/a\.parquet cannot be read: permission denied") as caught:
            attempt()
        assert "AWS_ACCESS_KEY_ID" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("path", "options", "message", "hint"),
    [
        ("/local/dir", {"region": "x"}, "storage is for s3:// paths, and /local/dir is local", "leave storage out"),
        ("s3://lake//one", {"region": "x"}, "s3://lake//one cannot be read: Empty path component", "check the path"),
        ("s3://lake/one", {"access_key": "k"}, "the storage options do not fit", "secret_key"),
        ("s3://lake/one", {"request_timeout": "soon"}, "request_timeout is a number of seconds, not 'soon'", "10"),
    ],
)
def test_paths_and_options_that_do_not_fit(path: str, options: dict[str, str], message: str, hint: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        open_table("t", path, storage=Storage("s3", tuple(options.items())))
    assert message in caught.value.message
    assert hint in str(caught.value.hint)
