"""The configuration that is in effect, and where each value of it came from.

Handed a role, a file, an environment and flags; hands on an `Effective`. What always holds: a flag wins over a variable, that
over the file, and that over the default.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flightmesh.config import Config
from flightmesh.dataclass import dataclass
from flightmesh.errors import without_secrets
from flightmesh.setting_kinds import Role, Unfit
from flightmesh.settings.environment import read_environment
from flightmesh.settings.file import read_file
from flightmesh.settings.keys import KEYS, build

DEFAULT = "default"


class BadFlag(ValueError):
    """A flag's value does not fit; `flag` is its name."""

    def __init__(self, message: str, flag: str) -> None:
        super().__init__(without_secrets(message))
        self.flag = flag


@dataclass(frozen=True, slots=True)
class Effective:
    """The configuration, and the origin of each key that has one beside its default: `file.yaml:3`, the name of a variable, or
    a flag."""

    role: Role
    config: Config
    origins: Mapping[str, str]

    def origin(self, path: str) -> str:
        """Where the value of a key came from."""
        return self.origins.get(path, DEFAULT)


def effective(
    role: Role, file: str | Path | None = None, environ: Mapping[str, str] | None = None, flags: Mapping[str, Any] | None = None
) -> Effective:
    """What a process of this role goes by. `flags`: values by key (`node.port`), those that were not given as None or an empty
    list. Raises InvalidConfig with the place in the file or the name of the variable, BadFlag with that of the flag."""
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    if file is not None:
        for path, written in read_file(file, role).items():
            values[path] = written.value
            origins[path] = f"{file}:{written.position.line}"
    for path, named in read_environment(environ or {}, role).items():
        values[path] = named.value
        origins[path] = named.variable
    for path, value in (flags or {}).items():
        if value is not None and value != []:
            origins[path], values[path] = _flag(role, path, value)
    return Effective(role, build(values), origins)


def _flag(role: Role, path: str, value: Any) -> tuple[str, Any]:
    """Name and checked value of a flag."""
    key = KEYS[path]
    flag = key.flag(role)
    assert flag is not None, f"{path} has no flag for {role}"
    try:
        return flag, key.check(value)
    except Unfit as failure:
        raise BadFlag(str(failure), flag) from None
