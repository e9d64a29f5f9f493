"""Runs the real command in a process of its own."""

import os
import subprocess
from pathlib import Path

from tests.started import FLIGHTMESH, run

ENDLESS = "select count(*) from n a, n b, n c where a.i + b.i + c.i = -1"
"""A query over the fixture `numbers` that nobody will see the end of."""


def flightmesh(
    *args: str | Path, stdin: str | None = None, cwd: Path | None = None, **env: str
) -> subprocess.CompletedProcess[str]:
    """The command's exit code and what it wrote."""
    return run(command(*args), given=stdin or "", cwd=cwd, env=environment(**env), seconds=120)


def command(*args: str | Path) -> list[str]:
    return [*FLIGHTMESH, *map(str, args)]


def environment(**extra: str) -> dict[str, str]:
    dropped = {"NO_COLOR", *(name for name in os.environ if name.startswith("FLIGHTMESH_"))} - {"FLIGHTMESH_NODE_INTERFACES"}
    kept = {name: value for name, value in os.environ.items() if name not in dropped}
    return {**kept, "COLUMNS": "100", "TERM": "xterm-256color", **extra}


def rows_of(result: subprocess.CompletedProcess[str]) -> list[str]:
    """Lines of stdout; fails with stderr if the command did."""
    assert result.returncode == 0, result.stderr
    return result.stdout.splitlines()
