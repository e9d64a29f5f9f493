"""A mesh with TLS as processes of the real command line, on 127.0.0.1, with a state of its own.

Handed nothing; hands on its addresses, its tokens, what its nodes logged. What always holds: whatever was started is ended.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow.flight as flight

import flightmesh
from flightmesh.trust.state import MeshState, open_state
from flightmesh.trust.tokens import Kind, Token
from tests.node.processes import NodeCommand
from tests.node.processes import flightmesh as command

MESH = "lab"
ON_LOOPBACK = ("--listen", "127.0.0.1", "--port", "0", "--peer-port", "0", "--no-mdns")


@dataclass(slots=True)
class SecuredMesh:
    """A driver and its workers. `address` is HOST:PORT of the driver's client listener, `peers` the URI of the other one."""

    state: MeshState
    folder: Path
    driver: NodeCommand
    address: str
    peers: str
    ends: ExitStack
    workers: list[NodeCommand] = field(default_factory=list)

    @property
    def uri(self) -> str:
        return f"grpc+tls://{self.address}"

    def token(self, kind: Kind, seconds: float | None = None) -> Token:
        """A new token."""
        return self.state.tokens.make(kind, "test", seconds)

    def connect(self, token: str | None = None, **options: Any) -> flightmesh.RemoteSession:
        """A session at the driver; by the token of this machine, or another."""
        return flightmesh.connect(self.uri, token=token or self.state.client_token(), **options)

    def start_worker(self, token: str | None, *arguments: str, name: str = "w") -> NodeCommand:
        """Starts one more, which is ended with the mesh. Its token goes by the environment."""
        environment = {"XDG_STATE_HOME": str(self.folder / "nowhere")}  # it is as on another machine
        if token is not None:
            environment["FLIGHTMESH_TOKEN"] = token
        given = ("worker", "--driver", self.address, "--name", name, "--slots", "1", "--memory", "256MiB")
        started = self.ends.enter_context(command(*given, *ON_LOOPBACK, *arguments, loaded=False, **environment))
        self.workers.append(started)
        return started

    def plain_client(self, **options: Any) -> flight.FlightClient:
        """A Flight client of whoever has the CA and nothing else."""
        given = {"tls_root_certs": self.state.authority.certificate, "override_hostname": f"driver.{MESH}.flightmesh"}
        return flight.connect(self.uri, **(given | options))


@contextmanager
def secured_mesh(folder: Path, workers: int = 1, *driver_arguments: str) -> Iterator[SecuredMesh]:
    """A mesh, ready."""
    with ExitStack() as ends:
        state = open_state(folder / "flightmesh", MESH)
        arguments = ("driver", "--mesh", MESH, "--state", str(folder / "flightmesh"), "--allow-root", str(folder))
        driver = ends.enter_context(command(*arguments, *ON_LOOPBACK, *driver_arguments, FLIGHTMESH_LOG="text"))
        address = driver.wait_said(r"driver ready: clients grpc\+tls://(\S+), mesh lab")[1]
        peers = driver.wait_said(r"peers at (grpc\+tls://\S+)")[1]
        made = SecuredMesh(state, folder, driver, address, peers, ends)
        token = state.worker_token()
        for number in range(workers):
            made.start_worker(token, "--allow-root", str(folder), name=f"w{number}")
        for worker in made.workers:
            worker.wait_said(r"worker \S+ ready")
        yield made
