"""`flightmesh doctor`: why nodes or clients do not find each other, and what to do."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flightmesh.cli.asking import Driver, MeshOption
from flightmesh.cli.guard import QUERY_FAILED, guarded
from flightmesh.cli.listing import Format, ListingFormat, clean, write_json

if TYPE_CHECKING:
    from flightmesh.doctor.findings import Finding

EXAMPLES = """\
[bold]Examples[/bold]

[cyan]flightmesh doctor[/cyan]

[cyan]flightmesh doctor --driver 192.168.1.7:8815 --token-file token[/cyan]

It ends with 1 if something is wrong.
"""
_COLORS = {"ok": "green", "note": "yellow", "wrong": "red"}


@guarded
def command(
    driver: Driver = None,
    mesh: MeshOption = None,
    token_file: Annotated[
        Path | None,
        typer.Option(
            "--token-file",
            metavar="FILE",
            help="A worker's or a client's token, to be tried.",
            show_default="FLIGHTMESH_TOKEN, FLIGHTMESH_TOKEN_FILE",
        ),
    ] = None,
    interface: Annotated[
        list[str] | None,
        typer.Option(
            "--interface",
            metavar="NAME",
            help="The name or address of a network interface. May be repeated.",
            show_default="all",
        ),
    ] = None,
    format: Format = ListingFormat.TABLE,
) -> None:
    """Check this machine for a mesh: interfaces, multicast, ports, clock, token and versions, and say what to do."""
    from flightmesh.doctor.examine import Patient, examine
    from flightmesh.session.driver_access import token_in, token_of_environment

    logging.getLogger("flightmesh").addHandler(logging.NullHandler())  # findings say it
    token = token_of_environment() if token_file is None else token_in(token_file)
    found = examine(Patient(driver, mesh, token, tuple(interface or ())))
    findings = _shown(found) if format is ListingFormat.TABLE else list(found)
    if format is ListingFormat.JSON:
        write_json(findings)
    if any(finding.verdict == "wrong" for finding in findings):
        raise typer.Exit(QUERY_FAILED)


def _shown(findings: Iterable[Finding]) -> list[Finding]:
    """Each is printed when it is made: some take seconds."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False) if sys.stdout.isatty() else Console(highlight=False, width=10_000, no_color=True)
    shown = []
    for finding in findings:
        shown.append(finding)
        line = Table.grid(padding=(0, 2))
        line.add_column(width=5)
        line.add_column(width=10)
        line.add_column(overflow="fold")
        line.add_row(Text(finding.verdict, style=_COLORS[finding.verdict]), finding.check, Text(clean(finding.says)))
        if finding.advice:
            line.add_row("", "", Text(clean(finding.advice), style="italic"))
        with console.capture() as drawn:
            console.print(line)
        print("\n".join(each.rstrip() for each in drawn.get().splitlines()), flush=True)
    return shown
