"""A configuration file in YAML becomes a `Config`.

Handed a path; hands on a frozen `Config`, or an `InvalidConfig` with file, line, column and the nearest valid name. What always
holds: every field of `Config` can be written in a file under its own name, and nothing else can.
"""

from __future__ import annotations

import dataclasses
import difflib
import typing
from pathlib import Path
from typing import Annotated, Any

import pydantic
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.error import MarkedYAMLError

from flightmesh.config import Config, PlannerConfig, parse_size
from flightmesh.errors import InvalidConfig, Position

_Size = Annotated[int, pydantic.BeforeValidator(parse_size), pydantic.Field(ge=1)]
_Count = Annotated[int, pydantic.Field(ge=1, strict=True)]


def load(path: str | Path) -> Config:
    """The configuration in the file at `path`."""
    text = _read(Path(path))
    document = _parse(text, str(path))
    try:
        checked = _model(Config).model_validate(document)
    except pydantic.ValidationError as failure:
        raise _explain(failure, document, text, str(path)) from None
    return _build(Config, checked)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as failure:
        raise InvalidConfig(f"cannot read the configuration {path}: {failure.strerror}") from None
    except UnicodeDecodeError:
        raise InvalidConfig(f"the configuration {path} is not UTF-8 text") from None


def _parse(text: str, source: str) -> CommentedMap:
    try:
        document = YAML(typ="rt").load(text)
    except MarkedYAMLError as failure:
        mark = failure.problem_mark or failure.context_mark
        position = Position(mark.line + 1, mark.column + 1, source=source) if mark else None
        raise InvalidConfig(f"not valid YAML: {failure.problem}", position=position, text=text) from None
    if document is None:
        return CommentedMap()
    if not isinstance(document, CommentedMap):
        raise InvalidConfig("a configuration is a map of settings", position=Position(1, 1, source=source), text=text)
    return document


def _model(kind: type) -> type[pydantic.BaseModel]:
    """A pydantic model with the fields of the dataclass `kind`; sections become models of their own."""
    hints = typing.get_type_hints(kind)
    fields: dict[str, Any] = {}
    for field in dataclasses.fields(kind):
        default = pydantic.Field(default_factory=_default(field))
        fields[field.name] = (_checked_type(field.name, hints[field.name]), default)
    return pydantic.create_model(kind.__name__, __config__=pydantic.ConfigDict(extra="forbid"), **fields)


def _default(field: dataclasses.Field[Any]) -> Any:
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory
    return lambda: field.default


def _checked_type(name: str, hint: Any) -> Any:
    optional = type(None) in typing.get_args(hint)
    plain = next(part for part in typing.get_args(hint) if part is not type(None)) if optional else hint
    if dataclasses.is_dataclass(plain):
        assert isinstance(plain, type)
        return _model(plain)
    if plain is int:
        plain = _Size if name == "memory" or name.endswith("_bytes") else _Count
    return plain | None if optional else plain


def _build(kind: type[Config], checked: pydantic.BaseModel) -> Config:
    values = {field.name: getattr(checked, field.name) for field in dataclasses.fields(kind)}
    if isinstance(values["planner"], pydantic.BaseModel):
        values["planner"] = PlannerConfig(**values["planner"].model_dump())
    return kind(**values)


def _explain(failure: pydantic.ValidationError, document: CommentedMap, text: str, source: str) -> InvalidConfig:
    error = failure.errors()[0]
    path = [part for part in error["loc"] if isinstance(part, str)]
    name = ".".join(path)
    section: Any = document
    for part in path[:-1]:
        section = section[part]
    if error["type"] == "extra_forbidden":
        line, column = section.lc.key(path[-1])
        known = _names_at(path[:-1])
        near = difflib.get_close_matches(path[-1], known, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"settings here: {', '.join(known)}"
        message = f"there is no setting {name!r}"
        return InvalidConfig(message, hint=hint, position=Position(line + 1, column + 1, len(path[-1]), source), text=text)
    line, column = section.lc.value(path[-1])
    message = f"{name}: {error['msg'].removeprefix('Value error, ')}, not {error['input']!r}"
    if error["msg"].startswith("Value error, "):
        message = f"{name}: {error['msg'].removeprefix('Value error, ')}"
    length = len(str(error["input"]))
    return InvalidConfig(message, position=Position(line + 1, column + 1, length, source), text=text)


def _names_at(path: list[str]) -> list[str]:
    kind: type = Config
    for part in path:
        kind = typing.get_type_hints(kind)[part]
    return [field.name for field in dataclasses.fields(kind)]
