"""`flightmesh worker`: a process that joins a mesh and runs its tasks."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flightmesh.cli.guard import guarded
from flightmesh.cli.places import WORKER_PEER_PORT, WORKER_PORT, warn_insecure, worker_place
from flightmesh.cli.tokens_given import Token, TokenFile

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flightmesh.config import Config
    from flightmesh.discovery.opening import Sought
    from flightmesh.node.readiness import Readiness
    from flightmesh.node.worker_node import Place, WorkerNode

EXAMPLES = """\
[bold]Examples[/bold]

[cyan]flightmesh worker --token fm1....[/cyan]

[cyan]flightmesh worker --token-file token --serve orders=/data/orders[/cyan]

[cyan]flightmesh worker --token-file token --driver 192.168.1.7:8815 --name left --slots 2 --memory 4GiB[/cyan]

[cyan]flightmesh worker --insecure --driver 127.0.0.1:8815[/cyan]

Ctrl-C drains it: it takes no new tasks and leaves when no job needs it. A second Ctrl-C ends it at once.
"""

Driver = Annotated[
    str | None,
    typer.Option(
        "--driver",
        metavar="HOST:PORT",
        envvar="FLIGHTMESH_DRIVER",
        help="The driver of the mesh to join.",
        show_default="found on this network",
    ),
]
MeshName = Annotated[
    str | None,
    typer.Option("--mesh", metavar="NAME", envvar="FLIGHTMESH_MESH", help="The mesh to join.", show_default="the token's"),
]
Insecure = Annotated[
    bool, typer.Option("--insecure", help="Without TLS and tokens, on this machine's own address: for a laboratory.")
]
Listen = Annotated[
    str | None,
    typer.Option(
        "--listen",
        metavar="HOST",
        help="The address to listen at.",
        show_default="every address; with --insecure this machine's own",
    ),
]
Port = Annotated[
    int | None,
    typer.Option(
        "--port", min=0, max=65535, help="The port for clients; 0: any.", show_default=f"{WORKER_PORT}, if it is free"
    ),
]
PeerPort = Annotated[
    int | None,
    typer.Option(
        "--peer-port",
        min=0,
        max=65535,
        help="The port for other nodes; 0: any.",
        show_default=f"{WORKER_PEER_PORT}, if it is free",
    ),
]
Advertise = Annotated[
    list[str] | None,
    typer.Option(
        "--advertise",
        metavar="HOST",
        help="A name or address by which others reach this node, where it is not its own; the first is told to clients. May be "
        "repeated.",
        show_default=False,
    ),
]
NoMdns = Annotated[bool, typer.Option("--no-mdns", help="Neither announce this node on the network nor look for others.")]
AllowRoot = Annotated[
    list[str] | None,
    typer.Option(
        "--allow-root",
        metavar="DIR",
        help="A folder, or s3://bucket/prefix, that queries may read. May be repeated.",
        show_default="all, on this machine's own address",
    ),
]
Serve = Annotated[
    list[str] | None,
    typer.Option(
        "--serve", metavar="NAME=PATH", help="A folder, file or glob to offer as a table. May be repeated.", show_default=False
    ),
]
ServeReplica = Annotated[
    list[str] | None,
    typer.Option(
        "--serve-replica", metavar="NAME=PATH", help="The same, of a table that other nodes have whole too.", show_default=False
    ),
]
ConfigFile = Annotated[
    Path | None, typer.Option("--config", metavar="FILE", help="Settings in YAML, as in configs/worker.yaml.")
]


Name = Annotated[
    str | None, typer.Option("--name", metavar="NAME", help="What people call it.", show_default="this machine's name")
]
Slots = Annotated[int | None, typer.Option("--slots", min=1, help="Tasks that compute at the same time.", show_default="cores")]
Memory = Annotated[
    str | None, typer.Option("--memory", metavar="SIZE", help="Memory budget, such as 4GiB.", show_default="70 %")
]
Disk = Annotated[
    str | None,
    typer.Option("--disk", metavar="SIZE", help="Most that is spilled to disk; 0: nothing.", show_default="half the free"),
]
SpillDir = Annotated[
    Path | None,
    typer.Option("--spill-dir", metavar="DIR", help="Where spilled rows lie.", show_default="the system's temporary"),
]


@guarded
def command(
    driver: Driver = None,
    mesh: MeshName = None,
    token: Token = None,
    token_file: TokenFile = None,
    insecure: Insecure = False,
    name: Name = None,
    slots: Slots = None,
    memory: Memory = None,
    disk: Disk = None,
    spill_dir: SpillDir = None,
    listen: Listen = None,
    port: Port = None,
    peer_port: PeerPort = None,
    advertise: Advertise = None,
    no_mdns: NoMdns = False,
    allow_root: AllowRoot = None,
    serve: Serve = None,
    serve_replica: ServeReplica = None,
    config: ConfigFile = None,
) -> None:
    """Join a mesh and run its tasks, until Ctrl-C. It may be started before the driver, which it finds on this network."""
    lent = {"threads": slots, "memory": memory, "exchange.disk": disk, "exchange.directory": spill_dir}
    found = {"driver": driver, "mesh": mesh, "token_file": token_file, "name": name, "mdns": False if no_mdns else None}
    reached = {"listen": listen, "port": port, "peer_port": peer_port, "advertise": advertise, "insecure": insecure or None}
    offered = {"allow_roots": allow_root, "serve": serve, "serve_replicas": serve_replica}
    node_flags = {f"node.{key}": value for key, value in {**found, **reached, **offered}.items()}
    settings = read_settings(config, {**lent, **node_flags})
    place, sought = worker_place(settings.node, token)
    _run(settings, place, sought)


def _run(settings: Config, place: Place, sought: Sought) -> None:
    """The worker from start to end."""
    from flightmesh.cli.long_lived import set_long_lived_aside
    from flightmesh.discovery.opening import open_source
    from flightmesh.node.handshakes import log_refused_handshakes
    from flightmesh.node.logs import start_logging
    from flightmesh.node.readiness import Readiness
    from flightmesh.node.worker_node import WorkerNode

    if place.security is not None:
        log_refused_handshakes()
    start_logging(place.name)
    source = open_source(sought)
    readiness = Readiness()
    readiness.waiting(f"waiting for {source.waiting_for()}")
    node = WorkerNode(settings, source, place, partial(say_ready, readiness), on_lost=readiness.waiting)
    _end_on_signals(node, readiness)
    set_long_lived_aside()
    try:
        node.start()
        if place.security is None:
            warn_insecure(place.listening.nodes)
        print(f"worker {place.name} listening, waiting for {source.waiting_for()}", flush=True)
        readiness.watch(node.answers)
        node.run_until_stopped()
    finally:
        readiness.close()
        node.close()
    print(f"worker {place.name} has left", flush=True)


def say_ready(readiness: Readiness, name: str, worker: str, driver: str) -> None:
    """The line that says that a worker is a member; also after it has registered anew."""
    readiness.ready(f"registered at {driver} as {worker}")
    with contextlib.suppress(BrokenPipeError):  # whoever read the first such line may be gone
        print(f"worker {name} ready, registered at {driver} as {worker}", flush=True)


def read_settings(file: Path | None, flags: Mapping[str, Any]) -> Config:
    """The settings of the command line, over those of the environment, over those of the file."""
    from flightmesh.cli.settings import settings_of
    from flightmesh.setting_kinds import Role

    return settings_of(
        Role.WORKER, file, {key: str(value) if isinstance(value, Path) else value for key, value in flags.items()}
    )


def read_size(text: str, option: str, least: int) -> int:
    """Bytes of a size on the command line."""
    from flightmesh.config import parse_size

    try:
        size = parse_size(text)
    except ValueError as failure:
        raise typer.BadParameter(str(failure), param_hint=option) from None
    if size < least:
        raise typer.BadParameter(f"{text!r} is less than {least} byte", param_hint=option)
    return size


def _end_on_signals(node: WorkerNode, readiness: Readiness) -> None:
    """The first Ctrl-C or SIGTERM drains, the next ends at once."""

    def end(number: int, _: object) -> None:
        for each in (signal.SIGINT, signal.SIGTERM):
            signal.signal(each, end_now)
        readiness.stopping()
        node.drain()

    def end_now(number: int, _: object) -> None:
        node.discard()
        print("ended at once", file=sys.stderr, flush=True)
        os._exit(128 + signal.SIGINT)

    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, end)
