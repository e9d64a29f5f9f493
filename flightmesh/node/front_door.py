"""The first steps of joining a mesh, in front of what a driver answers to clients.

Handed calls of the client listener; answers `ca`, `hello` and `enrol`, which need no token, and hands all others on. What
always holds: nothing here tells more than a name, a version, a port and a public certificate to who has shown no secret.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from typing import ClassVar

import pyarrow as pa

from flightmesh.errors import InvalidMessage
from flightmesh.protocol.codec import decode, encode
from flightmesh.protocol.enrolment import Enrol, Enrolled, Hello
from flightmesh.protocol.node_messages import PROTOCOL_VERSION
from flightmesh.transport.first_contact import CA_ACTION, ENROL_ACTION, HELLO_ACTION
from flightmesh.transport.service import ActionKind, Asked, Call, Info, InStream, OutStream, Service
from flightmesh.trust.authority import Authority
from flightmesh.trust.joining import Doorkeeper

LOG = logging.getLogger(__name__)
LONGEST_BODY = 65536


class FrontDoor:
    """Implements `transport.service.Service` before another. `peers_port` is asked for late: the listener comes after."""

    ACTIONS: ClassVar[tuple[ActionKind, ...]] = (
        ActionKind(CA_ACTION, "The certificate of this mesh's authority. Needs no token; answers PEM."),
        ActionKind(HELLO_ACTION, "Which mesh this is, and a nonce for joining. Needs no token; answers Hello."),
        ActionKind(ENROL_ACTION, "A node joins. Needs no client's token; body Enrol, answers Enrolled."),
    )

    def __init__(
        self,
        behind: Service,
        authority: Authority,
        doorkeeper: Doorkeeper,
        incarnation: str,
        peers_port: Callable[[], int],
    ) -> None:
        self._behind = behind
        self._authority = authority
        self._doorkeeper = doorkeeper
        self._incarnation = incarnation
        self._peers_port = peers_port

    def actions(self) -> tuple[ActionKind, ...]:
        """The actions of both."""
        return (*self.ACTIONS, *self._behind.actions())

    def act(self, name: str, body: bytes, call: Call) -> Iterable[bytes]:
        """Answers the first steps."""
        if name == CA_ACTION:
            return [self._authority.certificate]
        if name == HELLO_ACTION:
            return [encode(self._hello())]
        if name == ENROL_ACTION:
            return [encode(self._enrol(body, call))]
        return self._behind.act(name, body, call)

    def get(self, ticket: bytes, call: Call) -> OutStream:
        """Handed on."""
        return self._behind.get(ticket, call)

    def put(self, asked: Asked, stream: InStream, call: Call) -> None:
        """Handed on."""
        self._behind.put(asked, stream, call)

    def info(self, asked: Asked, call: Call) -> Info:
        """Handed on."""
        return self._behind.info(asked, call)

    def schema(self, asked: Asked, call: Call) -> pa.Schema:
        """Handed on."""
        return self._behind.schema(asked, call)

    def list(self, call: Call) -> Iterable[Info]:
        """Handed on."""
        return self._behind.list(call)

    def _hello(self) -> Hello:
        return Hello(
            mesh=self._authority.mesh,
            driver=self._incarnation,
            protocol=PROTOCOL_VERSION,
            peers=self._peers_port(),
            nonce=self._doorkeeper.nonce(),
            time=time.time(),
        )

    def _enrol(self, body: bytes, call: Call) -> Enrolled:
        if len(body) > LONGEST_BODY:
            raise InvalidMessage(f"a body of {len(body):,} bytes is too long for {ENROL_ACTION}")
        asked: Enrol = decode(body, Enrol)
        node, certificate = self._doorkeeper.let_in(asked.token, asked.nonce, asked.request, asked.proof)
        LOG.info("node %s of %s was let in by the token %s", node, call.peer, asked.token)
        return Enrolled(node, certificate)
