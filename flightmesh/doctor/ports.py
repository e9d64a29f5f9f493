"""Whether the ports that nodes listen at by default are free, or held by a node."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from pathlib import Path

import psutil

from flightmesh.doctor.findings import Finding, note, ok, wrong

CHECK = "ports"
PORTS = {
    8815: "a driver's clients",
    8816: "a driver's nodes",
    8817: "a worker's clients",
    8818: "a worker's nodes",
}


def look_at_ports(ports: Mapping[int, str] = PORTS) -> list[Finding]:
    """`ports`: what each is for."""
    taken = {port: reason for port in ports if (reason := _taken(port))}
    free = [str(port) for port in ports if port not in taken]
    findings = [ok(CHECK, f"{', '.join(free)} {'is' if len(free) == 1 else 'are'} free")] if free else []
    return findings + [_held(port, ports[port], reason) for port, reason in taken.items()]


def _taken(port: int) -> str:
    """Why a port cannot be listened at; empty: it can."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("", port))
            probe.listen(1)
        except OSError as failure:
            return failure.strerror or str(failure)
    return ""


def _held(port: int, purpose: str, reason: str) -> Finding:
    process = _process_at(port)
    if process is None:
        says = f"{port}, for {purpose}, cannot be had: {reason}"
        return note(
            CHECK, says, "if it is no node of yours that listens there (`ss -ltnp` as root says), give yours another port"
        )
    if _is_flightmesh(process):
        return ok(CHECK, f"{port} is held by a flightmesh node (process {process.pid})")
    says = f"{port}, for {purpose}, is held by {process.name()} (process {process.pid})"
    return wrong(CHECK, says, "end that program, or give your nodes other ports: --listen HOST:PORT, --port, --peer-port")


def _process_at(port: int) -> psutil.Process | None:
    """Who listens there, as far as this user may know."""
    try:
        found = [
            each
            for each in psutil.net_connections("tcp")
            if each.status == psutil.CONN_LISTEN and each.laddr and each.laddr.port == port
        ]
        pids = [each.pid for each in found if each.pid]
        return psutil.Process(pids[0]) if pids else None
    except psutil.Error:
        return None


def _is_flightmesh(process: psutil.Process) -> bool:
    """By its command line: `flightmesh worker`, `python -m flightmesh worker`."""
    try:
        return any(Path(word).name == "flightmesh" for word in process.cmdline())
    except psutil.Error:
        return False
