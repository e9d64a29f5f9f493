"""A listener that shows another certificate again and again: whoever calls meanwhile is answered, and heard once."""

from __future__ import annotations

import collections
import threading
from collections.abc import Iterable

import pyarrow as pa
import pyarrow.flight as flight

from flightmesh.errors import FlightmeshError
from flightmesh.transport.flight_peers import RENEWING_SECONDS, FlightPeers
from flightmesh.transport.flight_server import FlightNode
from flightmesh.transport.security import ClientTls, OpenDoor, Security, ServerTls
from flightmesh.transport.service import Call, OutStream
from flightmesh.trust.authority import new_authority
from tests.transport.serving import NUMBERS, Told, rows

RENEWALS = 6
APART = sum(RENEWING_SECONDS) + 0.2  # a call that meets one is not to meet the next one too


def test_no_call_and_no_stream_is_lost_to_a_renewal() -> None:
    heard: collections.Counter[bytes] = collections.Counter()
    lock = threading.Lock()

    def note(body: bytes) -> None:
        with lock:
            heard[body] += 1

    def act(body: bytes, call: Call) -> Iterable[bytes]:
        note(body)
        return [body]

    def get(ticket: bytes, call: Call) -> OutStream:
        note(ticket)
        return OutStream(NUMBERS, iter([(rows(int(ticket)), b"")]), lambda: None)

    identity = new_authority("home").identity_of_driver("driver-1", ["127.0.0.1"], 1)
    tls = ServerTls(identity.certificate, identity.key)
    node = FlightNode(Told(acts={"note": act}, gets=get), "grpc+tls://127.0.0.1:0", "renewed", Security(tls, OpenDoor()))
    node.start()
    ended = threading.Event()
    failures: list[FlightmeshError] = []
    asked: list[int] = []

    def call(first: int) -> None:
        peers = FlightPeers(trust=lambda address: ClientTls(identity.roots))
        client = peers.at(node.uri)
        number = first
        try:
            while not ended.is_set():
                body = str(number).encode()
                if number % 3 == 0:
                    stream = client.get(body)
                    assert stream.next() == (rows(number), b"")
                    assert stream.next() is None
                else:
                    assert client.call("note", body, 10) == [body]
                if number % 50 == 0:
                    assert client.schema(flight.FlightDescriptor.for_path("c"), 10) == pa.schema([("c", pa.int8())])
                number += 1
        except FlightmeshError as failure:
            failures.append(failure)
        finally:
            asked.append(number - first)
            peers.close()

    callers = [threading.Thread(target=call, args=(start * 1_000_000,)) for start in range(4)]
    for caller in callers:
        caller.start()
    pause = threading.Event()
    for _ in range(RENEWALS):
        pause.wait(APART)
        node.renew(tls)
    ended.set()
    for caller in callers:
        caller.join()
    node.close(2)
    assert not failures
    assert sum(asked) > 4 * RENEWALS
    assert len(heard) == sum(asked) and set(heard.values()) == {1}
