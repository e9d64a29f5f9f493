"""Who may call what on the listeners of a node that speaks TLS.

Handed calls before a service hears of them; hands on nothing, or raises. What always holds: on a client listener every call but
the first steps of joining shows a client's token; on a mesh listener every caller has shown a certificate of the mesh, what
only a driver may ask is refused to workers, and a node whose token was revoked is refused everything.
"""

from __future__ import annotations

from flightmesh.errors import NotAllowed
from flightmesh.transport.first_contact import CA_ACTION, ENROL_ACTION, HELLO_ACTION
from flightmesh.transport.service import Call
from flightmesh.trust.access import Access

AUTHORIZATION = "authorization"
FIRST_STEPS = frozenset({CA_ACTION, HELLO_ACTION, ENROL_ACTION})
DRIVER, WORKER = "d", "w"
"""First letters of node ids."""


class ClientGuard:
    """Of a client listener."""

    def __init__(self, access: Access) -> None:
        self._access = access

    def check(self, call: Call, action: str | None) -> None:
        """Raises Unauthenticated for a call without a token that is good."""
        if action not in FIRST_STEPS:
            self._access.check_client(call.headers.get(AUTHORIZATION))


class DriverGuard:
    """Of a driver's mesh listener: workers alone call there."""

    def __init__(self, access: Access) -> None:
        self._access = access

    def check(self, call: Call, action: str | None) -> None:
        """Raises NotAllowed for who is no worker of this mesh."""
        _require(call, WORKER, "only workers may ask this of a driver")
        self._access.check_node(call.identity)


class WorkerGuard:
    """Of a worker's mesh listener: the driver gives orders and asks, other workers read and bring rows."""

    def __init__(self, access: Access) -> None:
        self._access = access

    def check(self, call: Call, action: str | None) -> None:
        """Raises NotAllowed for an action that the driver did not ask for, and for a node that was revoked."""
        roles = DRIVER + WORKER if action is None else DRIVER
        _require(call, roles, "only the driver may ask this of a worker")
        self._access.check_node(call.identity)


def _require(call: Call, roles: str, why: str) -> None:
    if not call.identity:
        raise NotAllowed("this listener is for nodes of the mesh, which show a certificate")
    if call.identity[0] not in roles:
        raise NotAllowed(f"{call.identity} is refused: {why}")
