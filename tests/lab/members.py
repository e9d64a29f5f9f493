"""A mesh in a laboratory, and who is of it from moment to moment."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass

from nodes.lab import CLIENT, Lab, Node
from tests.waiting import assert_within, wait_until

LISTENING = r"worker \S+ listening"
JOINED = r"worker \S+ ready, registered"
JOIN_SECONDS = 2.0
NOTICE_SECONDS = 5.0
GOODBYE_SECONDS = 0.5
GONE = (None, "lost", "left")


@dataclass(frozen=True)
class Mesh:
    """A driver in n1 and who is seen with it from outside."""

    made: Lab
    token: str
    seen_by: Node

    def workers(self) -> dict[str, str]:
        """The state of each worker, by name; empty while there is no driver."""
        lines = self.seen_by.said().splitlines()
        return (json.loads(lines[-1]) or {}) if lines else {}

    def alive(self) -> set[str]:
        return {name for name, state in self.workers().items() if state == "alive"}

    def wait_gone(self, name: str, since: float, seconds: float) -> None:
        """Notices that a worker is gone that went `since`, in time."""
        wait_until(lambda: self.workers().get(name) in GONE, what=f"{name} to be gone")
        print(f"{name}: noticed after {time.monotonic() - since:.2f} s")
        assert_within(seconds, since, f"noticing that {name} is gone")


def mesh_of(made: Lab, workers: list[str], mesh: str = "flightmesh") -> Mesh:
    """A driver in n1, and workers that have joined it."""
    driver = made.start_driver("n1", mesh)
    token = made.token_for_workers(driver)
    seen_by = made.start_program(CLIENT, ["-m", "tests.lab.watch", f"grpc+tls://{made.network.addresses['n1']}:8815"])
    started = Mesh(made, token, seen_by)
    join(started, workers)
    return started


def join(mesh: Mesh, names: list[str]) -> None:
    """Starts workers; they have joined in time."""
    nodes = [mesh.made.start_worker(name, mesh.token) for name in names]
    for node in nodes:
        node.wait_said(LISTENING)
    listening = time.monotonic()
    for node in nodes:
        node.wait_said(JOINED)
    print(f"{len(names)} workers: joined {time.monotonic() - listening:.2f} s after the last was listening")
    assert_within(JOIN_SECONDS, listening, f"the joining of {len(names)} workers")
    wait_until(lambda: set(names) <= mesh.alive())


def listed(made: Lab, *options: str) -> dict[str, str]:
    """What `flightmesh nodes` prints at a client: roles by name, of those that are alive."""
    ran = made.run(CLIENT, "flightmesh", "nodes", "--format", "json", *options)
    assert ran.returncode == 0, ran.stderr
    nodes = [json.loads(line) for line in ran.stdout.splitlines()]
    return {node["name"]: node["role"] for node in nodes if node["state"] == "alive"}


def examined(made: Lab, place: str, *options: str) -> list[dict[str, str]]:
    """What `flightmesh doctor` finds in a place. Its exit code says if something is wrong."""
    ran = made.run(place, "flightmesh", "doctor", "--format", "json", *options)
    findings: list[dict[str, str]] = [json.loads(line) for line in ran.stdout.splitlines()]
    assert findings, ran.stderr
    assert ran.returncode == any(found["verdict"] == "wrong" for found in findings), ran.stderr
    return findings
