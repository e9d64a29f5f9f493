"""Why a map from the wire is not the message that was asked for, told to people who write clients in other languages.

Handed a value that msgpack read, the class it was to be, and how single values are read; hands on one line: the message and the
field, what is there, what may be. What always holds: the first misfit is told and the search ends; names are those of the
protocol's documentation, never those of the language that reads it.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Callable
from typing import Any, TypeAlias, get_args, get_origin, get_type_hints

import pyarrow as pa

from flightmesh.protocol.kinds import TAG, alternatives, is_dataclass, is_optional, kind_name, members

Read: TypeAlias = Callable[[Any, Any], Any]
LONGEST_VALUE = 60
LONGEST = 400
_KINDS = {bool: "bool", int: "int", float: "float", str: "str", bytes: "bytes", list: "list", dict: "map", type(None): "null"}
_ARROW = {pa.DataType: "a type", pa.Schema: "a schema", pa.RecordBatch: "a batch", pa.Scalar: "a value"}


def misfit(body: Any, kind: Any, read: Read) -> str:
    """The reason, in one line. `read` raises when its value is not of the kind."""
    try:
        found = _find(body, kind, "", read)
    except RecursionError:
        found = "it is nested too deeply"
    return (found or f"its values make no {kind_name(kind)} together")[:LONGEST]


def _find(body: Any, kind: Any, path: str, read: Read) -> str | None:
    if body is None and is_optional(kind):
        return None
    if union := members(kind):
        return _find_in_union(body, union, path, read)
    (kind,) = alternatives(kind)[:1]
    if is_dataclass(kind):
        return _find_in_map(body, kind, path or kind.__name__, read)
    if get_origin(kind) is tuple:
        return _find_in_list(body, get_args(kind), path, read)
    try:
        read(body, kind)
    except Exception:  # of which kind is no matter: what does not fit is told from the kind
        return f"{path or 'it'}: {_wanted(body, kind)}"
    return None


def _find_in_union(body: Any, union: tuple[Any, ...], path: str, read: Read) -> str | None:
    names = {member.__name__: member for member in union}
    if not _is_map(body):
        return f"{path or 'it'}: {_not_a_map(body)}"
    tag = body.get(TAG)
    if not isinstance(tag, str) or tag not in names:
        where = f"{path}.{TAG}" if path else repr(TAG)
        return f"{where}: {_shown(tag)} is none of {', '.join(names)}"
    rest = {key: part for key, part in body.items() if key != TAG}
    return _find_in_map(rest, names[tag], path or tag, read)


def _find_in_map(body: Any, kind: Any, path: str, read: Read) -> str | None:
    if not _is_map(body):
        return f"{path}: {_not_a_map(body)}"
    fields = {field.name: field for field in dataclasses.fields(kind)}
    for name in body:
        if name not in fields:
            return f"{path} has no field {_shown(name)}, but {', '.join(fields) or 'none at all'}"
    hints = get_type_hints(kind)
    for name, field in fields.items():
        if name in body:
            if found := _find(body[name], hints[name], f"{path}.{name}", read):
                return found
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            return f"{path} lacks the field {name!r}"
    return None


def _find_in_list(body: Any, parts: tuple[Any, ...], path: str, read: Read) -> str | None:
    if not isinstance(body, list):
        return f"{path}: list expected, not {_kind_of(body)}"
    if len(parts) == 2 and parts[1] is Ellipsis:
        parts = (parts[0],) * len(body)
    if len(parts) != len(body):
        return f"{path}: a list of {len(parts)} expected, not of {len(body)}"
    found = (_find(part, kind, f"{path}[{number}]", read) for number, (part, kind) in enumerate(zip(body, parts, strict=True)))
    return next((reason for reason in found if reason), None)


def _wanted(body: Any, kind: Any) -> str:
    """What is allowed where `body` was."""
    kind = getattr(kind, "__supertype__", kind)
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return f"{_shown(body)} is none of {', '.join(str(member.value) for member in kind)}"
    for root, name in _ARROW.items():
        if isinstance(kind, type) and issubclass(kind, root):
            return f"bytes of {name} in Arrow IPC expected" + ("" if isinstance(body, bytes) else f", not {_kind_of(body)}")
    expected = _KINDS.get(get_origin(kind) or kind)
    return f"{expected} expected, not {_kind_of(body)}" if expected else f"{_shown(body)} does not fit"


def _is_map(body: Any) -> bool:
    return isinstance(body, dict) and all(isinstance(key, str) for key in body)


def _not_a_map(body: Any) -> str:
    if isinstance(body, dict):
        return "a map with text keys expected, not one with other keys"
    return f"a map with text keys expected, not {_kind_of(body)}"


def _kind_of(body: Any) -> str:
    return _KINDS.get(type(body), "a value of another kind")


def _shown(value: Any) -> str:
    """A value in a few characters: texts and numbers as they are, of other things their kind."""
    if value is None or not isinstance(value, str | int | float):
        return _kind_of(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    text = repr(value)
    return text if len(text) <= LONGEST_VALUE else text[:LONGEST_VALUE] + "..."
