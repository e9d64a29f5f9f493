"""`flightmesh worker`: a process that joins a mesh and runs its tasks."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flightmesh.cli.addresses import is_loopback, listen_uri, node_uri
from flightmesh.cli.guard import guarded

if TYPE_CHECKING:
    from flightmesh.config import Config
    from flightmesh.node.readiness import Readiness
    from flightmesh.node.roots import Roots
    from flightmesh.node.worker_node import WorkerNode

EXAMPLES = """\
[bold]Examples[/bold]

[cyan]flightmesh worker --insecure --driver 127.0.0.1:8815[/cyan]

[cyan]flightmesh worker --insecure --driver 127.0.0.1:8815 --serve orders=/data/orders[/cyan]

[cyan]flightmesh worker --insecure --driver 127.0.0.1:8815 --name left --slots 2 --memory 4GiB --allow-root /data[/cyan]

Ctrl-C drains it: it takes no new tasks and leaves when no job needs it. A second Ctrl-C ends it at once.
"""

Driver = Annotated[
    str | None,
    typer.Option(
        "--driver", metavar="HOST:PORT", envvar="FLIGHTMESH_DRIVER", help="The driver of the mesh to join.", show_default=False
    ),
]
Insecure = Annotated[bool, typer.Option("--insecure", help="Listen without TLS, on this machine's own address.")]
Listen = Annotated[
    str | None,
    typer.Option("--listen", metavar="HOST", help="The address to listen at.", show_default="127.0.0.1, any free port"),
]
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


@guarded
def command(
    driver: Driver = None,
    insecure: Insecure = False,
    name: Annotated[str, typer.Option("--name", metavar="NAME", help="What people call it.")] = "worker",
    slots: Annotated[
        int | None, typer.Option("--slots", min=1, help="Tasks that compute at the same time.", show_default="cores")
    ] = None,
    memory: Annotated[
        str | None, typer.Option("--memory", metavar="SIZE", help="Memory budget, such as 4GiB.", show_default="70 %")
    ] = None,
    disk: Annotated[
        str | None,
        typer.Option("--disk", metavar="SIZE", help="Most that is spilled to disk; 0: nothing.", show_default="half the free"),
    ] = None,
    spill_dir: Annotated[
        Path | None,
        typer.Option("--spill-dir", metavar="DIR", help="Where spilled rows lie.", show_default="the system's temporary"),
    ] = None,
    listen: Listen = None,
    allow_root: AllowRoot = None,
    serve: Serve = None,
    serve_replica: ServeReplica = None,
    config: ConfigFile = None,
) -> None:
    """Join a mesh and run its tasks, until Ctrl-C. It may be started before the driver."""
    _check_name(name)
    uri = node_uri(driver)
    where = listen_uri(listen, insecure)
    settings = read_settings(config, slots, memory, disk, spill_dir)
    roots = open_roots(allow_root, where)
    from flightmesh.node.logs import start_logging
    from flightmesh.node.offers import read_offers
    from flightmesh.node.readiness import Readiness
    from flightmesh.node.worker_node import Place, WorkerNode

    offers = read_offers(serve or settings.node.serve, serve_replica or settings.node.serve_replicas)
    start_logging(name)
    readiness = Readiness()
    readiness.waiting(f"waiting for the driver at {uri}")
    node = WorkerNode(
        settings, uri, Place(name, where, roots, offers), partial(say_ready, readiness), on_lost=readiness.waiting
    )
    _end_on_signals(node, readiness)
    try:
        node.start()
        readiness.watch(node.answers)
        node.run_until_stopped()
    finally:
        readiness.close()
        node.close()
    print(f"worker {name} has left", flush=True)


def say_ready(readiness: Readiness, name: str, worker: str, driver: str) -> None:
    """The line that says that a worker is a member; also after it has registered anew."""
    readiness.ready(f"registered at {driver} as {worker}")
    with contextlib.suppress(BrokenPipeError):  # whoever read the first such line may be gone
        print(f"worker {name} ready, registered at {driver} as {worker}", flush=True)


def _check_name(name: str) -> None:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}", name):
        raise typer.BadParameter(f"{name!r} is not a name: letters, digits, - _ and .", param_hint="--name")


def read_settings(file: Path | None, slots: int | None, memory: str | None, disk: str | None, spill_dir: Path | None) -> Config:
    """The settings of the command line, over those of the environment, over those of the file."""
    from flightmesh.cli.settings import settings_of
    from flightmesh.setting_kinds import Role

    directory = None if spill_dir is None else str(spill_dir)
    flags = {"threads": slots, "memory": memory, "exchange.disk": disk, "exchange.directory": directory}
    return settings_of(Role.WORKER, file, flags)


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


def open_roots(texts: list[str] | None, listen: str) -> Roots:
    """What may be read: the roots that were named; without any, everything, if nobody else reaches this node."""
    from flightmesh.node.roots import EVERYWHERE, Roots, read_roots

    if texts:
        return read_roots(texts)
    return EVERYWHERE if is_loopback(listen) else Roots(())


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
