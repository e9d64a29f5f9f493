"""`flightmesh functions`: lists the functions of SQL with the types they take."""

from __future__ import annotations

from typing import Annotated

import typer

from flightmesh.cli.guard import QUERY_FAILED, guarded

EXAMPLES = """\
[bold]Examples[/bold]

[cyan]flightmesh functions[/cyan]

[cyan]flightmesh functions 'regexp*'[/cyan]

[cyan]flightmesh functions trunc[/cyan]
"""


@guarded
def command(
    pattern: Annotated[
        str | None, typer.Argument(metavar="PATTERN", help="Part of a name, or a glob such as 'date*'.", show_default=False)
    ] = None,
) -> None:
    """List the functions that SQL and plans can call, with argument and result types."""
    listed = [lines for name, lines in _described() if _matches(name, pattern)]
    if not listed:
        typer.echo(f"no function matches {pattern!r}", err=True)
        raise typer.Exit(QUERY_FAILED)
    for lines in listed:
        print("\n".join(lines))


def _described() -> list[tuple[str, tuple[str, ...]]]:
    """Every function by name, with its accepted calls."""
    from flightmesh.expression import aggregates
    from flightmesh.expression.registry import aggregate_names, function_names, scalar_function
    from flightmesh.expression.signatures import describe_signatures

    scalars = [(name, describe_signatures(scalar_function(name))) for name in function_names()]
    grouped = [(name, tuple(f"{usage}  [aggregate]" for usage in aggregates.usage(name))) for name in aggregate_names()]
    return sorted([*scalars, *grouped])


def _matches(name: str, pattern: str | None) -> bool:
    import fnmatch

    if pattern is None:
        return True
    wanted = pattern.lower()
    return fnmatch.fnmatchcase(name, wanted) if any(mark in wanted for mark in "*?[") else wanted in name
