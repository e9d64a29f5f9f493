"""`flightmesh driver`: the process that plans, schedules and answers clients; workers join it."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flightmesh.cli.addresses import listen_uri
from flightmesh.cli.guard import CANCELLED, guarded
from flightmesh.cli.worker import AllowRoot, Insecure, open_roots

if TYPE_CHECKING:
    from flightmesh.config import Config
    from flightmesh.node.driver_node import DriverNode

PORT = 8815
"""Where clients find a driver, if nothing else is said."""
REFUSE = signal.SIGUSR1
"""Has a driver that is ready cancel what runs and take nothing new; it goes on answering."""

EXAMPLES = """\
[bold]Examples[/bold]

[cyan]flightmesh driver --insecure[/cyan]

[cyan]flightmesh driver --insecure --listen 127.0.0.1:0 --allow-root /data[/cyan]

Then, in other terminals:

[cyan]flightmesh worker --insecure --driver 127.0.0.1:8815[/cyan]

[cyan]flightmesh sql --driver 127.0.0.1:8815 "select 1"[/cyan]

Ctrl-C cancels what runs and ends it; its workers wait for the next driver at this address.
"""

Listen = Annotated[
    str | None,
    typer.Option(
        "--listen",
        metavar="HOST:PORT",
        help="The address for clients; port 0 takes any free one. Workers are given it, too.",
        show_default=f"127.0.0.1:{PORT}",
    ),
]
ConfigFile = Annotated[
    Path | None, typer.Option("--config", metavar="FILE", help="Settings in YAML, as in configs/driver.yaml.")
]


@guarded
def command(insecure: Insecure = False, listen: Listen = None, allow_root: AllowRoot = None, config: ConfigFile = None) -> None:
    """Drive a mesh, until Ctrl-C: take queries from clients and run them on the workers that join."""
    where = listen_uri(listen, insecure, PORT)
    settings = _settings(config)
    roots = open_roots(allow_root, where)
    from flightmesh.node.client_service import ClientService
    from flightmesh.node.driver_node import DriverNode
    from flightmesh.node.logs import start_logging
    from flightmesh.node.readiness import Readiness

    ending = {signal.SIGINT, signal.SIGTERM}
    heard = {*ending, REFUSE}
    signal.pthread_sigmask(signal.SIG_BLOCK, heard)  # threads inherit it: only `sigwait` below hears of them
    start_logging("driver")
    readiness = Readiness()
    node = DriverNode(settings, ClientService, where, roots)
    try:
        node.start()
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


def _settings(file: Path | None) -> Config:
    from flightmesh.cli.settings import settings_of
    from flightmesh.setting_kinds import Role

    return settings_of(Role.DRIVER, file, {})


def _say_ready(node: DriverNode) -> None:
    address = node.client_uri.removeprefix("grpc://")
    print(f"driver ready: clients {node.client_uri}, workers: flightmesh worker --insecure --driver {address}", flush=True)


def _end_now(number: int, _: object) -> None:
    print("ended at once", file=sys.stderr, flush=True)
    os._exit(CANCELLED)
