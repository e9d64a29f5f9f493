"""Virtual environments of peers: made by pip when first asked for, kept in a cache.

Handed a side; hands on its Python. What always holds: an environment is used only when it is complete, and one process makes
it at a time; other requirements are another environment.
"""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from flightmesh.bench.sides import Side
from flightmesh.errors import InvalidConfig

_DONE = "installed"
_OFFLINE = (
    "Name or service not known",
    "Temporary failure in name resolution",
    "Failed to establish a new connection",
    "Network is unreachable",
    "No route to host",
    "Connection timed out",
)


def python_of(side: Side, cache: Path, say: Callable[[str], None]) -> Path:
    """The Python of a side. Raises InvalidConfig when its environment cannot be made."""
    if side.is_ours:
        return Path(sys.executable)
    folder = folder_of(side, cache)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / _DONE).exists():
            say(f"{side.name}: making its environment: {', '.join(side.requirements)}")
            _make(side, folder)
    return folder / "bin" / "python"


def folder_of(side: Side, cache: Path) -> Path:
    """Where a side's environment is, or will be; sides with the same requirements have one together."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    digest = hashlib.sha256("\n".join((version, *side.requirements)).encode()).hexdigest()[:12]
    return cache / "environments" / f"{side.requirements[0].partition('==')[0]}-{digest}"


def _make(side: Side, folder: Path) -> None:
    try:
        _run([sys.executable, "-m", "venv", "--clear", str(folder)])
        _run([str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", *side.requirements])
    except subprocess.CalledProcessError as failure:
        shutil.rmtree(folder, ignore_errors=True)
        raise _explained(side, folder, str(failure.stdout)) from None
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    (folder / _DONE).touch()


def _run(command: list[str]) -> None:
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def _explained(side: Side, folder: Path, output: str) -> InvalidConfig:
    if "No space left on device" in output:
        return InvalidConfig(
            f"{side.name}: no space left for its environment in {folder.parent}", hint="name another folder: --cache DIR"
        )
    if any(sign in output for sign in _OFFLINE):
        return InvalidConfig(
            f"{side.name}: its packages cannot be fetched: no network",
            hint="environments are made once, and then kept: run the command once with a network, or leave the peer out",
        )
    lines = [line for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if "error" in line.lower()] or lines
    return InvalidConfig(f"{side.name}: its environment could not be made: {' '.join(errors[-3:])[:600]}")
