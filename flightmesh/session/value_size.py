"""About how many bytes a value of frozen dataclasses, tuples and Arrow objects takes, each part of it counted once."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from operator import attrgetter
from typing import Any, TypeAlias

import pyarrow as pa

_ARROW_BYTES = 200
"""What an Arrow scalar, type or schema field takes beside what Python knows of."""

Kind: TypeAlias = tuple[int | Callable[[Any], int], Callable[[Any], Iterable[Any]] | None]
"""Of a class: the bytes of one value without its parts, the same for all or to be asked of each; and its parts."""


def value_size(root: object) -> int:
    """Bytes of `root` and of all that it holds, types and members of enumerations left out."""
    kinds: dict[type, Kind] = {}
    seen: set[int] = set()
    total = 0
    waiting: list[Any] = [root]
    while waiting:
        value = waiting.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        kind = kinds.get(type(value))
        if kind is None:
            kind = kinds[type(value)] = _kind(value)
        size, parts = kind
        total += size if isinstance(size, int) else size(value)
        if parts is not None:
            waiting.extend(parts(value))
    return total


def _kind(value: Any) -> Kind:
    if value is None or isinstance(value, bool | Enum | type):
        return 0, None
    if is_dataclass(value):
        names = [field.name for field in fields(value)]
        # One name twice: `attrgetter` gives a tuple of several only.
        return sys.getsizeof(value), attrgetter(names[0], *names) if names else None
    if isinstance(value, tuple | list | frozenset | set):
        return sys.getsizeof, iter
    if isinstance(value, Mapping):
        return sys.getsizeof, _entries
    return (_arrow_size if type(value).__module__.startswith("pyarrow") else sys.getsizeof), None


def _entries(value: Mapping[Any, Any]) -> Iterable[Any]:
    yield from value
    yield from value.values()


def _arrow_size(value: Any) -> int:
    if isinstance(value, pa.Schema):
        return _ARROW_BYTES * len(value)
    if isinstance(value, pa.StringScalar | pa.BinaryScalar) and value.is_valid:
        return _ARROW_BYTES + int(value.as_buffer().size)
    return _ARROW_BYTES + sys.getsizeof(value)  # arrays and batches tell their bytes so
