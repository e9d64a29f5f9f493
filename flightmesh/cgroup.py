"""What a container or a service manager lets this process have: memory and CPU time, by its control groups.

Handed the root of a file system (tests have their own); hands on the least of the limits of the process's own group and of all
those above it, in version 1 and 2 of the interface. What always holds: what is missing or says `max` is no limit; nothing is
raised for it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

ROOT = Path("/")
_MOUNT = PurePosixPath("sys/fs/cgroup")
_MOUNTS_V2 = (_MOUNT, _MOUNT / "unified")


def memory_limit(root: Path = ROOT) -> int | None:
    """Bytes; None: no limit."""
    second = (_number(group / "memory.max") for group in _groups(root, ""))
    first = (_number(group / "memory.limit_in_bytes") for group in _groups(root, "memory"))
    return min((limit for limit in (*second, *first) if limit), default=None)


def core_limit(root: Path = ROOT) -> int | None:
    """Cores' worth of CPU time, a part of one counted as one; None: no limit."""
    second = (_quota(group / "cpu.max") for group in _groups(root, ""))
    first = (_quota(group / "cpu.cfs_quota_us", group / "cpu.cfs_period_us") for group in _groups(root, "cpu"))
    return min((math.ceil(share) for share in (*second, *first) if share), default=None)


def _groups(root: Path, controller: str) -> Iterator[Path]:
    """The folders of the process's group and of those above it; `controller` is empty for version 2."""
    for controllers, group in _memberships(root):
        if controller not in controllers.split(","):
            continue
        mounts = [_MOUNT / controllers, _MOUNT / controller] if controller else _MOUNTS_V2
        for mount in dict.fromkeys(mounts):
            yield from (root / mount / above for above in _upwards(group))


def _memberships(root: Path) -> Iterator[tuple[str, str]]:
    """Controllers and group of each line of /proc/self/cgroup: `4:cpu,cpuacct:/a/b`, `0::/a/b` in version 2."""
    for line in _read(root / "proc/self/cgroup").splitlines():
        _, colon, rest = line.partition(":")
        controllers, second, group = rest.partition(":")
        if colon and second:
            yield controllers, group


def _upwards(group: str) -> Iterator[PurePosixPath]:
    """The group and all above it, relative to the mount. In a container the mount may be the group itself, whose path is that
    of the host: then only the last of these is there."""
    path = PurePosixPath(group.lstrip("/"))
    if ".." in path.parts:  # a group outside of what this container sees
        path = PurePosixPath()
    yield path
    yield from path.parents


def _quota(file: Path, period_file: Path | None = None) -> float | None:
    """The share of a core: of `200000 100000` in one file (version 2), or of a file each (version 1)."""
    words = [*_read(file).split(), *(_read(period_file).split() if period_file else ())]
    if len(words) != 2 or not all(word.isdigit() and int(word) for word in words):
        return None  # `max`, -1, or no such file
    return int(words[0]) / int(words[1])


def _number(file: Path) -> int | None:
    text = _read(file).strip()
    return int(text) if text.isdigit() else None


def _read(file: Path) -> str:
    try:
        return file.read_text()
    except OSError:  # no such group here, or no control groups at all
        return ""
