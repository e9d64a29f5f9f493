"""ADBC at a mesh with TLS: the authority's certificate and a client token, at the driver and at the workers that hold rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import adbc_driver_flightsql.dbapi as adbc
import pyarrow as pa
import pytest

from flightmesh.config import MIB, Config
from flightmesh.node.client_service import ClientService
from flightmesh.node.driver_node import DriverNode, DriverPlace
from flightmesh.node.driver_security import DriverSecurity
from flightmesh.node.listeners import Listening
from flightmesh.node.worker_node import Place, WorkerNode
from flightmesh.node.worker_security import WorkerSecurity
from flightmesh.trust.state import MeshState, open_state
from flightmesh.trust.tokens import Kind
from tests.node.loopback import wait_until

ROOTS = "adbc.flight.sql.client_option.tls_root_certs"
HEADER = "adbc.flight.sql.authorization_header"
HOST = "adbc.flight.sql.client_option.tls_override_hostname"
LISTEN = "grpc+tls://127.0.0.1:0"
WORKERS = 2


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> MeshState:
    return open_state(tmp_path_factory.mktemp("state"), "flightmesh")


@pytest.fixture(scope="module")
def options(state: MeshState) -> dict[str, str]:
    """What ADBC needs: two texts. The token is made before the workers join, so they know it from the start."""
    return {ROOTS: state.authority.certificate.decode(), HEADER: f"Bearer {state.tokens.make(Kind.CLIENT).text}"}


@pytest.fixture(scope="module")
def driver(state: MeshState, options: dict[str, str]) -> Iterator[DriverNode]:
    """A driver with two workers, which let in who has `options`."""
    assert options
    config = Config(threads=2, memory=512 * MIB)
    config = replace(config, exchange=replace(config.exchange, disk=1 << 30))
    made = DriverNode(config, ClientService, DriverPlace(LISTEN, security=DriverSecurity(state, 1.0, _addresses)))
    made.start()
    token = state.tokens.make(Kind.WORKER)
    workers = [
        WorkerNode(
            config,
            made.client_uri,
            Place(f"w{number}", Listening(LISTEN, LISTEN), security=WorkerSecurity(token, _addresses)),
        )
        for number in range(WORKERS)
    ]
    for worker in workers:
        worker.start()
    wait_until(lambda: len(made.mesh.workers()) == WORKERS, "the workers join")
    yield made
    for worker in workers:
        worker.close()
    made.close()


@pytest.mark.parametrize("more", [{}, {HOST: "flightmesh.flightmesh"}], ids=["by address", "by the mesh's name"])
def test_rows_come_from_the_workers(driver: DriverNode, options: dict[str, str], more: dict[str, str]) -> None:
    before = driver.status().row_bytes
    with adbc.connect(driver.client_uri, db_kwargs={**options, **more}, autocommit=True) as mesh, mesh.cursor() as cursor:
        cursor.adbc_ingest("numbers", pa.table({"a": range(1000)}), mode="replace")
        taken = driver.status().row_bytes
        cursor.execute("select count(*) as n, max(x.a + ?) as top from numbers x, numbers y", [1])
        assert cursor.fetch_arrow_table().to_pylist() == [{"n": 1_000_000, "top": 1000}]
        cursor.execute("select x.a from numbers x, numbers y where y.a < 100")
        assert cursor.fetch_arrow_table().num_rows == 100_000
        assert before < taken
        assert driver.status().row_bytes - taken < 10_000, "only the row of parameters"


def _addresses() -> tuple[str, ...]:
    return ("127.0.0.1", "localhost")


def _ask(driver: DriverNode, options: dict[str, Any]) -> None:
    with adbc.connect(driver.client_uri, db_kwargs=options, autocommit=True) as mesh, mesh.cursor() as cursor:
        cursor.execute("select 1")


def test_who_is_not_let_in(driver: DriverNode, state: MeshState, options: dict[str, str]) -> None:
    _ask(driver, options)
    worker_token = state.tokens.make(Kind.WORKER).text
    wrong: list[tuple[dict[str, str], str]] = [
        ({ROOTS: options[ROOTS]}, "UNAUTHENTICATED"),
        ({**options, HEADER: "Bearer nonsense"}, "this is no token"),
        ({**options, HEADER: f"Bearer {worker_token}"}, "UNAUTHENTICATED"),
        ({**options, HEADER: options[HEADER][:-4] + "AAAA"}, "UNAUTHENTICATED"),
        ({HEADER: options[HEADER]}, "certificate"),
        ({**options, HOST: "elsewhere.flightmesh"}, "certificate"),
    ]
    for given, words in wrong:
        with pytest.raises(adbc.Error) as caught:
            _ask(driver, given)
        assert words in str(caught.value)
    _ask(driver, options)
