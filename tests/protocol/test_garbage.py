"""100,000 inputs that are no messages, tickets or frames: each raises what it should, or happens to be right."""

from __future__ import annotations

import random
import resource
from collections.abc import Callable

import pytest

from flightmesh.errors import FlightmeshError, InvalidMessage, InvalidTicket
from flightmesh.protocol.codec import decode, encode
from flightmesh.protocol.frames import pack_end, read_end, read_frame
from flightmesh.protocol.tickets import TICKET_BYTES, _mac, read_ticket, sign
from flightmesh.transport.control import ORDER_ACTIONS, REPORT_ACTIONS, read_orders, read_reports
from flightmesh.transport.large_bodies import pack_answers, read_answers
from tests.protocol.examples import EXAMPLES, TICKETS
from tests.protocol.garbage import garbage

KEY = bytes(range(32))
SEEDS = range(8)
MESSAGES, TICKET_COUNT, OTHERS = 7500, 2500, 2500
"""Inputs of each seed: 100,000 in all."""


def refused(kinds: tuple[type[FlightmeshError], ...], read: Callable[[bytes], object], data: bytes) -> bool:
    """Whether `data` was refused, and in no other way than by `kinds`."""
    try:
        read(data)
    except kinds as error:
        assert "Traceback" not in error.message
        assert len(error.message) < 1000
        return True
    return False


@pytest.fixture(autouse=True)
def flat_memory() -> object:
    """Lengths that a header claims are not believed."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    yield
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 300 * 1024


@pytest.mark.parametrize("seed", SEEDS)
def test_messages(seed: int) -> None:
    chance = random.Random(seed)
    bodies = [(encode(example.value, example.union), example.union or type(example.value)) for example in EXAMPLES]
    count = 0
    for _ in range(MESSAGES):
        body, kind = chance.choice(bodies)
        count += refused((InvalidMessage,), lambda data, kind=kind: decode(data, kind), garbage(chance, body))
    assert count > 0.6 * MESSAGES


@pytest.mark.parametrize("seed", SEEDS)
def test_tickets(seed: int) -> None:
    """Half of them signed, as no stranger can: then the map inside is what is wrong."""
    chance = random.Random(seed)
    for _ in range(TICKET_COUNT):
        ticket = sign(chance.choice(TICKETS).value, KEY)
        if chance.random() < 0.5:
            body = garbage(chance, ticket[16:])
            refused((InvalidTicket,), lambda data: read_ticket(data, KEY), _mac(body, KEY) + body)
        else:
            data = garbage(chance, ticket)
            assert refused((InvalidTicket,), lambda data: read_ticket(data, KEY), data) or data == ticket
    for size in (0, 1, 15, 16, TICKET_BYTES, TICKET_BYTES + 1, 1 << 24):
        assert refused((InvalidTicket,), lambda data: read_ticket(data, KEY), bytes(size))


@pytest.mark.parametrize("seed", SEEDS)
def test_frames_orders_reports_and_answers(seed: int) -> None:
    chance = random.Random(seed)
    orders = next(encode(example.value) for example in EXAMPLES if example.name == "Orders")
    reports = next(encode(example.value) for example in EXAMPLES if example.name == "Reports")
    readers: list[tuple[Callable[[bytes], object], bytes]] = [
        (read_frame, pack_end(6)[:29]),
        (read_end, pack_end(6, 1000)),
        (lambda data: read_orders(chance.choice(["orders", *ORDER_ACTIONS]), data), orders),
        (lambda data: read_reports(chance.choice(["reports", *REPORT_ACTIONS]), data), reports),
        (read_answers, pack_answers([b"a", b""])),
    ]
    for _ in range(OTHERS):
        read, body = chance.choice(readers)
        refused((InvalidMessage,), read, garbage(chance, body))
