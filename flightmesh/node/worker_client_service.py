"""What a worker answers on its client listener: results, to who shows their ticket, and nothing else.

Handed tickets; hands on streams of rows. What always holds: no action exists here, and a ticket of any other kind is refused.
"""

from __future__ import annotations

from collections.abc import Iterable

import pyarrow as pa

from flightmesh.errors import NotAllowed, UnsupportedFeature
from flightmesh.node.tenure import Tenure
from flightmesh.protocol.tickets import ResultTicket, read_ticket
from flightmesh.transport.service import ActionKind, Asked, Call, Info, InStream, OutStream

ASK_THE_DRIVER = "a worker gives results to who has a ticket; ask the driver for everything else"


class WorkerClientService:
    """Implements `transport.service.Service`."""

    def __init__(self, tenure: Tenure) -> None:
        self._tenure = tenure

    def actions(self) -> tuple[ActionKind, ...]:
        """None."""
        return ()

    def act(self, name: str, body: bytes, call: Call) -> Iterable[bytes]:
        """Refused."""
        raise UnsupportedFeature(f"a worker has no action {name!r} for clients", hint=ASK_THE_DRIVER)

    def get(self, ticket: bytes, call: Call) -> OutStream:
        """A partition of a result."""
        here = self._tenure.present(call)
        asked = read_ticket(ticket, here.loop.key)
        if not isinstance(asked, ResultTicket):
            raise NotAllowed("this ticket is for nodes", hint=ASK_THE_DRIVER)
        return here.loop.streams.result(asked, call)

    def put(self, asked: Asked, stream: InStream, call: Call) -> None:
        """Refused."""
        raise UnsupportedFeature("a worker takes no rows from clients", hint=ASK_THE_DRIVER)

    def info(self, asked: Asked, call: Call) -> Info:
        """Refused."""
        raise UnsupportedFeature("a worker plans no queries", hint=ASK_THE_DRIVER)

    def schema(self, asked: Asked, call: Call) -> pa.Schema:
        """Refused."""
        raise UnsupportedFeature("a worker plans no queries", hint=ASK_THE_DRIVER)

    def list(self, call: Call) -> Iterable[Info]:
        """Nothing."""
        return ()
