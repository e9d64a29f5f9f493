"""A fresh Debian in a folder, and commands that run in it as on a machine of its own.

Handed an empty folder; hands on a root made by debootstrap, from the archive that this machine's own apt uses. What always
holds: mounts are made in a mount namespace of the command that needs them, so they end with it, also where it is killed; apt
and pip are set up as on this machine.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from ruamel.yaml import YAML

from tests.packages import need

CHECKOUT = Path(__file__).parents[2]
SECONDS = 400
_APT = Path("/etc/apt")
_ARCHIVES = Path(tempfile.gettempdir()) / "flightmesh-tests-archives"
"""Packages that were fetched once, for debootstrap and for apt."""
HASTY = {"DPKG_FORCE": "security-mac,downgrade,unsafe-io", "PIP_NO_COMPILE": "1"}
"""What is thrown away soon need not be written through to the disk, nor compiled."""
_PROXIES = [name for word in ("http", "https", "no", "all") for name in (f"{word}_proxy", f"{word.upper()}_PROXY")]
_MOUNTED = """\
set -eu
root=$1 && shift
mount -t proc proc "$root/proc"
mount --bind "$FM_CHECKOUT" "$root/checkout"
mount -o remount,bind,ro "$root/checkout"
mount --bind "$FM_ARCHIVES" "$root/var/cache/apt/archives"
if [ -n "$FM_PIP_CACHE" ]; then mount --bind "$FM_PIP_CACHE" "$root/root/.cache/pip"; fi
exec chroot "$root" "$@"
"""


@dataclass(frozen=True, slots=True)
class DebianRoot:
    """The root at `path`. The checkout is at /checkout in it, and cannot be written."""

    path: Path
    environment: dict[str, str]

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """What the command says; whatever it starts ends with it."""
        return subprocess.run(
            [*_alone(), "sh", "-c", _MOUNTED, "sh", str(self.path), *command],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )


def debian_root(folder: Path) -> DebianRoot:
    """A root in `folder` as debootstrap leaves it: without Python."""
    (_ARCHIVES / "partial").mkdir(parents=True, exist_ok=True)
    codename, root = _codename(), folder / "root"
    make = [need("debootstrap"), "--variant=minbase", f"--cache-dir={_ARCHIVES}", codename, str(root), _archive(codename)]
    made = subprocess.run(
        [*_alone(), *make], env=os.environ | HASTY, capture_output=True, text=True, timeout=SECONDS, check=False
    )
    assert made.returncode == 0, made.stdout + made.stderr
    for inside in ("checkout", "root/.cache/pip"):
        (root / inside).mkdir(parents=True)
    (root / "etc/apt/sources.list").unlink()
    for name in ("sources.list", "sources.list.d", "apt.conf.d", "auth.conf.d", "trusted.gpg.d", "keyrings"):
        _copy(_APT / name, root)
    for name in ("resolv.conf", "hosts"):
        _copy(Path("/etc") / name, root)
    return DebianRoot(root, _environment(root))


def _alone() -> list[str]:
    """Runs what follows in namespaces of its own for mounts and processes."""
    return [need("unshare", "util-linux"), "--mount", "--propagation", "private", "--pid", "--fork", "--kill-child"]


def _codename() -> str:
    """What this machine's own release is called."""
    lines = dict(line.split("=", 1) for line in Path("/etc/os-release").read_text().splitlines() if "=" in line)
    return lines["VERSION_CODENAME"].strip('"')


def _archive(codename: str) -> str:
    """Where this machine's apt takes that release from."""
    for file in [_APT / "sources.list", *sorted((_APT / "sources.list.d").glob("*.list"))]:
        for line in file.read_text().splitlines() if file.is_file() else ():
            words = [word for word in line.split() if not (word.startswith("[") or "=" in word)]
            if words[:1] == ["deb"] and words[2:3] == [codename]:
                return words[1]
    for file in sorted((_APT / "sources.list.d").glob("*.sources")):
        for paragraph in file.read_text().split("\n\n"):
            fields = dict(line.split(":", 1) for line in paragraph.splitlines() if ":" in line and line[0] not in " #")
            if codename in fields.get("Suites", "").split():
                return fields["URIs"].split()[0]
    raise AssertionError(f"/etc/apt names no archive of {codename}")


def _environment(root: Path) -> dict[str, str]:
    """Of commands in the root: pip's settings of this machine, and the certificates that they name."""
    kept = {name: os.environ[name] for name in _PROXIES if name in os.environ}
    cache = _pip("cache", "dir").strip()
    return {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": "/root",
        "LANG": "C.UTF-8",
        **HASTY,
        "FM_CHECKOUT": str(CHECKOUT),
        "FM_ARCHIVES": str(_ARCHIVES),
        "FM_PIP_CACHE": cache if Path(cache).is_dir() else "",
        **kept,
        **_pip_settings(root),
    }


def _pip_settings(root: Path) -> dict[str, str]:
    settings = {}
    for line in _pip("config", "list").splitlines():
        key, _, value = line.partition("=")
        name = key.rpartition(".")[2].strip(":").replace("-", "_").upper()
        words = [_brought(word, root) for word in str(YAML(typ="safe").load(value)).split()]
        if name not in ("FIND_LINKS", "CONFIG_FILE"):  # folders and files of this machine alone
            settings[f"PIP_{name}"] = " ".join(words)
    return settings


def _brought(word: str, root: Path) -> str:
    """A file that a setting names (certificates, constraints) is put where no package of the root writes."""
    file = Path(word)
    if not (file.is_absolute() and file.is_file()):
        return word
    target = root / "host" / file.relative_to("/")
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(file, target)
    return f"/host{word}"


def _pip(*arguments: str) -> str:
    asked = [sys.executable, "-m", "pip", *arguments]
    return subprocess.run(asked, capture_output=True, text=True, check=True).stdout


def _copy(path: Path, root: Path) -> None:
    target = root / path.relative_to("/")
    if path.is_dir():
        shutil.copytree(path, target, dirs_exist_ok=True)
    elif path.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        target.unlink(missing_ok=True)
        shutil.copy(path, target)
