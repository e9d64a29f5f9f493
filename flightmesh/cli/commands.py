"""The subcommands, each loaded when it is asked for: the root's own help, and a command, wait for no other command's imports.

Handed the names, modules and first sentences below; hands on what typer takes for a group. What always holds: the sentence that
the root shows of a command is the one that the command shows of itself (a test compares them).
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, MutableMapping
from typing import Any

import typer
from typer.core import TyperGroup

from flightmesh.dataclass import dataclass

HERE = "Commands"
MESH = "A mesh of machines"
_INDENT = 2


@dataclass(frozen=True, slots=True)
class Entry:
    """A subcommand: the module `flightmesh.cli.NAME` has its `command` and `EXAMPLES`, or is a group, `app`, of its own."""

    name: str
    says: str
    panel: str = HERE


ENTRIES = (
    Entry("sql", "Run SQL over files and print or save the rows."),
    Entry("run", "Run a YAML plan and print or save the rows of its output step."),
    Entry("explain", "Show the plan of a query."),
    Entry("shell", "Type SQL and see the rows: line editing, history, statements over several lines, completion, timings."),
    Entry("functions", "List the functions that SQL and plans can call: names, what they do, argument and result types."),
    Entry("config", "Show the settings in effect and where each came from: the default, a file, a variable."),
    Entry("plan", "Check YAML plans; print their JSON Schema."),
    Entry("bench", "Measure this engine beside others on this machine: time, CPU, memory; every answer is checked."),
    Entry("up", "Run a mesh on this machine: a driver and workers, each a process of its own. Until Ctrl-C.", MESH),
    Entry("driver", "Drive a mesh, until Ctrl-C: take queries from clients and run them on the workers that join.", MESH),
    Entry(
        "worker",
        "Join a mesh and run its tasks, until Ctrl-C. It may be started before the driver, which it finds on this network.",
        MESH,
    ),
    Entry("token", "List, make, rotate and revoke the tokens of a mesh, on its driver's machine.", MESH),
    Entry(
        "doctor",
        "Check this machine for a mesh: interfaces, multicast, ports, clock, token and versions, and say what to do.",
        MESH,
    ),
    Entry("nodes", "List the nodes of a mesh: the driver, its workers, and workers that are lately gone.", MESH),
    Entry(
        "tables",
        "List the tables and views of a mesh: registered ones, those in its memory, and those that its nodes serve.",
        MESH,
    ),
    Entry("jobs", "List jobs: those that run, those that wait for their turn, and the latest that have ended.", MESH),
    Entry("job", "Show a job: how it stands, its stages with what they sent over each edge, its tasks, its error.", MESH),
    Entry("cancel", "End a job and free what it holds on every node. One that has ended stays as it is.", MESH),
)


class Commands(TyperGroup):
    """The root. Its help is plain text: what draws frames takes longer to load than all the rest."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.commands = _Loaded()

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Usage, what flightmesh is, the commands by panel, the options."""
        self.format_usage(ctx, formatter)
        self.format_help_text(ctx, formatter)
        for panel in dict.fromkeys(entry.panel for entry in ENTRIES):
            with formatter.section(panel):
                formatter.write_dl([(entry.name, entry.says) for entry in ENTRIES if entry.panel == panel])
        with formatter.section("Options"):
            formatter.write_dl([shown for option in self.get_params(ctx) if (shown := option.get_help_record(ctx))])
        self.format_epilog(ctx, formatter)


class _Loaded(MutableMapping[str, Any]):
    """Commands by name, each imported when it is first taken."""

    def __init__(self) -> None:
        self._made: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._made:
            if name not in {entry.name for entry in ENTRIES}:
                raise KeyError(name)
            self._made[name] = _load(name)
        return self._made[name]

    def __setitem__(self, name: str, command: Any) -> None:
        self._made[name] = command

    def __delitem__(self, name: str) -> None:
        del self._made[name]

    def __iter__(self) -> Iterator[str]:
        return (entry.name for entry in ENTRIES)

    def __len__(self) -> int:
        return len(ENTRIES)


def _load(name: str) -> Any:
    module = importlib.import_module(f"flightmesh.cli.{name}")
    app = getattr(module, "app", None)
    if app is None:
        app = typer.Typer(add_completion=False, rich_markup_mode="rich")
        app.command(name, epilog=module.EXAMPLES)(module.command)
    command = typer.main.get_command(app)
    command.name = name
    return command
