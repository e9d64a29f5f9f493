"""Bytes that make no sense, at both listeners of a worker that goes on as if nothing had happened."""

import random
from collections.abc import Iterator
from pathlib import Path

import msgpack
import pyarrow as pa
import pytest

from flightmesh.errors import (
    FlightmeshError,
    InternalError,
    InvalidMessage,
    InvalidTicket,
    NotAllowed,
    UnsupportedFeature,
    WorkerLost,
)
from flightmesh.ids import EdgeId, JobId, WorkerId
from flightmesh.protocol.client_messages import Done
from flightmesh.protocol.codec import encode
from flightmesh.protocol.messages import CancelTask, ReleaseJob, RunTask
from flightmesh.protocol.node_messages import Heard, Orders
from flightmesh.protocol.tickets import TICKET_BYTES, ExchangeTicket, HeldTicket, ResultTicket, TableTicket, sign
from flightmesh.transport.control import ORDER_ACTIONS
from flightmesh.transport.flight_client import ClientConnection
from flightmesh.transport.flight_peers import FlightPeers
from flightmesh.transport.service import Asked
from tests.node.fake_driver import KEY, FakeDriver
from tests.node.tasks import attempt
from tests.node.test_worker_node import worker
from tests.waiting import wait_until

ACTIONS = ("orders", "look-up", "statistics", "find-splits", "drop-table", *ORDER_ACTIONS)
ROUNDS = 1500


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeDriver]:
    """A driver that one worker has joined."""
    with FakeDriver() as driver, worker(driver.uri, tmp_path_factory.mktemp("spill")):
        wait_until(lambda: driver.beats)
        yield driver


@pytest.fixture(scope="module")
def peers() -> Iterator[FlightPeers]:
    made = FlightPeers()
    yield made
    made.close()


@pytest.fixture(autouse=True)
def unharmed(driver: FakeDriver) -> Iterator[None]:
    """After each test the worker is the same incarnation, answers, and carries nothing."""
    yield
    assert driver.call("ping", b"", Done) == Done()
    count = len(driver.beats)
    wait_until(lambda: len(driver.beats) > count + 1)
    load = driver.beats[-1].load
    assert driver.ids == ["w-0000"]
    assert (load.running_tasks, load.channels, load.streams, load.exchange_bytes) == (0, 0, 0, 0)


def mutated(body: bytes, chance: random.Random) -> bytes:
    data = bytearray(body)
    for _ in range(chance.randint(1, 4)):
        what = chance.randrange(4)
        place = chance.randrange(len(data)) if data else 0
        if what == 0 and data:
            data[place] = chance.randrange(256)
        elif what == 1:
            data[place:place] = chance.randbytes(chance.randint(1, 8))
        elif what == 2 and data:
            del data[place : place + chance.randint(1, 8)]
        else:
            data = data[: max(1, place)]
    return bytes(data)


def samples(driver: FakeDriver) -> list[bytes]:
    orders = Orders(driver.incarnation, WorkerId("nobody"), 0, (ReleaseJob(JobId(7)), CancelTask(attempt(7))))
    plain = [{}, [], None, 7, "text", {"paths": 3}, {"name": "t", "paths": ["/etc/passwd"], "more": 1}]
    return [encode(orders), b"", *(msgpack.packb(value) for value in plain)]


def test_bodies_of_actions(driver: FakeDriver, peers: FlightPeers) -> None:
    chance = random.Random(1)
    mesh = driver.registrations[0].address.mesh
    known = samples(driver)
    refused: dict[str, int] = {}
    for number in range(ROUNDS):
        action = ACTIONS[number % len(ACTIONS)]
        body = mutated(chance.choice(known), chance) if number % 5 else chance.randbytes(chance.randint(0, 200))
        with pytest.raises(FlightmeshError) as caught:
            peers.call(mesh, action, body, 10.0)
        assert not isinstance(caught.value, InternalError), (action, body, caught.value)
        assert "Traceback" not in str(caught.value)
        refused[type(caught.value).__name__] = refused.get(type(caught.value).__name__, 0) + 1
    assert refused["InvalidMessage"] > ROUNDS // 2


def test_orders_under_the_name_of_others(driver: FakeDriver, peers: FlightPeers) -> None:
    mesh = driver.registrations[0].address.mesh
    orders = Orders(driver.incarnation, driver.ids[0], 0, (ReleaseJob(JobId(1)),))
    for action in ORDER_ACTIONS:
        if action != "release-job":
            with pytest.raises(InvalidMessage, match="carries one"):
                peers.call(mesh, action, encode(orders), 10.0)
    two = Orders(driver.incarnation, driver.ids[0], 0, (ReleaseJob(JobId(1)),) * 2)
    with pytest.raises(InvalidMessage, match="carries one"):
        peers.call(mesh, "release-job", encode(two), 10.0)


