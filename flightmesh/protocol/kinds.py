"""What the classes of the wire are made of: fields, closed unions, lists.

Handed a type annotation; hands on its parts. What always holds: a member of a closed union is told by its class name under `_`.
"""

from __future__ import annotations

import dataclasses
import types
from typing import Any, Union, get_args, get_origin

TAG = "_"


def members(kind: Any) -> tuple[Any, ...]:
    """The classes of a closed union of dataclasses (without None), or nothing if `kind` is not one."""
    found = alternatives(kind)
    return found if len(found) > 1 and all(dataclasses.is_dataclass(each) for each in found) else ()


def alternatives(kind: Any) -> tuple[Any, ...]:
    """What a value of `kind` may be, None aside: more than one for a union."""
    if get_origin(kind) not in (Union, types.UnionType):
        return (kind,)
    return tuple(each for each in get_args(kind) if each is not type(None))


def is_optional(kind: Any) -> bool:
    """Whether None is a value of `kind`."""
    return type(None) in get_args(kind) if get_origin(kind) in (Union, types.UnionType) else kind is type(None)


def is_dataclass(kind: Any) -> bool:
    """Whether `kind` is a class whose wire form is a map, a key a field."""
    return isinstance(kind, type) and dataclasses.is_dataclass(kind)


def kind_name(kind: Any) -> str:
    """What people call it: the name of its class, or those of the first members of a union."""
    found = members(kind)
    if not found:
        return str(getattr(kind, "__name__", kind))
    return " or ".join(member.__name__ for member in found[:3]) + (" or ..." if len(found) > 3 else "")
