"""Certificates that live for seconds: they are renewed again and again, and nobody's stream or query breaks."""

from __future__ import annotations

import signal
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from cryptography import x509

from tests.trust.secured import MESH, SecuredMesh, secured_mesh
from tests.waiting import wait_until

HOURS = 0.002
"""Some seven seconds."""
LIFE = HOURS * 3600
PAIRS = """
    select a.v as a, b.v as b from range_of_numbers a
    join range_of_numbers b on a.v % 400 = b.v % 400 and b.v < 4000
"""


@pytest.fixture(scope="module")
def mesh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredMesh]:
    folder = tmp_path_factory.mktemp("mesh")
    config = folder / "driver.yaml"
    config.write_text(f"node: {{certificate_hours: {HOURS}}}\n")
    with secured_mesh(folder, 2, "--config", str(config)) as made:
        yield made


def shown_at(mesh: SecuredMesh) -> x509.Certificate:
    """The certificate that the driver shows to clients now."""
    host, port = mesh.address.split(":")
    context = ssl.create_default_context(cadata=mesh.state.authority.certificate.decode())
    raw = socket.create_connection((host, int(port)), 10)
    with raw, context.wrap_socket(raw, server_hostname=f"{MESH}.flightmesh") as wrapped:
        data = wrapped.getpeercert(binary_form=True)
    assert data is not None
    return x509.load_der_x509_certificate(data)


def test_streams_and_queries_outlive_their_certificates(mesh: SecuredMesh, tmp_path: Path) -> None:
    """A result is read slowly over two lives of the certificates that it began under, while other queries come and go."""
    first = shown_at(mesh)
    failures: list[BaseException] = []
    answers: list[int] = []
    ended = threading.Event()

    def ask() -> None:
        try:
            with mesh.connect() as session:
                while not ended.wait(0.05):
                    rows = session.sql("select count(*) as n from range_of_numbers where v % 7 = 3").to_arrow()
                    answers.append(rows.column("n")[0].as_py())
        except BaseException as failure:
            failures.append(failure)

    with mesh.connect() as session:
        session.upload("range_of_numbers", pa.table({"v": range(400_000)}))
        asking = threading.Thread(target=ask)
        asking.start()
        try:
            started, rows = time.monotonic(), 0
            reader = session.sql(PAIRS).to_reader()
            pause = threading.Event()
            for batch in reader:
                rows += batch.num_rows
                if time.monotonic() - started < 2.2 * LIFE:
                    pause.wait(0.8)
        finally:
            ended.set()
            asking.join()
    assert time.monotonic() - started > 2 * LIFE
    assert rows == 400_000 * 10
    assert not failures
    assert len(answers) > 10 and set(answers) == {57143}
    last = shown_at(mesh)
    assert last.serial_number != first.serial_number
    assert last.not_valid_after_utc > first.not_valid_after_utc
    assert mesh.driver.said.count("the certificate was renewed") >= 2
    for worker in mesh.workers:
        assert worker.said.count("the certificate was renewed") >= 2
        assert worker.said.count("ready, registered") == 1  # it stayed a member all the time


def test_a_worker_whose_certificate_has_ended_joins_by_its_token_again(mesh: SecuredMesh) -> None:
    """One that was stopped for longer than its certificate's life comes back by itself."""
    worker = mesh.workers[0]
    worker.signal(signal.SIGSTOP)
    try:
        pause = threading.Event()
        pause.wait(LIFE * 1.5)
    finally:
        worker.signal(signal.SIGCONT)
    wait_until(lambda: worker.said.count("ready, registered") == 2, 30, f"the worker to be back; it said:\n{worker.said}")
    with mesh.connect() as session:
        assert session.sql("select 1").to_arrow().num_rows == 1
