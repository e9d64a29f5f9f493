"""Inputs on S3 with options of their own, against a server on loopback."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.fs as pafs
import pyarrow.parquet as pq
import pytest
from moto.server import ThreadedMotoServer

from flightmesh.catalog.catalog import Catalog
from flightmesh.errors import InvalidInput, InvalidPlan
from flightmesh.frontend.yaml.plan import PlannedFile, load_plan, plan_file
from flightmesh.ids import ColumnIds

PLAN = """params:
  key: {type: string, required: true}
  endpoint: {type: string, required: true}
inputs:
  rows:
    parquet: s3://lake/a.parquet
    storage: {access_key: "{key}", secret_key: secret, endpoint_override: "{endpoint}", force_virtual_addressing: false}
steps:
  all: {from: rows}
"""


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    place = f"http://{host}:{port}"
    store = pafs.S3FileSystem(
        access_key="key", secret_key="secret", endpoint_override=place, region="us-east-1", allow_bucket_creation=True
    )
    store.create_dir("lake")
    with store.open_output_stream("lake/a.parquet") as stream:
        pq.write_table(pa.table({"v": [1, 2]}), stream)
    yield place
    server.stop()


def planned(text: str, endpoint: str = "http://127.0.0.1:1") -> PlannedFile:
    return plan_file(load_plan(text), catalog=Catalog(), params={"key": "key", "endpoint": endpoint}, ids=ColumnIds())


def test_an_input_has_storage_options_of_its_own(endpoint: str) -> None:
    assert planned(PLAN, endpoint).names == ("v",)


@pytest.mark.parametrize(
    ("old", "new", "kind", "message", "place"),
    [
        ("secret_key:", "secretkey:", InvalidInput, "S3 has no option 'secretkey'", (6, 14)),
        (
            "s3://lake/a.parquet",
            "/lake/a.parquet",
            InvalidInput,
            "storage is for s3:// paths, and /lake/a.parquet is local",
            (6, 14),
        ),
        ("parquet: s3://lake/a.parquet", "table: t", InvalidPlan, "storage is for files", (7, 14)),
        ('"{key}"', '"{kex}"', InvalidPlan, "no parameter is named 'kex'", (7, 27)),
        ("secret_key: secret", "secret_key: [a]", InvalidPlan, "a constant must be text", (7, 48)),
    ],
)
def test_storage_that_does_not_fit(old: str, new: str, kind: type[Exception], message: str, place: tuple[int, int]) -> None:
    with pytest.raises((InvalidInput, InvalidPlan)) as caught:
        planned(PLAN.replace(old, new))
    assert isinstance(caught.value, kind)
    assert message in caught.value.message
    assert caught.value.position is not None
    assert (caught.value.position.line, caught.value.position.column) == place
