"""All checks, one after the other.

Handed what to look at; hands on findings as they are made. What always holds: each check is made, whatever the one before it
found; what needs an interface or a driver is made where there is one.
"""

from __future__ import annotations

from collections.abc import Iterator

from flightmesh.dataclass import dataclass
from flightmesh.discovery.found import FoundNode
from flightmesh.discovery.meshes import find_nodes
from flightmesh.doctor.clock import look_at_clock
from flightmesh.doctor.findings import Finding, Verdict
from flightmesh.doctor.greeting import Sought, look_for_driver
from flightmesh.doctor.interfaces import look_at_interfaces
from flightmesh.doctor.multicast import look_at_multicast
from flightmesh.doctor.ports import look_at_ports
from flightmesh.doctor.token import look_at_token, read_given
from flightmesh.doctor.versions import compare_versions, look_at_versions

ANSWER_SECONDS, QUIET_SECONDS = 5.0, 1.0
"""More patience than a client has: it matters who does not answer."""


@dataclass(frozen=True, slots=True)
class Patient:
    """`driver`: HOST:PORT; `mesh`: its name; `token`: the text of one; `interfaces`: names or addresses."""

    driver: str | None = None
    mesh: str | None = None
    token: str | None = None
    interfaces: tuple[str, ...] = ()


def examine(patient: Patient) -> Iterator[Finding]:
    """What is found, check by check."""
    yield from look_at_versions()
    interfaces = look_at_interfaces(patient.interfaces)
    yield from interfaces
    found: tuple[FoundNode, ...] = ()
    if all(finding.verdict is not Verdict.WRONG for finding in interfaces):
        found = find_nodes(ANSWER_SECONDS, patient.interfaces, QUIET_SECONDS)
        yield from look_at_multicast(patient.interfaces, found)
    yield from look_at_ports()
    formed, token = read_given(patient.token)
    yield from formed
    findings, greeting = look_for_driver(Sought(patient.driver, patient.mesh, token), found)
    yield from findings
    if greeting is None:
        return
    yield from compare_versions(greeting)
    yield from look_at_clock(greeting)
    if not formed or token is not None:
        yield from look_at_token(token, greeting)
