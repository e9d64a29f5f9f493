"""The driver that this machine's nodes and clients would talk to, and what it says before it is shown a secret.

Handed its address, or the nodes that answered and what is known of the mesh; hands on a Greeting. What always holds: a driver
whose CA is not the token's is not greeted.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from flightmesh.dataclass import dataclass
from flightmesh.discovery.found import DRIVER, FoundNode, uri
from flightmesh.discovery.meshes import choose
from flightmesh.discovery.static import read_location
from flightmesh.doctor.findings import Finding, note, ok, wrong
from flightmesh.errors import FlightmeshError
from flightmesh.protocol.enrolment import Hello
from flightmesh.transport.first_contact import fetch_ca, greet, speaks_tls
from flightmesh.trust.authority import fingerprint
from flightmesh.trust.tokens import Token

CHECK = "driver"


@dataclass(frozen=True, slots=True)
class Greeting:
    """A secure driver's. `ahead`: seconds by which its clock is before ours, give or take `error`."""

    uri: str
    fingerprint: str
    hello: Hello
    ahead: float
    error: float


@dataclass(frozen=True, slots=True)
class Sought:
    """Which driver. `driver`: HOST:PORT; without it `mesh` and the token's fingerprint choose among those found."""

    driver: str | None
    mesh: str | None
    token: Token | None


def look_for_driver(sought: Sought, found: Sequence[FoundNode]) -> tuple[list[Finding], Greeting | None]:
    """What was found, and the greeting where one could be had."""
    drivers = [node for node in found if node.role == DRIVER]
    if sought.driver is None and not drivers:
        advice = "start one with `flightmesh driver`, or say where it is with --driver HOST:PORT"
        return [note(CHECK, "no driver was found, so clock, token and version were compared with none", advice)], None
    try:
        return _greeted(_uris(sought, drivers), sought.token)
    except FlightmeshError as error:
        return [wrong(CHECK, error.message, error.hint or "check the address, and that the driver runs there")], None


def _greeted(uris: Sequence[str], token: Token | None) -> tuple[list[Finding], Greeting | None]:
    """At the first address where somebody answers; the last one's error where nobody does."""
    failure: FlightmeshError | None = None
    for where in uris:
        try:
            if not speaks_tls(where):
                advice = "anybody who reaches it can use it: --insecure is for a laboratory"
                return [note(CHECK, f"the driver at {where} is insecure", advice)], None
            greeting = _greet(where, token)
        except FlightmeshError as error:
            failure = error
            continue
        said = f"{greeting.uri} answers: mesh {greeting.hello.mesh}, CA {greeting.fingerprint[:12]}"
        return [ok(CHECK, said)], greeting
    assert failure is not None, "there is at least one address"
    raise failure


def _greet(where: str, token: Token | None) -> Greeting:
    ca = fetch_ca(where, None)
    found = fingerprint(ca)
    if token is not None and token.fingerprint != found:
        ca = fetch_ca(where, token.fingerprint)  # raises, and says it as everybody else does
    asked = time.time()
    hello = greet(where, ca)
    answered = time.time()
    return Greeting(where, found, hello, hello.time - (asked + answered) / 2, (answered - asked) / 2)


def _uris(sought: Sought, drivers: Sequence[FoundNode]) -> tuple[str, ...]:
    if sought.driver is None:
        return choose(drivers, sought.mesh, sought.token.fingerprint if sought.token else "").uris
    named = read_location(sought.driver, "--driver")
    return (uri(named.host, named.port, secure=named.secure is not False),)
