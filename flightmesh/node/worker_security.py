"""A worker's side of a mesh's security: joining by its token, its certificate and its renewal, whom it lets in.

Handed a token and the addresses that it is reached by; hands on what its listeners and its calls are secured with. What always
holds: the secret leaves this process only as an HMAC; until it has joined, its listeners show a certificate that nobody
trusts; a certificate that is about to end is replaced, by the old one where that is still good, else by the token.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from flightmesh.errors import FlightmeshError, InvalidConfig, NodeUnavailable
from flightmesh.node.guards import ClientGuard, WorkerGuard
from flightmesh.protocol.codec import decode, encode
from flightmesh.protocol.enrolment import AccessList, Enrol, Enrolled, Hello, Renew, Renewed
from flightmesh.protocol.node_messages import PROTOCOL_VERSION
from flightmesh.transport.first_contact import (
    CONTACT_SECONDS,
    ENROL_ACTION,
    fetch_ca,
    greet,
    trust_of_driver,
)
from flightmesh.transport.flight_peers import Connection, FlightPeers
from flightmesh.transport.security import ClientTls, Security, ServerTls, host_of, with_host
from flightmesh.trust.access import ToldAccess
from flightmesh.trust.authority import mesh_of
from flightmesh.trust.certificates import Identity, driver_name, lifetime, mesh_name, new_request, self_signed
from flightmesh.trust.joining import proof
from flightmesh.trust.tokens import Token

LOG = logging.getLogger(__name__)
TICK_SECONDS = 0.5
RETRY_SECONDS = 30.0
RENEW_ACTION = "renew"
AT_END_SECONDS = 5.0
"""A certificate that is good for less than this is as good as ended."""


class WorkerSecurity:
    """Of one worker process. `addresses` gives the names and addresses that it is reached by."""

    def __init__(self, token: Token, addresses: Callable[[], tuple[str, ...]]) -> None:
        self.access = ToldAccess()
        self._token = token
        self._addresses = addresses
        self._unknown = self_signed()
        self._identity: Identity | None = None
        self._driver: str | None = None
        self._changed: Callable[[], None] = lambda: None
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def fingerprint(self) -> str:
        """Of the CA of the mesh that the token is for."""
        return self._token.fingerprint

    @property
    def is_secure(self) -> bool:
        """It goes over TLS."""
        return True

    @property
    def mesh(self) -> str:
        """The mesh's name; empty until it has joined."""
        return self._identity.mesh if self._identity else ""

    @property
    def node(self) -> str:
        """Its node id; empty until it has joined."""
        return self._identity.node if self._identity else ""

    def for_clients(self) -> Security:
        """What its client listener is secured with."""
        return Security(self.tls_for_clients(), ClientGuard(self.access))

    def for_nodes(self) -> Security:
        """What its mesh listener is secured with."""
        return Security(self.tls_for_nodes(), WorkerGuard(self.access))

    def tls_for_clients(self) -> ServerTls:
        """What its client listener shows now."""
        found = self._identity
        return ServerTls(*self._unknown) if found is None else ServerTls(found.certificate, found.key)

    def tls_for_nodes(self) -> ServerTls:
        """What its mesh listener shows now, and whom it lets connect: until it has joined, nobody."""
        found = self._identity
        if found is None:
            return ServerTls(*self._unknown, client_roots=self._unknown[0])
        return ServerTls(found.certificate, found.key, found.roots)

    def trust(self, address: str) -> ClientTls:
        """How it calls other nodes: whoever is at the driver's address has to be a driver."""
        found = self._identity
        if found is None:
            raise NodeUnavailable("this worker has not joined its mesh yet")
        name = driver_name(found.mesh) if address == self._driver else mesh_name(found.mesh)
        return ClientTls(found.roots, name, found.certificate, found.key)

    def start(self, changed: Callable[[], None]) -> None:
        """Looks after the certificate from now on; `changed` has listeners and connections take a new one."""
        self._changed = changed
        self._thread = threading.Thread(target=self._watch, name="flightmesh-security", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Ends the thread."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join(CONTACT_SECONDS)

    def approach(self, uri: str) -> str:
        """Goes up to the driver whose client listener is at `uri`, and joins its mesh unless that has been done; the URI of its
        mesh listener. Raises NotTrusted where another mesh is there, NotAllowed where the token lets nobody in, InvalidConfig
        where the driver is of another version, NodeUnavailable."""
        ca = self._identity.roots if self._identity else fetch_ca(uri, self._token.fingerprint)
        hello = greet(uri, ca)
        _require_version(hello, uri)
        if self._identity is None or time.time() > self._identity.ends - AT_END_SECONDS:
            self._enrol(uri, ca, hello)
        self._driver = with_host(f"{uri.rpartition(':')[0]}:{hello.peers}", host_of(uri))
        return self._driver

    def learn(self, access: AccessList) -> None:
        """The driver has said who is let in."""
        self.access.set(access)

    def _enrol(self, uri: str, ca: bytes, hello: Hello) -> None:
        key, request = new_request(self._addresses())
        body = Enrol(self._token.id, hello.nonce, request, proof(self._token.secret, hello.nonce, request))
        connection = Connection(uri, tls=trust_of_driver(ca))
        try:
            (answer,) = connection.call(ENROL_ACTION, encode(body), CONTACT_SECONDS)
        finally:
            connection.close()
        enrolled: Enrolled = decode(answer, Enrolled)
        self._take(enrolled.node, ca, enrolled.certificate, key)
        LOG.info("joined the mesh %s as node %s", mesh_of(ca), enrolled.node)

    def _take(self, node: str, ca: bytes, certificate: bytes, key: bytes) -> None:
        starts, ends = lifetime(certificate)
        self._identity = Identity(node, mesh_of(ca), ca, certificate, key, starts, ends)
        self._changed()

    def _watch(self) -> None:
        not_before = 0.0
        while not self._ended.wait(TICK_SECONDS):
            found, driver = self._identity, self._driver
            if found is None or driver is None or time.time() < found.renew_at or time.monotonic() < not_before:
                continue
            not_before = time.monotonic() + min(RETRY_SECONDS, (found.ends - found.renew_at) / 10)
            try:
                self._renew(found, driver)
            except FlightmeshError as error:
                LOG.warning("the certificate could not be renewed yet: %s", error.message)
            except OSError as error:  # of files and sockets there may be too few for a while
                LOG.warning("the certificate could not be renewed yet: %s", error)

    def _renew(self, found: Identity, driver: str) -> None:
        key, request = new_request(self._addresses())
        peers = FlightPeers(trust=self.trust)
        try:
            (answer,) = peers.call(driver, RENEW_ACTION, encode(Renew(request)), CONTACT_SECONDS)
        finally:
            peers.close()
        renewed: Renewed = decode(answer, Renewed)
        self._take(found.node, found.roots, renewed.certificate, key)
        LOG.info("the certificate was renewed")


def _require_version(hello: Hello, uri: str) -> None:
    if hello.protocol != PROTOCOL_VERSION:
        raise InvalidConfig(
            f"the driver of the mesh {hello.mesh} at {uri} speaks version {hello.protocol} of the protocol, and this worker "
            f"version {PROTOCOL_VERSION}",
            hint="run the same release of flightmesh on all nodes of a mesh",
        )
