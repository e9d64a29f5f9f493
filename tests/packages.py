"""Programs that tests start and that are no Python packages: looked for, and where missing installed by apt.

Handed the name of a program and the Debian package that brings it; hands on its path. What always holds: one process installs
at a time; what cannot be had fails the test that needs it, with what apt said.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

APT_SECONDS = 600
_LOCK = Path(tempfile.gettempdir()) / "flightmesh-tests-apt.lock"


def need(program: str, package: str | None = None) -> str:
    """The path of `program`; `package` (by default of the same name) is installed where it is not there."""
    found = _find(program)
    if found is None:
        with _LOCK.open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            found = _find(program) or _installed(program, package or program)
    return found


def _find(program: str) -> str | None:
    return shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")


def _installed(program: str, package: str) -> str:
    install = ["apt-get", "install", "-y", "-q", "--no-install-recommends", package]
    if not _apt(install)[0]:  # a fresh machine has no lists of packages yet
        _apt(["apt-get", "update", "-q"])
        done, said = _apt(install)
        assert done, f"apt could not install {package}, which brings {program}:\n{said}"
    found = _find(program)
    assert found is not None, f"{package} is installed, but there is no {program}"
    return found


def _apt(command: list[str]) -> tuple[bool, str]:
    """Whether it went well, and what it printed."""
    prefix = [] if os.geteuid() == 0 else ["sudo", "-n"]
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    ran = subprocess.run([*prefix, *command], env=environment, capture_output=True, text=True, timeout=APT_SECONDS, check=False)
    return ran.returncode == 0, ran.stdout + ran.stderr
