"""`flightmesh config`: the settings in effect and where each came from; what they mean."""

from __future__ import annotations

import enum
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flightmesh.cli.guard import guarded
from flightmesh.cli.listing import Column, write_json, write_rows
from flightmesh.cli.settings import effective_of
from flightmesh.setting_kinds import Role

if TYPE_CHECKING:
    from flightmesh.settings import Effective

EXAMPLES = """\
[bold]Examples[/bold]

[cyan]flightmesh config worker --config worker.yaml[/cyan]    what a worker would go by here, and why

[cyan]FLIGHTMESH_MEMORY=4GiB flightmesh config worker[/cyan]    every key is a variable: FLIGHTMESH_<SECTION>_<KEY>

[cyan]flightmesh config driver --format yaml > driver.yaml[/cyan]    a file to begin with

[cyan]flightmesh config --explain node.advertise[/cyan]    a key, a section, a variable or a flag

[cyan]flightmesh config worker --schema > worker.schema.json[/cyan]    for editors

A flag wins over an environment variable, that over the file of --config, and that over the default.
"""


class SettingsFormat(enum.StrEnum):
    """How settings are written."""

    TABLE = "table"
    YAML = "yaml"
    JSON = "json"


@guarded
def command(
    role: Annotated[
        str | None,
        typer.Argument(
            metavar="[ROLE]",
            help="driver or worker (a node), embedded (queries in this process), client (commands at a driver).",
            show_default="embedded",
        ),
    ] = None,
    config: Annotated[Path | None, typer.Option("--config", metavar="FILE", help="Settings in YAML.")] = None,
    format: Annotated[
        SettingsFormat,
        typer.Option("--format", help="table, yaml (a file to begin with), or json: one object a line.", case_sensitive=False),
    ] = SettingsFormat.TABLE,
    schema: Annotated[bool, typer.Option("--schema", help="Print the JSON Schema of a role's file, or of all keys.")] = False,
    explain: Annotated[
        str | None,
        typer.Option("--explain", metavar="KEY", help="Say what a key means, and how it is set.", show_default=False),
    ] = None,
) -> None:
    """Show the settings in effect and where each came from: the default, a file, a variable.

    Secrets are never among them: a token is named by the file that holds it.
    """
    named = None if role is None else _role(role)
    if explain is not None:
        _explain(explain)
    elif schema:
        from flightmesh.settings.schema import schema as schema_of

        print(json.dumps(schema_of(named), indent=2))
    else:
        _show(effective_of(named or Role.EMBEDDED, config, {}), format)


def _role(name: str) -> Role:
    from flightmesh.setting_kinds import nearest

    known = [role.value for role in Role]
    if name in known:
        return Role(name)
    near = nearest(name, known)
    said = f"did you mean {near!r}?" if near else f"it is {', '.join(known[:-1])} or {known[-1]}"
    raise typer.BadParameter(f"there is no role {name!r}: {said}", param_hint="ROLE")


def _show(found: Effective, format: SettingsFormat) -> None:
    from flightmesh.settings.example import written
    from flightmesh.settings.keys import keys_of, value_of

    keys = keys_of(found.role)
    if format is SettingsFormat.YAML:
        print("\n".join(_yaml(found)))
    elif format is SettingsFormat.JSON:
        write_json({"key": key.path, "value": value_of(found.config, key), "from": found.origin(key.path)} for key in keys)
    else:
        rows = [[key.path, written(key, value_of(found.config, key)), found.origin(key.path)] for key in keys]
        write_rows([Column("KEY"), Column("VALUE"), Column("FROM")], rows)


def _yaml(found: Effective) -> list[str]:
    """A file that says the same, each line with where its value came from."""
    from flightmesh.settings.example import written
    from flightmesh.settings.keys import keys_of, value_of

    lines: list[str] = []
    section = ""
    for key in sorted(keys_of(found.role), key=lambda key: bool(key.section)):
        if key.section != section:
            section = key.section
            lines.append(f"{section}:")
        indent = "  " if section else ""
        lines.append(f"{indent}{key.name}: {written(key, value_of(found.config, key))}  # {found.origin(key.path)}")
    return lines


def _explain(name: str) -> None:
    import textwrap

    from flightmesh.settings.keys import meaning
    from flightmesh.settings.reference import described, find

    parts = []
    for key in find(name):
        said = textwrap.wrap(meaning(key), 100, initial_indent="    ", subsequent_indent="    ", break_on_hyphens=False)
        parts.append("\n".join([key.path, *said, *(f"    {label + ':':<10} {text}" for label, text in described(key))]))
    print("\n\n".join(parts))
