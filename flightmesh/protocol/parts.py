"""Values that are nested more deeply than msgpack and Python's stack take, cut into parts.

Handed a plan or a message with one; hands on where to cut it, and the msgpack form of a whole that is in parts. What always
holds: parts are expressions and operators; each refers only to parts before it, and none is nested by much more than
PART_LEVELS, so whoever writes or reads one after the other needs little stack however deep the whole is. Nothing here recurses.
"""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import msgpack

from flightmesh.expression.nodes import Expression
from flightmesh.physical.operators import Operator
from flightmesh.protocol.kinds import members

WHOLE = 1
"""The msgpack extension type of a whole: its parts as a list of byte strings, the last of which is the value itself."""
PART = 2
"""That of a reference to one of its parts: the part's number, from 0, as msgpack."""
PART_LEVELS = 40
"""Dataclasses and tuples within each other, after which a value is cut."""

_here = threading.local()


@cache
def part_kinds() -> dict[str, type]:
    """The classes whose values may be parts, by name."""
    return {kind.__name__: kind for union in (Expression, Operator) for kind in members(union)}


def pack_parts(value: Any, write: Callable[[Any], Any], write_part: Callable[[Any], Any]) -> bytes:
    """The bytes of a value in parts. `write` makes of it what msgpack takes, `write_part` of a part; both put `reference`
    where another part stands."""
    cuts = list(_cuts(value))
    with _writing({id(part): number for number, part in enumerate(cuts)}):
        packed = [msgpack.packb(write_part(part)) for part in cuts]
        packed.append(msgpack.packb(write(value)))
    whole: bytes = msgpack.packb(msgpack.ExtType(WHOLE, msgpack.packb(packed)))
    return whole


def reference(value: Any) -> msgpack.ExtType | None:
    """What stands for a value where it is part of another; None where it is not."""
    number = _here.numbers.get(id(value))
    return None if number is None else msgpack.ExtType(PART, msgpack.packb(number))


def unpack_parts(whole: msgpack.ExtType, read_part: Callable[[Any], Any]) -> Any:
    """The body of the value in parts that `pack_parts` wrote, with the parts in it as `read_part` made them. Raises ValueError,
    and what `read_part` raises."""
    if whole.code != WHOLE:
        raise ValueError("an extension type of msgpack that is not known")
    packed = msgpack.unpackb(whole.data)
    if not isinstance(packed, list) or not packed:
        raise ValueError("a value in parts has at least one")
    made: list[Any] = []

    def found(code: int, data: bytes) -> Any:
        number = msgpack.unpackb(data) if code == PART else None
        if type(number) is not int or not 0 <= number < len(made):
            raise ValueError("a reference to no part before it")
        return made[number]

    for part in packed[:-1]:
        made.append(read_part(msgpack.unpackb(part, ext_hook=found)))
    return msgpack.unpackb(packed[-1], ext_hook=found)


@contextmanager
def _writing(numbers: dict[int, int]) -> Iterator[None]:
    """While a value is written whose parts have these numbers, by identity."""
    _here.numbers = numbers
    try:
        yield
    finally:
        del _here.numbers


def _cuts(value: Any) -> Iterator[Any]:
    """The parts of a value, each after those in it: wherever so many levels have come together from below."""
    kinds = frozenset(part_kinds().values())
    levels: dict[int, int] = {}
    waiting = [(value, False)]
    while waiting:
        node, is_known = waiting.pop()
        if id(node) in levels:
            continue
        inside = [part for part in _inside(node) if dataclasses.is_dataclass(part) or isinstance(part, tuple)]
        if not is_known and inside:
            waiting.append((node, True))
            waiting.extend((part, False) for part in reversed(inside))
            continue
        levels[id(node)] = 1 + max((levels[id(part)] for part in inside), default=0)
        if levels[id(node)] >= PART_LEVELS and type(node) in kinds and node is not value:
            levels[id(node)] = 0
            yield node


def _inside(node: Any) -> tuple[Any, ...]:
    """What a dataclass or a tuple holds."""
    kind: Any = type(node)
    return node if isinstance(node, tuple) else tuple([getattr(node, name) for name in _names(kind)])


@cache
def _names(kind: Any) -> tuple[str, ...]:
    return tuple(field.name for field in dataclasses.fields(kind))
