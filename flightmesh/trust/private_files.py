"""Files that only their owner reads.

Handed a path and bytes; what always holds: the file is never there with other rights than its owner's, and never half written.
"""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

from flightmesh.errors import InvalidConfig

OWNER_ONLY = 0o600
FOLDER_MODE = 0o700


def write_private(path: Path, data: bytes) -> None:
    """Puts `data` in the file at `path`, in place of what was there. Its folder is made where there is none."""
    path.parent.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")  # mkstemp gives rights to the owner alone
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def read_private(path: Path) -> bytes:
    """What a file holds that others may not read. Raises InvalidConfig where they may, and OSError where it cannot be read."""
    mode = path.stat().st_mode
    if mode & (stat.S_IRWXO | stat.S_IWGRP) and not _is_handed_in(path):
        raise InvalidConfig(
            f"{path} holds a secret, and others than its owner may read it", hint=f"chmod {OWNER_ONLY:o} {path}"
        )
    return path.read_bytes()


def _is_handed_in(path: Path) -> bool:
    """Whether whoever runs this node mounted the file (a Kubernetes Secret, systemd's credentials): its rights are theirs."""
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    inside = folder is not None and path.resolve().is_relative_to(Path(folder).resolve())
    return inside or not os.access(path.parent, os.W_OK)
