"""Every setting there is, as the dataclasses of `config` declare it.

Handed `Config`; hands on its keys in their order, each with its place, kind, default, variable and flags. What always holds:
every field is a key, and no two keys share a variable.
"""

from __future__ import annotations

import ast
import dataclasses
import functools
import inspect
import sys
import typing
from collections.abc import Iterator, Mapping
from typing import Any

from flightmesh.config import Config
from flightmesh.dataclass import dataclass
from flightmesh.setting_kinds import PREFIX, Role, Setting, Unfit


@dataclass(frozen=True, slots=True)
class Key:
    """One setting. `section` is empty for those at the top of a file; `optional` ones may be null; the default of one
    `of_machine` is another on another machine."""

    section: str
    name: str
    setting: Setting
    optional: bool
    default: Any
    of_machine: bool

    @property
    def path(self) -> str:
        """How the key is written in a message: `node.port`."""
        return f"{self.section}.{self.name}" if self.section else self.name

    @property
    def variables(self) -> tuple[str, ...]:
        """Its environment variables: a short name first, where there is one."""
        long = PREFIX + self.path.replace(".", "_").upper()
        return (self.setting.variable, long) if self.setting.variable else (long,)

    def concerns(self, role: Role) -> bool:
        """Whether the setting has an effect there."""
        return role in self.setting.flags

    def flag(self, role: Role) -> str | None:
        """The option of the command line that sets it there."""
        return self.setting.flags.get(role)

    def check(self, value: Any) -> Any:
        """The value as the configuration holds it. Raises Unfit."""
        if value is None and self.optional:
            return None
        if value is None:
            raise Unfit(f"{self.setting.kind.noun} is expected, not null")
        return self.setting.kind.check(value)

    def read(self, text: str) -> Any:
        """The same of an environment variable's text."""
        if self.optional and text.strip().lower() == "null":
            return None
        return self.check(self.setting.kind.read(text))


def _keys(kind: type, section: str) -> Iterator[Key]:
    hints = typing.get_type_hints(kind, include_extras=True)
    for field in dataclasses.fields(kind):
        hint = hints[field.name]
        if dataclasses.is_dataclass(hint):
            assert isinstance(hint, type)
            yield from _keys(hint, field.name)
            continue
        plain, setting = typing.get_args(hint)
        factory = field.default_factory
        of_machine = factory is not dataclasses.MISSING
        default = factory() if factory is not dataclasses.MISSING else field.default
        yield Key(section, field.name, setting, type(None) in typing.get_args(plain), default, of_machine)


KEYS: Mapping[str, Key] = {key.path: key for key in _keys(Config, "")}
"""Every key by its path."""
SECTIONS: Mapping[str, type] = {
    name: hint
    for name, hint in typing.get_type_hints(Config).items()
    if isinstance(hint, type) and dataclasses.is_dataclass(hint)
}


def keys_of(role: Role) -> list[Key]:
    """The keys that concern a role."""
    return [key for key in KEYS.values() if key.concerns(role)]


def names_in(section: str) -> list[str]:
    """What may be written in a section: names of keys, at the top those of sections too."""
    return [key.name for key in KEYS.values() if key.section == section] + ([] if section else list(SECTIONS))


def roles_text(key: Key) -> str:
    """Whom a key concerns, for people."""
    names = [role.value for role in Role if key.concerns(role)]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def build(values: Mapping[str, Any]) -> Config:
    """The configuration with these values, by path, and defaults for all others."""
    sections = {
        section: kind(**{key.name: values[key.path] for key in KEYS.values() if key.section == section and key.path in values})
        for section, kind in SECTIONS.items()
    }
    return Config(**{path: value for path, value in values.items() if "." not in path}, **sections)


def value_of(config: Config, key: Key) -> Any:
    """What a configuration holds for a key."""
    return getattr(getattr(config, key.section) if key.section else config, key.name)


def meaning(key: Key) -> str:
    """What the key means: the docstring of its field, on one line."""
    return _docstrings()[(SECTIONS[key.section] if key.section else Config).__name__, key.name]


def section_meaning(section: str) -> str:
    """What a section is about."""
    return " ".join((inspect.getdoc(SECTIONS[section]) or "").split())


@functools.cache
def _docstrings() -> Mapping[tuple[str, str], str]:
    """The texts that stand behind fields, by class and field: Python keeps them only in the source."""
    found: dict[tuple[str, str], str] = {}
    for kind in ast.parse(inspect.getsource(sys.modules[Config.__module__])).body:
        if isinstance(kind, ast.ClassDef):
            for field, said in zip(kind.body, kind.body[1:], strict=False):
                if (
                    isinstance(field, ast.AnnAssign)
                    and isinstance(field.target, ast.Name)
                    and isinstance(said, ast.Expr)
                    and isinstance(said.value, ast.Constant)
                ):
                    found[kind.name, field.target.id] = " ".join(str(said.value.value).split())
    return found