def test_numbers_that_leave_a_gap(driver: FakeDriver, peers: FlightPeers) -> None:
    mesh = driver.registrations[0].address.mesh
    for first in (5, -1, 1 << 62):
        orders = Orders(driver.incarnation, driver.ids[0], first, (ReleaseJob(JobId(1)),))
        with pytest.raises(InvalidMessage):
            peers.call(mesh, "orders", encode(orders), 10.0)


def test_tickets(driver: FakeDriver, peers: FlightPeers) -> None:
    chance = random.Random(2)
    address = driver.registrations[0].address
    here = driver.ids[0]
    signed = [
        sign(ExchangeTicket(JobId(7), EdgeId(0), here, 0, 1, attempt(7)), KEY),
        sign(ResultTicket(JobId(7), 0, b"n"), KEY),
        sign(TableTicket(here, "t", 0, 1), KEY),
    ]
    for number in range(ROUNDS):
        whole = chance.choice(signed)
        data = mutated(whole, chance) if number % 5 else chance.randbytes(chance.randint(0, 300))
        if data == whole:
            continue
        with pytest.raises(InvalidTicket):
            peers.get(address.client if number % 2 else address.mesh, data).next()
    with pytest.raises(InvalidTicket):
        peers.get(address.mesh, bytes(TICKET_BYTES + 1)).next()
    foreign = sign(ResultTicket(JobId(7), 0, b"n"), bytes(32))
    with pytest.raises(InvalidTicket):
        peers.get(address.client, foreign).next()


def test_a_ticket_for_the_driver(driver: FakeDriver, peers: FlightPeers) -> None:
    address = driver.registrations[0].address
    held = sign(HeldTicket("rows"), KEY)
    with pytest.raises(InvalidTicket, match="for the driver"):
        peers.get(address.mesh, held).next()
    with pytest.raises(NotAllowed):
        peers.get(address.client, held).next()


def test_tickets_for_another_incarnation(driver: FakeDriver, peers: FlightPeers) -> None:
    mesh = driver.registrations[0].address.mesh
    gone = WorkerId("w-ffff")
    for ticket in (ExchangeTicket(JobId(7), EdgeId(0), gone, 0, 1, attempt(7)), TableTicket(gone, "t", 0, 1)):
        with pytest.raises(WorkerLost, match="w-ffff is gone"):
            peers.get(mesh, sign(ticket, KEY)).next()
        stream = peers.put(mesh, sign(ticket, KEY), pa.schema([("x", pa.int64())]))
        with pytest.raises(WorkerLost, match="w-ffff is gone"):
            stream.finish()


def test_what_nodes_do_is_not_there_for_clients(driver: FakeDriver, peers: FlightPeers) -> None:
    client = driver.registrations[0].address.client
    for action in ("ping", *ACTIONS, "register", "submit", "nonsense"):
        with pytest.raises(UnsupportedFeature):
            peers.call(client, action, b"", 10.0)
    for ticket in (
        ExchangeTicket(JobId(7), EdgeId(0), driver.ids[0], 0, 1, attempt(7)),
        TableTicket(driver.ids[0], "t", 0, 1),
    ):
        with pytest.raises(NotAllowed):
            peers.get(client, sign(ticket, KEY)).next()
    stream = peers.put(client, sign(TableTicket(driver.ids[0], "t", 0, 1), KEY), pa.schema([("x", pa.int64())]))
    with pytest.raises(UnsupportedFeature):
        stream.finish()
    connection = ClientConnection(client)
    with pytest.raises(UnsupportedFeature, match="plans no queries"):
        connection.info(Asked(b"select 1"))
    assert connection.list() in ([], ())
    connection.close()


def test_puts_of_garbage(driver: FakeDriver, peers: FlightPeers) -> None:
    mesh = driver.registrations[0].address.mesh
    chance = random.Random(3)
    for _ in range(100):
        stream = peers.put(mesh, chance.randbytes(chance.randint(0, 100)), pa.schema([("x", pa.int64())]))
        with pytest.raises(FlightmeshError) as caught:
            stream.finish()
        assert not isinstance(caught.value, InternalError)


def test_an_order_that_makes_no_sense_ends_the_incarnation_and_not_the_worker(tmp_path: Path) -> None:
    """A task before its plan: no driver sends that. What the worker knew cannot be trusted any more, so it begins anew."""
    with FakeDriver() as other, worker(other.uri, tmp_path) as node:
        wait_until(lambda: other.beats)
        assert other.order(RunTask(attempt(1))) == Heard(1)
        wait_until(lambda: len(other.ids) == 2)
        wait_until(lambda: node.id == other.ids[1])
        wait_until(lambda: other.beats[-1].worker == other.ids[1])
