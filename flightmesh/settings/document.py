"""A YAML file that somebody wrote, read so that each of its parts knows its place.

Handed a path; hands on a `Document`, or an InvalidConfig with file, line and column. What always holds: a document is a map,
and an empty file an empty one.
"""

from __future__ import annotations

from pathlib import Path

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.error import MarkedYAMLError

from flightmesh.dataclass import dataclass
from flightmesh.errors import InvalidConfig, Position


@dataclass(frozen=True, slots=True)
class Document:
    """What the file says, its text, and its path as it was given."""

    root: CommentedMap
    text: str
    source: str


def read_document(path: str | Path, nature: str) -> Document:
    """The YAML file at `path`; `nature` says what the file is, to who wrote something else than a map."""
    text = _read(Path(path))
    return Document(_parse(text, str(path), nature), text, str(path))


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
