"""A YAML file as a pydantic model checks it.

Handed a path and a model; hands on the model, or an `InvalidConfig` with file, line, column and the nearest valid name.
"""

from __future__ import annotations

import typing
from pathlib import Path
from typing import Annotated, Any, TypeVar

import pydantic
from ruamel.yaml.comments import CommentedMap, CommentedSeq

from flightmesh.config import parse_size
from flightmesh.errors import InvalidConfig, Position
from flightmesh.setting_kinds import nearest
from flightmesh.settings.document import Document, read_document

Size = Annotated[int, pydantic.BeforeValidator(parse_size), pydantic.Field(ge=1)]
Count = Annotated[int, pydantic.Field(ge=1, strict=True)]
Model = TypeVar("Model", bound=pydantic.BaseModel)


def read_checked(path: str | Path, model: type[Model], nature: str) -> Model:
    """The YAML file at `path` as `model` checks it. Raises InvalidConfig with file, line and column; `nature` says what the
    file is, to who wrote something else."""
    document = read_document(path, nature)
    try:
        return model.model_validate(document.root)
    except pydantic.ValidationError as failure:
        raise _explain(failure, model, document) from None


def _explain(failure: pydantic.ValidationError, model: type[pydantic.BaseModel], document: Document) -> InvalidConfig:
    root, text, source = document.root, document.text, document.source
    errors = failure.errors()
    error = next((each for each in errors if each["type"] == "extra_forbidden"), errors[0])  # what is misspelt is missing too
    path = _written_path(error["loc"], root)
    name = ".".join(str(part) for part in path)
    section = _at(root, path[:-1])
    if error["type"] == "extra_forbidden":
        line, column = section.lc.key(path[-1])
        known = _names_at(model, path[:-1])
        near = nearest(str(path[-1]), known)
        hint = f"did you mean {near!r}?" if near else f"settings here: {', '.join(known)}"
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
