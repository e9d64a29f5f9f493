"""An address where the system takes connections and nobody speaks, as that of a process that is stopped: who opens a stream
there waits until somebody decides, and is told no sooner that the node is gone."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pyarrow as pa
import pytest

from flightmesh.errors import Cancelled, FlightmeshError
from flightmesh.transport.flight_peers import FlightPeers

LONGER_THAN_A_BUSY_NODE = 3.0


@pytest.fixture
def silent() -> Iterator[str]:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(8)
        yield f"grpc://127.0.0.1:{listening.getsockname()[1]}"


def test_a_get_waits_and_can_be_cancelled(silent: str) -> None:
    peers = FlightPeers()
    stream = peers.get(silent, b"ticket")
    failures: list[FlightmeshError] = []

    def read() -> None:
        try:
            stream.next()
        except FlightmeshError as failure:
            failures.append(failure)

    reader = threading.Thread(target=read)
    reader.start()
    reader.join(LONGER_THAN_A_BUSY_NODE)
    assert reader.is_alive(), failures
    stream.cancel()
    reader.join(5)
    assert [type(failure) for failure in failures] == [Cancelled]


def test_a_put_waits_and_can_be_cancelled(silent: str) -> None:
    peers = FlightPeers()
    batch = pa.record_batch({"n": [1, 2, 3]})
    stream = peers.put(silent, b"ticket", batch.schema)
    failures: list[FlightmeshError] = []

    def write() -> None:
        try:
            stream.write(batch, b"")
            stream.write(batch, b"")
        except FlightmeshError as failure:
            failures.append(failure)

    writer = threading.Thread(target=write)
    writer.start()
    writer.join(LONGER_THAN_A_BUSY_NODE)
    assert writer.is_alive(), failures
    stream.cancel()
    writer.join(5)
    assert [type(failure) for failure in failures] == [Cancelled]
