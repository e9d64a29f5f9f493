"""`flightmesh run`: runs a YAML plan and writes the rows of its output step."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flightmesh.cli import options
from flightmesh.cli.guard import guarded
from flightmesh.cli.options import Engine, open_session, read_texts
from flightmesh.cli.output import choose_target, write_result
from flightmesh.cli.profiling import ProfileOption, write_profile_of

EXAMPLES = """\
[bold]Examples[/bold]

[cyan]flightmesh run plans/quickstart.yaml[/cyan]

[cyan]flightmesh run plans/quickstart.yaml --set month=7 -o july.csv[/cyan]

[cyan]flightmesh run --driver 192.168.1.7:8815 plan.yaml[/cyan]
"""


@guarded
def command(
    plan: Annotated[Path, typer.Argument(metavar="PLAN", help="A plan file in YAML.", show_default=False)],
    set: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="A parameter of the plan. May be repeated.", show_default=False),
    ] = None,
    register: options.Tables = None,
    format: options.Format = None,
    output: options.Output = None,
    max_rows: options.MaxRows = None,
    threads: options.Threads = None,
    memory: options.Memory = None,
    partitions: options.Partitions = None,
    config: options.ConfigFile = None,
    driver: options.Driver = None,
    mesh: options.Mesh = None,
    token_file: options.TokenFile = None,
    through_driver: options.ThroughDriver = False,
    profile: ProfileOption = None,
) -> None:
    """Run a YAML plan and print or save the rows of its output step.

    Paths in the plan are relative to the plan file, those given here to the working directory.
    With --driver the plan runs on a mesh, and paths are those of its nodes but for inputs with file: local.
    """
    target = choose_target(format, output, max_rows)
    params = read_texts(set)
    with open_session(
        Engine(threads, memory, partitions, config, driver, mesh, token_file, through_driver), register
    ) as session:
        result = session.open_plan(plan, params=params)
        write_result(result, target)
        if profile is not None:
            write_profile_of(result, profile)
