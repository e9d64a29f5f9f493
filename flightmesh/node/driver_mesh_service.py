"""What a driver answers to its workers: joining, being alive, reports. The service of its mesh listener.

Handed bodies of actions; hands on answers. What always holds: a heartbeat is answered without waiting for the event loop; no
row passes through here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from typing import Any, NoReturn

import msgpack
import pyarrow as pa

from flightmesh.errors import InvalidConfig, InvalidMessage, UnsupportedFeature
from flightmesh.node.driver_security import DriverSecurity
from flightmesh.protocol.client_messages import Done
from flightmesh.protocol.codec import decode, encode
from flightmesh.protocol.enrolment import Renew, Renewed
from flightmesh.protocol.node_messages import PROTOCOL_VERSION, Heard, Heartbeat, HeartbeatHeard, Leave, Register, Registered
from flightmesh.runtime.mesh_driver import MeshDriver
from flightmesh.transport.control import read_reports, report_kinds
from flightmesh.transport.service import ActionKind, Asked, Call, Info, InStream, OutStream

_ACTIONS = (
    ActionKind("register", "A worker joins. Body Register; answers Registered."),
    ActionKind("heartbeat", "A worker is alive. Body Heartbeat; answers HeartbeatHeard."),
    ActionKind("leave", "A worker goes. Body Leave; answers Done."),
    ActionKind("renew", "A node's next certificate. Body Renew; answers Renewed."),
    *report_kinds(),
    ActionKind("ping", "Whether anybody is here. No body; answers Done."),
)


class DriverMeshService:
    """The service."""

    def __init__(self, mesh: MeshDriver, security: DriverSecurity | None = None) -> None:
        self._mesh = mesh
        self._security = security
        self._answers: dict[str, Callable[[bytes, str], object]] = {
            "register": self._register,
            "heartbeat": self._heartbeat,
            "leave": self._leave,
            "renew": self._renew,
            "ping": lambda _, node: Done(),
            **{kind.name: partial(self._reports, kind.name) for kind in report_kinds()},
        }

    def actions(self) -> tuple[ActionKind, ...]:
        """What workers may ask for."""
        return _ACTIONS

    def act(self, name: str, body: bytes, call: Call) -> Iterable[bytes]:
        """Carries out an action."""
        answer = self._answers.get(name)
        if answer is None:
            raise UnsupportedFeature(f"there is no action {name!r} on a driver's mesh listener")
        return [encode(answer(body, call.identity))]

    def get(self, ticket: bytes, call: Call) -> OutStream:
        """No rows lie here."""
        _refuse("DoGet")

    def put(self, asked: Asked, stream: InStream, call: Call) -> None:
        """No rows are taken here."""
        _refuse("DoPut")

    def info(self, asked: Asked, call: Call) -> Info:
        """Clients ask the client listener."""
        _refuse("GetFlightInfo")

    def schema(self, asked: Asked, call: Call) -> pa.Schema:
        """Clients ask the client listener."""
        _refuse("GetSchema")

    def list(self, call: Call) -> Iterable[Info]:
        """Clients ask the client listener."""
        _refuse("ListFlights")

    def _register(self, body: bytes, node: str) -> Registered:
        registered = self._mesh.register(_read_register(body), node)
        return registered if self._security is None else replace(registered, access=self._security.access.now())

    def _heartbeat(self, body: bytes, node: str) -> HeartbeatHeard:
        said: Heartbeat = decode(body, Heartbeat)
        heard = self._mesh.heartbeat(said, node)
        access = None if self._security is None else self._security.access.now()
        return heard if access is None or access.version == said.access else replace(heard, access=access)

    def _reports(self, name: str, body: bytes, node: str) -> Heard:
        return self._mesh.reports(read_reports(name, body), node)

    def _leave(self, body: bytes, node: str) -> Done:
        self._mesh.leave(decode(body, Leave), node)
        return Done()

    def _renew(self, body: bytes, node: str) -> Renewed:
        if self._security is None:
            raise UnsupportedFeature("this mesh has no certificates", hint="it was started with --insecure")
        asked: Renew = decode(body, Renew)
        return Renewed(self._security.doorkeeper.renew(node, asked.request))


def _refuse(method: str) -> NoReturn:
    hint = "clients use the driver's client listener, whose address it prints when it is ready"
    raise UnsupportedFeature(f"a driver's mesh listener does not answer {method}", hint=hint)


def _read_register(body: bytes) -> Register:
    """A registration. One of another release is known by its version before its other fields are looked at."""
    try:
        said: Any = msgpack.unpackb(body)
        theirs = said["protocol"]
    except Exception:
        raise InvalidMessage(f"{len(body)} bytes do not make a Register: a map with the field 'protocol' expected") from None
    if theirs != PROTOCOL_VERSION:
        message = f"this worker speaks version {theirs} of the protocol, and this driver version {PROTOCOL_VERSION}"
        raise InvalidConfig(message, hint="run the same release of flightmesh on all nodes of a mesh")
    registration: Register = decode(body, Register)
    return registration
