"""Whether what is installed here fits together, and fits the driver."""

from __future__ import annotations

import importlib.metadata
import platform

import pyarrow as pa

import flightmesh
from flightmesh.doctor.findings import Finding, ok, wrong
from flightmesh.doctor.greeting import Greeting
from flightmesh.protocol.node_messages import PROTOCOL_VERSION

CHECK = "versions"
PYARROW_FROM, PYARROW_BELOW = 26, 27
"""As pyproject.toml has it."""


def look_at_versions() -> list[Finding]:
    """Of this machine alone."""
    here = f"flightmesh {flightmesh.__version__} (protocol {PROTOCOL_VERSION}), pyarrow {pa.__version__}"
    here += f", zeroconf {importlib.metadata.version('zeroconf')}, Python {platform.python_version()}"
    if not PYARROW_FROM <= int(pa.__version__.partition(".")[0]) < PYARROW_BELOW:
        return [wrong(CHECK, here, f"install pyarrow {PYARROW_FROM}: pip install 'pyarrow>={PYARROW_FROM},<{PYARROW_BELOW}'")]
    return [ok(CHECK, here)]


def compare_versions(greeting: Greeting) -> list[Finding]:
    """With the driver's protocol."""
    theirs = greeting.hello.protocol
    if theirs != PROTOCOL_VERSION:
        says = f"the driver speaks version {theirs} of the protocol, this flightmesh version {PROTOCOL_VERSION}"
        return [wrong(CHECK, says, "install the same release of flightmesh on all machines of a mesh")]
    return [ok(CHECK, f"the driver speaks version {theirs} of the protocol, too")]
