"""`flightmesh driver`: the process that plans, schedules and answers clients; workers join it."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flightmesh.cli.addresses import is_loopback
from flightmesh.cli.guard import CANCELLED, guarded
from flightmesh.cli.places import DRIVER_PEER_PORT, DRIVER_PORT, MESH, driver_place, warn_insecure
from flightmesh.cli.worker import Advertise, AllowRoot, Insecure, NoMdns

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flightmesh.config import Config
    from flightmesh.node.driver_node import DriverNode
    from flightmesh.trust.state import MeshState

REFUSE = signal.SIGUSR1
"""Has a driver that is ready cancel what runs and take nothing new; it goes on answering."""

EXAMPLES = """\
[bold]Examples[/bold]

[cyan]flightmesh driver[/cyan]

[cyan]flightmesh driver --mesh lab --listen 192.168.1.7 --allow-root /data[/cyan]

[cyan]flightmesh driver --insecure --listen 127.0.0.1:0[/cyan]

It prints the line that other machines join with. On this machine:

[cyan]flightmesh sql --driver 127.0.0.1:8815 "select 1"[/cyan]

Ctrl-C cancels what runs and ends it; its workers wait for the next driver of this mesh.
"""

Listen = Annotated[
    str | None,
    typer.Option(
        "--listen",
        metavar="HOST:PORT",
        help="The address to listen at; its port is for clients, 0 takes any free one.",
        show_default=f"every address, port {DRIVER_PORT}; with --insecure this machine's own",
    ),
]
PeerPort = Annotated[
    int | None,
    typer.Option(
        "--peer-port",
        min=0,
        max=65535,
        help="The port for workers; 0: any.",
        show_default=f"{DRIVER_PEER_PORT}; any with --insecure",
    ),
]
Port = Annotated[
    int | None, typer.Option("--port", min=0, max=65535, help="The port for clients; 0: any.", show_default=str(DRIVER_PORT))
]
MeshName = Annotated[
    str | None,
    typer.Option("--mesh", metavar="NAME", envvar="FLIGHTMESH_MESH", help="What the mesh is called.", show_default=MESH),
]
State = Annotated[
    Path | None,
    typer.Option(
        "--state",
        metavar="DIR",
        help="Where the mesh's certificate authority and tokens are kept.",
        show_default="~/.local/state/flightmesh",
    ),
]
ConfigFile = Annotated[
    Path | None, typer.Option("--config", metavar="FILE", help="Settings in YAML, as in configs/driver.yaml.")
]


@guarded
def command(
    mesh: MeshName = None,
    listen: Listen = None,
    port: Port = None,
    peer_port: PeerPort = None,
    advertise: Advertise = None,
    state: State = None,
    no_mdns: NoMdns = False,
    insecure: Insecure = False,
    allow_root: AllowRoot = None,
    config: ConfigFile = None,
) -> None:
    """Drive a mesh, until Ctrl-C: take queries from clients and run them on the workers that join."""
    settings = _settings(
        config,
        {
            "node.mesh": mesh,
            "node.listen": listen,
            "node.port": port,
            "node.peer_port": peer_port,
            "node.advertise": advertise,
            "node.state": None if state is None else str(state),
            "node.mdns": False if no_mdns else None,
            "node.insecure": insecure or None,
            "node.allow_roots": allow_root,
        },
    )
    place = driver_place(settings.node)
    from flightmesh.cli.long_lived import set_long_lived_aside
    from flightmesh.node.client_service import ClientService
    from flightmesh.node.driver_node import DriverNode
    from flightmesh.node.handshakes import log_refused_handshakes
    from flightmesh.node.logs import start_logging
    from flightmesh.node.readiness import Readiness

    ending = {signal.SIGINT, signal.SIGTERM}
    heard = {*ending, REFUSE}
    signal.pthread_sigmask(signal.SIG_BLOCK, heard)  # threads inherit it: only `sigwait` below hears of them
    if place.security is not None:
        log_refused_handshakes()
    start_logging("driver")
    readiness = Readiness()
    node = DriverNode(settings, ClientService, place)
    try:
        node.start()
        set_long_lived_aside()
        if place.security is None:
            warn_insecure(place.listen)
        _say_ready(node)
        readiness.ready(f"clients {node.client_uri}")
        readiness.watch(node.mesh.answers)
        while signal.sigwait(heard) == REFUSE:
            node.refuse()
    finally:
        readiness.close()
        for each in ending:
            signal.signal(each, _end_now)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, ending)
        node.close()
    print("driver has ended", flush=True)


def _settings(file: Path | None, flags: Mapping[str, Any]) -> Config:
    from flightmesh.cli.settings import settings_of
    from flightmesh.setting_kinds import Role

    return settings_of(Role.DRIVER, file, flags)


def _say_ready(node: DriverNode) -> None:
    if node.security is None:
        address = node.client_uri.removeprefix("grpc://")
        print(f"driver ready: clients {node.client_uri}, workers: flightmesh worker --insecure --driver {address}", flush=True)
        return
    state = node.security.state
    print(f"driver ready: clients {node.client_uri}, mesh {state.mesh}, peers at {node.mesh_uri}", flush=True)
    print(f"  workers join with:  {_join_line(node, state)}", flush=True)
    print(f"  clients need:       flightmesh token client --mesh {state.mesh} --out DIR", flush=True)


def _join_line(node: DriverNode, state: MeshState) -> str:
    """What to type on another machine. Into a journal or a log of JSON, which others read, no token is written; on this
    machine, this user's workers need none."""
    if is_loopback(node.client_uri):
        return f"flightmesh worker --mesh {state.mesh} --driver {node.client_uri.partition('://')[2]}   (on this machine)"
    token = state.worker_token()
    if token is None or _is_kept():
        return f"flightmesh worker --token TOKEN   (flightmesh token worker --mesh {state.mesh} prints one)"
    return f"flightmesh worker --token {token}"


def _is_kept() -> bool:
    """Whether what is printed goes where others read it later: a journal, a log collector, what a container runtime keeps."""
    by_variable = any(os.environ.get(name) for name in ("JOURNAL_STREAM", "KUBERNETES_SERVICE_HOST"))
    return by_variable or os.environ.get("FLIGHTMESH_LOG") == "json"  # the image and the compose file set that


def _end_now(number: int, _: object) -> None:
    print("ended at once", file=sys.stderr, flush=True)
    os._exit(CANCELLED)
