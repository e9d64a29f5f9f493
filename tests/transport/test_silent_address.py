"""An address where the system takes connections and nobody speaks, as that of a process that is stopped: who opens a stream
there waits until somebody decides, and is told no sooner that the node is gone."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator

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
    stream = FlightPeers().get(silent, b"ticket")
    waits_until_cancelled(stream.next, stream.cancel)


def test_a_put_waits_and_can_be_cancelled(silent: str) -> None:
    batch = pa.record_batch({"n": [1, 2, 3]})
    stream = FlightPeers().put(silent, b"ticket", batch.schema)

    def write() -> None:
        stream.write(batch, b"")
        stream.write(batch, b"")

    waits_until_cancelled(write, stream.cancel)


def waits_until_cancelled(use: Callable[[], object], cancel: Callable[[], None]) -> None:
    """Using a stream neither fails nor returns before it is cancelled, and then it says so."""
    failures: list[FlightmeshError] = []

    def run() -> None:
        try:
            use()
        except FlightmeshError as failure:
            failures.append(failure)

    user = threading.Thread(target=run)
    user.start()
    user.join(LONGER_THAN_A_BUSY_NODE)
    assert user.is_alive(), failures
    cancel()
    user.join(5)
    assert [type(failure) for failure in failures] == [Cancelled]
