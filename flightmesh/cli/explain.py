"""`flightmesh explain`: prints what the engine makes of a query, at one of its levels."""

from __future__ import annotations

import enum
from typing import Annotated

import typer

from flightmesh.cli import options
from flightmesh.cli.guard import guarded
from flightmesh.cli.options import Engine, open_session, read_params, read_statement

EXAMPLES = """\
[bold]Examples[/bold]

[cyan]flightmesh explain "select count(*) from 'data/*.parquet' where year = 2013"[/cyan]

[cyan]flightmesh explain -f report.sql -r orders=data/orders --level stages --partitions 7[/cyan]

[cyan]flightmesh explain -f report.sql -r orders=data/orders --analyze[/cyan]
"""


class Level(enum.StrEnum):
    """What is shown."""

    LOGICAL = "logical"
    OPTIMIZED = "optimized"
    PHYSICAL = "physical"
    STAGES = "stages"
    ANALYZE = "analyze"


@guarded
def command(
    query: options.Query = None,
    file: options.SqlFile = None,
    register: options.Tables = None,
    level: Annotated[
        Level, typer.Option(help="How far to follow the query. [cyan]analyze[/cyan] runs it and counts.", case_sensitive=False)
    ] = Level.OPTIMIZED,
    analyze: Annotated[bool, typer.Option("--analyze", help="Run it and count: short for --level analyze.")] = False,
    dialect: options.Dialect = None,
    param: options.Params = None,
    threads: options.Threads = None,
    memory: options.Memory = None,
    partitions: options.Partitions = None,
    config: options.ConfigFile = None,
    driver: options.Driver = None,
    mesh: options.Mesh = None,
    token_file: options.TokenFile = None,
) -> None:
    """Show the plan of a query.

    logical: as it was written. optimized: as it is run. physical: operators and exchanges. stages: cut into tasks.
    analyze: run, with rows beside the estimates, bytes, times, and what was pruned and spilled.
    """
    level = Level.ANALYZE if analyze else level
    text = read_statement(query, file)
    params = read_params(param)
    with open_session(Engine(threads, memory, partitions, config, driver, mesh, token_file), register) as session:
        print(session.explain(text, level=level.value, dialect=dialect, params=params))
