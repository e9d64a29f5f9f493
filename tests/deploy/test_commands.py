"""Every flightmesh that a manifest, a compose file or a unit starts is one that the command line understands."""

from typing import Any

import pytest
import typer

from flightmesh.cli.main import app
from flightmesh.setting_kinds import Role
from flightmesh.settings.environment import read_environment
from tests.deploy.manifests import Command, commands

USAGE: type[Exception] = typer.BadParameter.__bases__[0]
ROLES = {"driver": Role.DRIVER, "worker": Role.WORKER}
COMMANDS = [pytest.param(command, id=command.where.replace(" ", "-")) for command in commands()]


def parse(arguments: tuple[str, ...]) -> str:
    """The name of the command that they call, which is not run. Raises what a person would be told."""
    command: Any = typer.main.get_command(app)
    context = command.make_context("flightmesh", list(arguments))
    while hasattr(context.command, "commands"):
        name, command, rest = context.command.resolve_command(context, [*context._protected_args, *context.args])
        context = command.make_context(name, rest, parent=context)
    return str(context.command_path)


def test_there_are_drivers_and_workers_everywhere() -> None:
    found = {(param.values[0].where, param.values[0].arguments[0]) for param in COMMANDS}
    assert found >= {(where, role) for where in ("kubernetes", "compose", "unit") for role in ROLES}
    assert found >= {(where, "token") for where in ("compose", "readme", "kustomization")}


def test_what_is_not_understood_is_seen() -> None:
    with pytest.raises(USAGE, match="No such option"):
        parse(("driver", "--advertize", "here"))


@pytest.mark.parametrize("command", COMMANDS)
def test_it_is_understood(command: Command) -> None:
    words = parse(command.arguments).split()
    assert words == ["flightmesh", *command.arguments[: len(words) - 1]]


@pytest.mark.parametrize("command", COMMANDS)
def test_its_variables_are_settings(command: Command) -> None:
    if command.arguments[0] in ROLES:
        read = read_environment(command.variables, ROLES[command.arguments[0]])
        assert len(read) == sum(name.startswith("FLIGHTMESH_") for name in command.variables)


@pytest.mark.parametrize("command", COMMANDS)
def test_it_holds_no_secret(command: Command) -> None:
    assert "--token" not in command.arguments
    assert "FLIGHTMESH_TOKEN" not in command.variables
    assert "fm1." not in " ".join((*command.arguments, *command.variables.values()))
