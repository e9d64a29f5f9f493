"""The subcommands are loaded when they are asked for; what the root says of them is what they say."""

from __future__ import annotations

import inspect
import subprocess
import sys

import pytest
import typer

from flightmesh.cli.commands import ENTRIES, Entry
from flightmesh.cli.main import app


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_the_root_says_what_the_command_says(entry: Entry) -> None:
    command = typer.main.get_command(app).commands[entry.name]  # type: ignore[attr-defined]
    paragraph = inspect.cleandoc(command.help).split("\n\n")[0]
    assert " ".join(paragraph.split()) == entry.says


def test_the_roots_help_loads_no_command_and_nothing_that_is_slow() -> None:
    code = """
import sys
from flightmesh.cli.main import main
sys.argv = ["flightmesh", "--help"]
try:
    main()
finally:
    slow = ("flightmesh", "pyarrow", "sqlglot", "rich", "numpy")
    print("LOADED", *(name for name in sys.modules if name.split(".")[0] in slow))
"""
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    shown, _, loaded = said.partition("LOADED")
    assert all(f"  {entry.name} " in shown for entry in ENTRIES)
    own = (
        "flightmesh",
        "flightmesh.dataclass",
        *(f"flightmesh.cli{name}" for name in ("", ".main", ".commands", ".collector")),
    )
    assert set(loaded.split()) == set(own)
