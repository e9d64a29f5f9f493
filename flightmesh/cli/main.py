"""The command `flightmesh`: its subcommands, one a file.

Handed the arguments of the process; ends it with an exit code: 0, 1 (the query or its data), 2 (usage), 3 (a bug), 130
(Ctrl-C). What always holds: help loads neither pyarrow nor sqlglot, so these files import the engine where they use it.
"""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

import flightmesh
from flightmesh.cli import collector
from flightmesh.cli.commands import Commands

app = typer.Typer(
    name="flightmesh",
    cls=Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"flightmesh {flightmesh.__version__}")
        raise typer.Exit


@app.callback(epilog="flightmesh COMMAND --help shows examples of each command.")
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """SQL and YAML plans over Parquet, CSV, JSON and Arrow files, run in this process or on a mesh."""


def main() -> None:
    """The entry point of the installed script."""
    sys.meta_path.insert(0, _WithoutPandas())
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # numpy starts threads for linear algebra, of which there is none here
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # gRPC writes its own words to stderr about what becomes an error of ours
    collector.pause()
    try:
        app(prog_name="flightmesh")
    finally:
        collector.resume()
    sys.exit(0)


class _WithoutPandas:
    """pyarrow imports pandas, where it is installed, at the first list it is handed; no command needs it, and it takes longer
    to load than all the rest."""

    def find_spec(self, fullname: str, path: object, target: object = None) -> None:
        """Refuses pandas and leaves every other module to the finders behind this one."""
        if fullname == "pandas":
            raise ModuleNotFoundError("the command line does not use pandas", name=fullname)
