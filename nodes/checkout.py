"""A checkout becomes runnable: a virtual environment in `.venv` holding flightmesh and one of its extras.

Handed the name of an extra; hands on the environment's Python. Needs nothing but the standard library. What always holds:
an environment that was completed once is used without a call of pip, so a second run needs no network.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"

# An environment set up for one of these extras has all that the key needs.
_INCLUDED_IN = {"examples": ("examples", "test", "bench"), "test": ("test", "bench"), "bench": ("bench",)}


def ready_python(extra: str) -> Path:
    """The Python of an environment that has flightmesh and `extra`; sets it up if it is not there yet."""
    if any(_is_complete(name) for name in _INCLUDED_IN[extra]):
        return PYTHON
    _require_venv_module()
    print(f"Setting up {VENV} (once; pip downloads what flightmesh needs)", file=sys.stderr, flush=True)
    if not _runs(PYTHON):
        _call([sys.executable, "-m", "venv", "--clear", str(VENV)], "could not make a virtual environment")
    install = [str(PYTHON), "-m", "pip", "install", "-qq", "--disable-pip-version-check", "--editable", f"{ROOT}[{extra}]"]
    _call(install, "could not install what flightmesh needs (is the network reachable?)")
    _stamp(extra).write_text(_fingerprint())
    return PYTHON


def become(command: list[str]) -> None:
    """Replaces this process by `command`, run in the directory it was started in."""
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(command[0], command)


def _stamp(extra: str) -> Path:
    return VENV / f"flightmesh-{extra}.stamp"


def _fingerprint() -> str:
    """Changes when the dependencies may have, or when the checkout moved (an environment holds absolute paths)."""
    return hashlib.sha256((ROOT / "pyproject.toml").read_bytes() + str(ROOT).encode()).hexdigest()


def _is_complete(extra: str) -> bool:
    stamp = _stamp(extra)
    return stamp.is_file() and stamp.read_text() == _fingerprint() and _runs(PYTHON)


def _runs(python: Path) -> bool:
    """False too for an environment whose base Python was removed, or that was broken off before pip was in it."""
    if not python.exists():
        return False
    return subprocess.run([str(python), "-c", "import pip"], capture_output=True, check=False).returncode == 0


def _require_venv_module() -> None:
    if _has_module("venv") and _has_module("ensurepip"):
        return
    package = f"python{sys.version_info[0]}.{sys.version_info[1]}-venv"
    sudo = "" if os.geteuid() == 0 else "sudo "
    sys.exit(f"This Python ({sys.executable}) has no venv module. On Debian and Ubuntu:\n\n    {sudo}apt install {package}\n")


def _has_module(name: str) -> bool:
    spec = importlib.util.find_spec(name)
    return spec is not None and spec.origin is not None  # a folder that was left behind has no origin


def _call(command: list[str], complaint: str) -> None:
    environment = {**os.environ, "PIP_USER": "0"}
    if subprocess.run(command, check=False, env=environment).returncode != 0:
        sys.exit(f"flightmesh: {complaint}")
