"""Garbage and oversized bodies, commands and tickets at every listener of a running mesh, which answers queries after."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

import pyarrow as pa
import pytest

from flightmesh.errors import FlightmeshError, InternalError, InvalidMessage, InvalidTicket
from flightmesh.protocol.codec import encode
from flightmesh.protocol.node_messages import Register
from flightmesh.protocol.tickets import TICKET_BYTES, sign
from flightmesh.transport.flight_client import ClientConnection
from flightmesh.transport.large_bodies import LARGEST_MESSAGE
from flightmesh.transport.service import Asked
from tests.node.loopback import Loopback, client_of, loopback
from tests.protocol.examples import EXAMPLES, TICKETS
from tests.protocol.garbage import garbage

ACTIONS, STREAMS, COMMANDS = 2000, 500, 250
"""Inputs for each of four listeners."""
STRANGER = bytes(32)


@pytest.fixture(scope="module")
def mesh() -> Iterator[Loopback]:
    with loopback() as running:
        yield running


def listeners(mesh: Loopback) -> list[str]:
    worker = mesh.driver.mesh.workers()[0]
    return [mesh.driver.client_uri, mesh.driver.mesh_uri, worker.client, worker.mesh]


@pytest.fixture(autouse=True)
def unharmed(mesh: Loopback) -> Iterator[None]:
    """After each test the same workers are there, and answer."""
    before = mesh.driver.mesh.workers()
    yield
    assert [(node.id, node.state) for node in mesh.driver.mesh.workers()] == [(node.id, "alive") for node in before]
    with client_of(mesh) as client:
        assert client.sql("SELECT sum(n) AS s FROM (VALUES (1), (2), (3)) AS t(n)").column(0).to_pylist() == [6]


def attempt(call: Callable[[], object]) -> bool:
    """Whether a call was refused with an error that says whose fault it is, and not ours."""
    try:
        call()
    except InternalError as error:
        raise AssertionError(f"a bug: {error}") from None
    except FlightmeshError as error:
        assert "Traceback" not in str(error)
        return True
    return False


def body_of(chance: random.Random) -> bytes:
    """Nearly a message. A worker that registers in earnest would be given tasks, so no `Register` is nearly right."""
    example = chance.choice([example for example in EXAMPLES if not isinstance(example.value, Register)])
    return garbage(chance, encode(example.value, example.union))


@pytest.mark.parametrize("number", range(4))
def test_garbage_actions(mesh: Loopback, number: int) -> None:
    chance = random.Random(number)
    client = ClientConnection(listeners(mesh)[number])
    names = [kind.name for kind in client.actions()] or ["orders"]
    refusals = 0
    for _ in range(ACTIONS):
        name = chance.choice(names) if chance.random() < 0.95 else chance.choice(["", "nonsense", "x" * 5000, "\u00fc"])
        body = chance.randbytes(chance.randrange(80)) if name == "register" else body_of(chance)
        refusals += attempt(lambda name=name, body=body: client.action(name, body, 20))
    assert refusals > ACTIONS // 3
    client.close()


@pytest.mark.parametrize("number", range(4))
def test_garbage_tickets_and_puts(mesh: Loopback, number: int) -> None:
    chance = random.Random(100 + number)
    client = ClientConnection(listeners(mesh)[number])
    for _ in range(STREAMS):
        data = garbage(chance, sign(chance.choice(TICKETS).value, STRANGER))
        assert attempt(lambda data=data: client.get(None, data).next())
        if number:  # the driver's client listener takes uploads
            put = client.put(Asked(command=data), pa.schema([("n", pa.int64())]))
            assert attempt(put.finish)
    client.close()


@pytest.mark.parametrize("number", range(4))
def test_garbage_commands(mesh: Loopback, number: int) -> None:
    chance = random.Random(200 + number)
    client = ClientConnection(listeners(mesh)[number])
    for _ in range(COMMANDS):
        data = body_of(chance)
        attempt(lambda data=data: client.schema(Asked(command=data), 20))
        attempt(lambda data=data: client.info(Asked(path=(data.hex()[:20], "t")), 20))
    client.close()


@pytest.mark.parametrize("number", range(4))
def test_what_is_too_large(mesh: Loopback, number: int) -> None:
    client = ClientConnection(listeners(mesh)[number])
    for name in [kind.name for kind in client.actions()][:3] or ["orders"]:
        with pytest.raises(InvalidMessage, match="at most"):
            client._at(None).call(name, bytes(LARGEST_MESSAGE + 1), 20)
    with pytest.raises(InvalidTicket, match="at most"):
        client.get(None, bytes(TICKET_BYTES + 1)).next()
    with pytest.raises(InvalidMessage, match="at most"):
        client.info(Asked(command=bytes(LARGEST_MESSAGE + 1)))
    client.close()
