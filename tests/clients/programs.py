"""The clients of docs/clients as programs that can be run: what they are made of is installed or built once a machine and kept.

Handed the name of a language; hands on a `Program`. What always holds: what is kept is found by the content that made it; one
process makes it, and nobody sees it half made.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa

from tests.packages import need

CLIENTS = Path(__file__).parents[2] / "docs" / "clients"
RUN_SECONDS = 120
MAKE_SECONDS = 600


@dataclass(frozen=True, slots=True)
class Ran:
    """What a client printed."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[Any]:
        """Its lines of JSON, of a run that went well."""
        assert (self.code, self.err) == (0, ""), self.err
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def error(self) -> str:
        """Its one line about what went wrong."""
        assert self.code == 1
        assert self.err.startswith("error: ") and self.err.count("\n") == 1, self.err
        return self.err.removeprefix("error: ").strip()


@dataclass(frozen=True, slots=True)
class Program:
    """One client: how it is started."""

    command: tuple[str, ...]

    def run(self, settings: dict[str, str], *words: str) -> Ran:
        """Runs it to its end. `settings`: FLIGHTMESH_DRIVER and so on."""
        ran = subprocess.run(
            [*self.command, *words], env=_environment(settings), capture_output=True, timeout=RUN_SECONDS, check=False
        )
        return Ran(ran.returncode, ran.stdout.decode(), ran.stderr.decode())

    def start(self, settings: dict[str, str], *words: str) -> subprocess.Popen[bytes]:
        """Starts it; nobody reads what it prints."""
        return subprocess.Popen([*self.command, *words], env=_environment(settings), stdout=subprocess.DEVNULL)


def _environment(settings: dict[str, str]) -> dict[str, str]:
    """This process's, without what would show a client the way to our own code or to another mesh."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH" and not name.startswith("FLIGHTMESH_")}
    return {**kept, **settings}


def program(language: str) -> Program:
    """The client in `language`, made if it is not there."""
    return _MADE_BY[language]()


@cache
def _python() -> Program:
    return Program((sys.executable, str(CLIENTS / "python" / "client.py")))


@cache
def _javascript() -> Program:
    node, npm = need("node", "nodejs"), need("npm")
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout
    source = CLIENTS / "javascript"

    def make(folder: Path) -> None:
        shutil.copytree(source, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("node_modules"))
        _make([npm, "install", "--no-package-lock", "--no-audit", "--no-fund", "--ignore-scripts"], folder)

    folder = _kept("javascript", [version.encode(), *_contents(source)], make)
    return Program((node, str(folder / "client.js")))


@cache
def _cpp() -> Program:
    need("g++")
    source = CLIENTS / "cpp"
    made_of = [pa.__version__.encode(), pa.get_include().encode(), *_contents(source)]
    folder = _kept("cpp", made_of, lambda into: _make([str(source / "build.sh"), sys.executable, str(into / "client")], into))
    return Program((str(folder / "client"),))


def _contents(folder: Path) -> list[bytes]:
    return [path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()]


def _kept(name: str, made_of: list[bytes], make: Callable[[Path], None]) -> Path:
    """A folder that `make` has filled, now or in an earlier run."""
    digest = hashlib.sha256(b"\0".join(made_of)).hexdigest()[:16]
    kept = Path(tempfile.gettempdir()) / f"flightmesh-clients-{os.getuid()}"
    kept.mkdir(mode=0o700, exist_ok=True)
    folder = kept / f"{name}-{digest}"
    with (kept / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            for older in kept.glob(f"{name}-*"):
                shutil.rmtree(older)
            with tempfile.TemporaryDirectory(dir=kept) as half_made:
                make(Path(half_made))
                shutil.copytree(half_made, folder.with_suffix(".new"), symlinks=True, dirs_exist_ok=True)
            folder.with_suffix(".new").rename(folder)
    return folder


def _make(command: list[str], folder: Path) -> None:
    ran = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=MAKE_SECONDS, check=False)
    assert ran.returncode == 0, f"{command}:\n{ran.stdout}{ran.stderr}"


_MADE_BY = {"python": _python, "javascript": _javascript, "cpp": _cpp}
LANGUAGES = tuple(_MADE_BY)
