"""How the data plane of a worker reaches others, and who the worker is to them.

Handed what a registration gave; hands on signed tickets and streams. What always holds: one `Reach` is of one incarnation of
a worker, and who it is does not change.
"""

from __future__ import annotations

from flightmesh.config import MIB
from flightmesh.dataclass import dataclass
from flightmesh.errors import Cancelled
from flightmesh.ids import WorkerId
from flightmesh.protocol.tickets import Ticket, sign
from flightmesh.transport.peers import Peers
from flightmesh.transport.service import Call

CALL_STEP_SECONDS = 0.1
"""How long a handler waits at most before it looks whether its caller is still there."""


@dataclass(frozen=True, slots=True)
class Reach:
    """`window`: bytes of one stream that may be under way. `patience`: seconds that a stream may take to come."""

    peers: Peers
    worker: WorkerId
    key: bytes
    window: int = 8 * MIB
    patience: float = 30.0

    def sign(self, ticket: Ticket) -> bytes:
        """A ticket that the other nodes of the mesh take."""
        return sign(ticket, self.key)


def raise_if_gone(call: Call) -> None:
    """Ends a handler whose caller has left."""
    if call.is_cancelled():
        raise Cancelled("the caller has gone")
