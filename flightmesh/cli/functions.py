"""`flightmesh functions`: lists the functions of SQL, with what they do and the types they take."""

from __future__ import annotations

from typing import Annotated

import typer

from flightmesh.cli.guard import QUERY_FAILED, guarded
from flightmesh.dataclass import dataclass

EXAMPLES = """\
[bold]Examples[/bold]

[cyan]flightmesh functions[/cyan]

[cyan]flightmesh functions 'regexp*'[/cyan]

[cyan]flightmesh functions trunc[/cyan]
"""


@dataclass(frozen=True, slots=True)
class _Entry:
    """One function as it is listed."""

    name: str
    aliases: tuple[str, ...]
    calls: tuple[str, ...]
    meaning: str


@guarded
def command(
    pattern: Annotated[
        str | None, typer.Argument(metavar="PATTERN", help="Part of a name, or a glob such as 'date*'.", show_default=False)
    ] = None,
) -> None:
    """List the functions that SQL and plans can call: names, what they do, argument and result types."""
    listed = [entry for entry in _entries() if _matches(entry, pattern)]
    if not listed:
        typer.echo(f"no function matches {pattern!r}", err=True)
        raise typer.Exit(QUERY_FAILED)
    for entry in listed:
        names = ", ".join([entry.name, *entry.aliases])
        print("\n".join([f"{names}: {entry.meaning}", *(f"    {call}" for call in entry.calls)]))


def _entries() -> list[_Entry]:
    """Every function by name, aggregates and window functions among them."""
    from flightmesh.expression.aggregates import AGGREGATES
    from flightmesh.expression.functions.known import FUNCTIONS
    from flightmesh.expression.signatures import describe_signatures
    from flightmesh.expression.windows import WINDOW_FUNCTIONS

    scalars = [_Entry(f.name, f.aliases, describe_signatures(f), f.doc) for f in FUNCTIONS.values() if f.category != "internal"]
    grouped = [_Entry(a.name, a.aliases, (a.usage,), f"Aggregate. {a.doc}") for a in AGGREGATES.values()]
    windows = [_Entry(w.name, (), (f"{w.usage} OVER (...)",), f"Window function. {w.doc}") for w in WINDOW_FUNCTIONS.values()]
    return sorted([*scalars, *grouped, *windows], key=lambda entry: entry.name)


def _matches(entry: _Entry, pattern: str | None) -> bool:
    import fnmatch

    if pattern is None:
        return True
    wanted = pattern.lower()
    names = (entry.name, *entry.aliases)
    if any(mark in wanted for mark in "*?["):
        return any(fnmatch.fnmatchcase(name, wanted) for name in names)
    return any(wanted in name for name in names)
