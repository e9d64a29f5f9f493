"""`flightmesh plan`: checks plan files, and prints the JSON Schema that editors complete them with."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flightmesh.cli import options
from flightmesh.cli.guard import QUERY_FAILED, guarded, report
from flightmesh.cli.options import Engine, open_here, read_texts

app = typer.Typer(help="Check YAML plans; print their JSON Schema.", no_args_is_help=True)

_CHECK_EXAMPLES = """\
[bold]Examples[/bold]

[cyan]flightmesh plan check plans/quickstart.yaml[/cyan]

[cyan]flightmesh plan check plans/worst_months.yaml plans/idle_planes.yaml[/cyan]

[cyan]flightmesh plan check plans/tpch_q1.yaml --set data=/data/tpch[/cyan]
"""

_SCHEMA_EXAMPLES = """\
[bold]Example[/bold]

[cyan]flightmesh plan schema > plan.schema.json[/cyan]

An editor with YAML support completes and checks plans that begin with

[cyan]# yaml-language-server: $schema=plan.schema.json[/cyan]
"""


@app.command("check", epilog=_CHECK_EXAMPLES)
@guarded
def check(
    plans: Annotated[list[Path], typer.Argument(metavar="PLAN...", help="Plan files in YAML.", show_default=False)],
    set: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="A parameter of the plans. May be repeated.", show_default=False),
    ] = None,
    register: options.Tables = None,
) -> None:
    """Check plans without running them: keys, expressions, types, and that the inputs can be opened."""
    from flightmesh.errors import FlightmeshError
    from flightmesh.frontend.yaml.plan import check_plan

    wrong = 0
    params = read_texts(set)
    with open_here(Engine(threads=1), register) as session:
        for path in plans:
            try:
                warnings = check_plan(path, session.catalog, params)
            except FlightmeshError as failure:
                report(failure)
                wrong += 1
                continue
            for warning in warnings:
                print(f"warning: {warning}")
            print(f"{path}: ok")
    if wrong:
        raise typer.Exit(QUERY_FAILED)


@app.command("schema", epilog=_SCHEMA_EXAMPLES)
@guarded
def schema() -> None:
    """Print the JSON Schema of plan files."""
    import json

    from flightmesh.frontend.yaml.schema import schema as plan_schema

    print(json.dumps(plan_schema(), indent=2))
