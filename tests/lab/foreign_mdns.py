"""An mDNS implementation that is not ours: npm's multicast-dns, which avahi and Bonjour's rules are also written for.

Handed a place of a laboratory; hands on the records that it was given there. What always holds: it is installed once a machine,
by one process.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import subprocess
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

from nodes.lab import Network
from tests.packages import need

SOURCES = Path(__file__).parent / "foreign"
Records = dict[str, dict[str, set[str]]]
"""By type, then by name, what was said."""


def browse(network: Network, place: str, nodes: int) -> Records:
    """The records that it has when it knows so many nodes."""
    line = [need("node", "nodejs"), str(_installed() / "browse.js"), network.addresses[place], str(nodes)]
    ran = subprocess.run(network.command(place, line), capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 0, ran.stderr
    records: Records = defaultdict(lambda: defaultdict(set))
    for packet in map(json.loads, ran.stdout.splitlines()):
        for record in packet:
            records[record["type"]][record["name"]] |= _said(record)
    return records


def _said(record: dict[str, Any]) -> set[str]:
    data = record["data"]
    if record["type"] == "TXT":
        return set(data)
    return {f"{data['target']}:{data['port']}"} if record["type"] == "SRV" else {str(data)}


def _installed() -> Path:
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in sorted(SOURCES.iterdir()))).hexdigest()[:16]
    kept = Path(tempfile.gettempdir()) / f"flightmesh-tests-mdns-{digest}"
    with kept.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (kept / "complete").exists():
            kept.mkdir(exist_ok=True)
            for path in SOURCES.iterdir():
                (kept / path.name).write_bytes(path.read_bytes())
            install = [need("npm"), "install", "--no-audit", "--no-fund"]
            done = subprocess.run(install, cwd=kept, capture_output=True, text=True, timeout=300, check=False)
            assert done.returncode == 0, done.stdout + done.stderr
            (kept / "complete").touch()
    return kept
