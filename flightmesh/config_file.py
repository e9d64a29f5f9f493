"""A configuration file in YAML becomes a `Config`, or whatever a pydantic model says that it is.

Handed a path; hands on a frozen `Config` (or the model), or an `InvalidConfig` with file, line, column and the nearest valid
name. What always holds: every field of `Config` can be written in a file under its own name, and nothing else can.
"""

from __future__ import annotations

import dataclasses
import difflib
import typing
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import pydantic
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError

from flightmesh.config import Config, parse_size
from flightmesh.errors import InvalidConfig, Position

Size = Annotated[int, pydantic.BeforeValidator(parse_size), pydantic.Field(ge=1)]
Count = Annotated[int, pydantic.Field(ge=1, strict=True)]
_SizeOrNothing = Annotated[int, pydantic.BeforeValidator(parse_size), pydantic.Field(ge=0)]
_Seconds = Annotated[float, pydantic.Field(gt=0, strict=True, allow_inf_nan=False)]
_SIZES: dict[str, Any] = {"memory": Size, "window": Size, "disk": _SizeOrNothing}
_CHOICES: dict[str, Any] = {"mode": Literal["get", "put"]}
T = TypeVar("T")
Model = TypeVar("Model", bound=pydantic.BaseModel)


def load(path: str | Path) -> Config:
    """The configuration in the file at `path`."""
    return _build(Config, read_checked(path, _model(Config), "a configuration is a map of settings"))


def read_checked(path: str | Path, model: type[Model], nature: str) -> Model:
    """The YAML file at `path` as `model` checks it. Raises InvalidConfig with file, line and column; `nature` says what the
    file is, to who wrote something else."""
    text = _read(Path(path))
    document = _parse(text, str(path), nature)
    try:
        return model.model_validate(document)
    except pydantic.ValidationError as failure:
        raise _explain(failure, model, document, text, str(path)) from None


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as failure:
        raise InvalidConfig(f"cannot read the configuration {path}: {failure.strerror}") from None
    except UnicodeDecodeError:
        raise InvalidConfig(f"the configuration {path} is not UTF-8 text") from None


def _parse(text: str, source: str, nature: str) -> CommentedMap:
    try:
        document = YAML(typ="rt").load(text)
    except MarkedYAMLError as failure:
        mark = failure.problem_mark or failure.context_mark
        position = Position(mark.line + 1, mark.column + 1, source=source) if mark else None
        raise InvalidConfig(f"not valid YAML: {failure.problem}", position=position, text=text) from None
    if document is None:
        return CommentedMap()
    if not isinstance(document, CommentedMap):
        raise InvalidConfig(nature, position=Position(1, 1, source=source), text=text)
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
        plain = Size if name.endswith("_bytes") else _SIZES.get(name, Count)
    elif plain is float:
        plain = _Seconds
    elif plain is str:
        plain = _CHOICES.get(name, str)
    return plain | None if optional else plain


def _build(kind: type[T], checked: pydantic.BaseModel) -> T:
    """The frozen dataclass of a checked file; sections are dataclasses of their own."""
    hints = typing.get_type_hints(kind)
    values: dict[str, Any] = {}
    for name, hint in hints.items():
        value = getattr(checked, name)
        values[name] = _build(hint, value) if isinstance(value, pydantic.BaseModel) else value
    return kind(**values)


def _explain(
    failure: pydantic.ValidationError, model: type[pydantic.BaseModel], document: CommentedMap, text: str, source: str
) -> InvalidConfig:
    errors = failure.errors()
    error = next((each for each in errors if each["type"] == "extra_forbidden"), errors[0])  # what is misspelt is missing too
    path = _written_path(error["loc"], document)
    name = ".".join(str(part) for part in path)
    section = _at(document, path[:-1])
    if error["type"] == "extra_forbidden":
        line, column = section.lc.key(path[-1])
        known = _names_at(model, path[:-1])
        near = difflib.get_close_matches(str(path[-1]), known, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"settings here: {', '.join(known)}"
        message = f"there is no setting {name!r}"
        return InvalidConfig(message, hint=hint, position=Position(line + 1, column + 1, len(str(path[-1])), source), text=text)
    said = error["msg"].removeprefix("Value error, ")
    if error["type"] == "missing":
        message = f"{name} has no {error['loc'][-1]!r}" if name else f"there is no {error['loc'][-1]!r}"
        line, column = _place(section, path[-1]) if path else (0, 0)
        return InvalidConfig(message, position=Position(line + 1, column + 1, 1, source), text=text)
    if not path:
        return InvalidConfig(said, position=Position(1, 1, 1, source), text=text)
    line, column = _place(section, path[-1])
    message = f"{name}: {said}" if error["msg"] != said else f"{name}: {said}, not {error['input']!r}"
    length = len(str(error["input"])) if not isinstance(error["input"], dict | list) else 1
    return InvalidConfig(message, position=Position(line + 1, column + 1, length, source), text=text)


def _written_path(location: tuple[int | str, ...], document: CommentedMap) -> list[int | str]:
    """How far the place of an error leads into the file: pydantic names union members and absent keys too."""
    path: list[int | str] = []
    here: Any = document
    for part in location:
        is_key = isinstance(here, CommentedMap) and part in here
        if is_key or (isinstance(here, CommentedSeq) and isinstance(part, int) and part < len(here)):
            here = here[part]
            path.append(part)
    return path


def _place(section: Any, part: int | str) -> tuple[int, int]:
    """Line and column, from 0, of a value in a map or a list."""
    place: tuple[int, int] = section.lc.item(part) if isinstance(section, CommentedSeq) else section.lc.value(part)
    return place


def _at(document: CommentedMap, path: list[int | str]) -> Any:
    here: Any = document
    for part in path:
        here = here[part]
    return here


def _names_at(model: type[pydantic.BaseModel], path: list[int | str]) -> list[str]:
    """The settings of a section."""
    for part in path:
        if isinstance(part, str):
            model = _section(model.model_fields[part].annotation)
    return list(model.model_fields)


def _section(annotation: Any) -> type[pydantic.BaseModel]:
    """The model of a section, of an optional one, or of the items of a list."""
    if isinstance(annotation, type) and issubclass(annotation, pydantic.BaseModel):
        return annotation
    return next(_section(part) for part in typing.get_args(annotation) if part is not type(None))
