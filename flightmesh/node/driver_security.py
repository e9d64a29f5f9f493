"""A driver's side of a mesh's security: its own certificate and its renewal, who is let in, who is put out.

Handed the mesh's state; hands on what its listeners and its calls are secured with. What always holds: its certificate is
renewed before it ends; a token that is revoked puts its nodes out within a second.
"""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections.abc import Callable

from flightmesh.errors import FlightmeshError
from flightmesh.node.guards import DRIVER, ClientGuard, DriverGuard
from flightmesh.transport.security import ClientTls, Security, ServerTls
from flightmesh.trust.access import StoredAccess
from flightmesh.trust.certificates import Identity, mesh_name
from flightmesh.trust.joining import Doorkeeper
from flightmesh.trust.state import MeshState

LOG = logging.getLogger(__name__)
TICK_SECONDS = 0.5
RETRY_SECONDS = 30.0


class DriverSecurity:
    """Of one driver. `addresses` gives the names and addresses that it is reached by, as they are now."""

    def __init__(self, state: MeshState, hours: float, addresses: Callable[[], tuple[str, ...]]) -> None:
        self.state = state
        self.access = StoredAccess(state.tokens)
        self.doorkeeper = Doorkeeper(state.authority, state.tokens, hours)
        self._hours = hours
        self._addresses = addresses
        self._node = f"{DRIVER}-{secrets.token_hex(4)}"
        self._identity = self._fresh()
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def node(self) -> str:
        """Its node id."""
        return self._node

    def for_clients(self) -> Security:
        """What its client listener is secured with."""
        return Security(ServerTls(self._identity.certificate, self._identity.key), ClientGuard(self.access))

    def for_nodes(self) -> Security:
        """What its mesh listener is secured with."""
        found = self._identity
        return Security(ServerTls(found.certificate, found.key, found.roots), DriverGuard(self.access))

    def trust(self, address: str) -> ClientTls:
        """How it calls its workers."""
        found = self._identity
        return ClientTls(found.roots, mesh_name(found.mesh), found.certificate, found.key)

    def start(self, renewed: Callable[[], None], put_out: Callable[[frozenset[str]], None]) -> None:
        """Looks after both from now on. `renewed` has listeners and connections take the new certificate; `put_out` is told the
        ids of all revoked tokens, whenever there are more."""
        self._thread = threading.Thread(target=self._watch, args=(renewed, put_out), name="flightmesh-security", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Ends the thread."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join()

    def _fresh(self) -> Identity:
        return self.state.authority.identity_of_driver(self._node, self._addresses(), self._hours)

    def _watch(self, renewed: Callable[[], None], put_out: Callable[[frozenset[str]], None]) -> None:
        known: frozenset[str] = frozenset()
        not_before = 0.0
        while not self._ended.wait(TICK_SECONDS):
            try:
                revoked = frozenset(self.access.now().revoked)
                if revoked - known:
                    put_out(revoked)
                known = revoked
                if time.time() >= self._identity.renew_at and time.monotonic() >= not_before:
                    not_before = time.monotonic() + min(RETRY_SECONDS, self._hours * 60)
                    self._identity = self._fresh()
                    renewed()
                    LOG.info("the certificate was renewed, until %s", _clock(self._identity.ends))
            except FlightmeshError as error:
                LOG.warning("the mesh's security could not be looked after: %s", error.message)
            except OSError as error:  # of files and sockets there may be too few for a while
                LOG.warning("the mesh's security could not be looked after: %s", error)


def _clock(moment: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(moment))
