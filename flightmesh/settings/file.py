"""The configuration that stands in a YAML file.

Handed a path and who reads it; hands on checked values by key, each with its line, or an InvalidConfig with file, line, column
and the nearest name. What always holds: every field of `Config` can be written in a file under its own name, and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flightmesh.config import Config
from flightmesh.dataclass import dataclass
from flightmesh.errors import InvalidConfig, Position
from flightmesh.setting_kinds import Role, Unfit, nearest
from flightmesh.settings.keys import KEYS, SECTIONS, Key, build, names_in, roles_text

if TYPE_CHECKING:
    from ruamel.yaml.comments import CommentedMap

    from flightmesh.settings.document import Document

_TOGETHER = (Role.EMBEDDED, Role.CLIENT)
"""One file serves queries in one's own process and at a driver."""


@dataclass(frozen=True, slots=True)
class Written:
    """A value of a file, and where it stands."""

    value: Any
    position: Position


def load(path: str | Path, role: Role = Role.EMBEDDED) -> Config:
    """The configuration in the file at `path`, as `role` reads it, with nothing of the environment."""
    return build({key: written.value for key, written in read_file(path, role).items()})


def read_file(path: str | Path, role: Role) -> Mapping[str, Written]:
    """What the file sets, by key. Raises InvalidConfig; also for a key that does not concern the role."""
    from flightmesh.settings.document import read_document  # YAML costs time that who has no file need not spend

    reading = _Reading(read_document(path, "a configuration is a map of settings"), role)
    return dict(reading.section("", reading.document.root))


class _Reading:
    """One file being read."""

    def __init__(self, document: Document, role: Role) -> None:
        self.document = document
        self._roles = _TOGETHER if role in _TOGETHER else (role,)

    def section(self, section: str, written: CommentedMap) -> Iterator[tuple[str, Written]]:
        for name, value in written.items():
            place = self._at(written.lc.key(name), len(str(name)))
            if not section and name in SECTIONS:
                yield from self._inner(str(name), value, self._at(written.lc.value(name), 1))
                continue
            key = KEYS.get(f"{section}.{name}" if section else str(name))
            if key is None or key.section != section:
                raise self._unknown(section, str(name), place)
            if not any(key.concerns(role) for role in self._roles):
                raise self._foreign(key, place)
            yield key.path, Written(self._checked(key, value, written), place)

    def _inner(self, section: str, value: Any, place: Position) -> Iterator[tuple[str, Written]]:
        from ruamel.yaml.comments import CommentedMap

        if value is None:  # all of it is commented out
            return
        if not isinstance(value, CommentedMap):
            raise self._error(f"{section}: a map of settings is expected, not {value!r}", place)
        yield from self.section(section, value)

    def _checked(self, key: Key, value: Any, written: CommentedMap) -> Any:
        try:
            return key.check(value)
        except Unfit as failure:
            length = 1 if isinstance(value, dict | list) else len(str(value))
            raise self._error(f"{key.path}: {failure}", self._at(written.lc.value(key.name), length), failure.hint) from None

    def _unknown(self, section: str, name: str, place: Position) -> InvalidConfig:
        known = names_in(section)
        near = nearest(name, known)
        elsewhere = [key.path for key in KEYS.values() if key.name == name]
        if elsewhere:
            hint = f"it is written as {' or '.join(repr(path) for path in elsewhere)}"
        else:
            hint = f"did you mean {near!r}?" if near else f"settings here: {', '.join(known)}"
        return self._error(f"there is no setting {f'{section}.{name}' if section else name!r}", place, hint)

    def _foreign(self, key: Key, place: Position) -> InvalidConfig:
        read_by = " or ".join(self._roles)
        message = f"{key.path} is a setting of {roles_text(key)}: it has no effect for {read_by}"
        return self._error(message, place, "leave it out of this file")

    def _at(self, place: tuple[int, int], length: int) -> Position:
        return Position(place[0] + 1, place[1] + 1, length, self.document.source)

    def _error(self, message: str, place: Position, hint: str | None = None) -> InvalidConfig:
        return InvalidConfig(message, hint=hint, position=place, text=self.document.text)
