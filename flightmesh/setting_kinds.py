"""Kinds of settings: how each is written, and what of it is checked.

Handed a value as YAML or a flag gives it, or the text of an environment variable; hands on the value as the configuration
holds it. What always holds: what does not fit raises `Unfit`, which says what is expected, and the nearest word where there is
one.
"""

from __future__ import annotations

import difflib
import enum
import math
import re
from collections.abc import Callable
from dataclasses import field
from pathlib import Path
from typing import Any

from flightmesh.dataclass import dataclass

PREFIX = "FLIGHTMESH_"
"""Begins the name of each environment variable of ours."""

_UNITS = {"": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12}
_UNITS |= {
    "k": 1 << 10,
    "m": 1 << 20,
    "g": 1 << 30,
    "t": 1 << 40,
    "kib": 1 << 10,
    "mib": 1 << 20,
    "gib": 1 << 30,
    "tib": 1 << 40,
}
_YES, _NO = ("true", "yes", "on", "1"), ("false", "no", "off", "0")
_PORT = r"[0-9]{1,5}"
_BARE_V6 = r"[0-9A-Fa-f]*:[0-9A-Fa-f]*:[0-9A-Fa-f:.]*"
_HOST = r"(?:\[[0-9A-Fa-f:.%\w-]+\]|[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?)"


class Unfit(ValueError):
    """A value is not of its kind."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


class Role(enum.StrEnum):
    """Who reads a configuration: a node, a session in one's own process, or a command at the driver of a mesh."""

    DRIVER = "driver"
    WORKER = "worker"
    EMBEDDED = "embedded"
    CLIENT = "client"


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind. `check` takes what YAML or a flag gives; `read` makes such a value of an environment variable's text;
    `schema` describes what may be written in a file, as JSON Schema does."""

    noun: str
    check: Callable[[Any], Any]
    read: Callable[[str], Any] = str.strip
    schema: dict[str, Any] = field(default_factory=lambda: {"type": "string"})


@dataclass(frozen=True, slots=True)
class Setting:
    """What a setting is beside its type: its kind, whom it concerns (and the flag that sets it there, if there is one), and
    a short variable beside the one named for its place."""

    kind: Kind
    flags: dict[Role, str | None]
    variable: str | None = None


def on(*roles: Role, flag: str | None = None) -> dict[Role, str | None]:
    """The roles that a setting concerns, each with this flag."""
    return dict.fromkeys(roles, flag)


def nearest(word: str, known: list[str]) -> str | None:
    """The one of `known` that somebody who wrote `word` most likely meant."""
    near = difflib.get_close_matches(word.lower(), [each.lower() for each in known], n=1)
    return next(each for each in known if each.lower() == near[0]) if near else None


def parse_size(text: str | int) -> int:
    """Bytes of `4GiB`, `500MB`, `2g` or a plain number; ValueError for anything else, and for nothing at all."""
    if isinstance(text, int):
        return text
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([a-zA-Z]*)\s*", text)
    unit = _UNITS.get(found[2].lower()) if found else None
    if found is None or unit is None:
        raise ValueError(f"not a size: {text!r} (write for example 4GiB, 500MB or a number of bytes)")
    return int(float(found[1]) * unit) if "." in found[1] else int(found[1]) * unit


def size(least: int) -> Kind:
    """Bytes."""

    def check(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int | str):
            raise Unfit(f"a size is expected, such as 4GiB or a number of bytes, not {value!r}")
        try:
            bytes_ = parse_size(value)
        except ValueError as failure:
            raise Unfit(str(failure)) from None
        if bytes_ < least:
            raise Unfit(f"at least {least} byte is expected, not {value!r}")
        return bytes_

    pattern = r"^\s*\d+(\.\d+)?\s*([kKmMgGtT]([iI]?[bB])?|[bB])?\s*$"
    schema = {"anyOf": [{"type": "integer", "minimum": least}, {"type": "string", "pattern": pattern}]}
    return Kind("a size, such as 4GiB", check, schema=schema)


def whole(least: int, most: int | None = None) -> Kind:
    """A whole number."""
    bound = f" of at least {least}" if most is None else f" from {least} to {most}"

    def check(value: Any) -> int:
        fits = isinstance(value, int) and not isinstance(value, bool) and value >= least and (most is None or value <= most)
        if not fits:
            raise Unfit(f"a whole number{bound} is expected, not {value!r}")
        return int(value)

    def read(text: str) -> Any:
        return int(text) if re.fullmatch(r"\s*[+-]?[0-9]+\s*", text) else text

    schema = {"type": "integer", "minimum": least} | ({} if most is None else {"maximum": most})
    return Kind(f"a whole number{bound}", check, read, schema)


def positive(noun: str) -> Kind:
    """A number above 0, such as of seconds."""

    def check(value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
            raise Unfit(f"a number of {noun} above 0 is expected, not {value!r}")
        return float(value)

    def read(text: str) -> Any:
        try:
            return float(text)
        except ValueError:
            return text

    return Kind(f"a number of {noun} above 0", check, read, {"type": "number", "exclusiveMinimum": 0})


def word(*known: str) -> Kind:
    """One of a few words."""
    listed = " or ".join(known)

    def check(value: Any) -> str:
        if value not in known:
            near = nearest(value, list(known)) if isinstance(value, str) else None
            raise Unfit(f"{listed} is expected, not {value!r}", near and f"did you mean {near!r}?")
        return str(value)

    return Kind(listed, check, schema={"enum": list(known)})


def text(noun: str, pattern: str, example: str) -> Kind:
    """A text of a certain form."""

    def check(value: Any) -> str:
        if not isinstance(value, str) or not re.fullmatch(pattern, value):
            raise Unfit(f"{noun} is expected, such as {example}, not {value!r}")
        return value

    return Kind(f"{noun}, such as {example}", check, schema={"type": "string", "pattern": f"^(?:{pattern})$"})


def listed(item: Kind) -> Kind:
    """A list; in an environment variable its items are separated by commas."""

    def check(value: Any) -> tuple[Any, ...]:
        if not isinstance(value, list | tuple):
            raise Unfit(f"a list is expected, as in [{item.noun.rpartition(' ')[2]}], not {value!r}")
        return tuple(item.check(each) for each in value)

    def read(text: str) -> Any:
        return [item.read(each) for each in text.split(",") if each.strip()]

    noun = f"a list, each {item.noun}"
    return Kind(noun, check, read, {"type": "array", "items": item.schema})


def _check_switch(value: Any) -> bool:
    if not isinstance(value, bool):
        raise Unfit(f"true or false is expected, not {value!r}")
    return value


def _read_switch(text: str) -> Any:
    said = text.strip().lower()
    return True if said in _YES else False if said in _NO else text


def _from_home(kind: Kind, split: str = "") -> Kind:
    """The kind, with `~` at the beginning of the path (behind the sign `split`) standing for the user's home."""

    def check(value: Any) -> str:
        name, sign, path = str(kind.check(value)).partition(split) if split else ("", "", kind.check(value))
        return f"{name}{sign}{_expanded(path)}"

    return Kind(kind.noun, check, kind.read, kind.schema)


def _expanded(path: str) -> str:
    try:
        return str(Path(path).expanduser()) if path.startswith("~") else path
    except RuntimeError as failure:
        raise Unfit(f"{path!r} leads to no home: {failure}") from None


SIZE = size(1)
SIZE_OR_NOTHING = size(0)
COUNT = whole(1)
PORT = whole(0, 65535)
SECONDS = positive("seconds")
HOURS = positive("hours")
SWITCH = Kind("true or false", _check_switch, _read_switch, {"type": "boolean"})
TEXT = text("a text", r"[\s\S]*\S[\s\S]*", "duckdb")
PATH = _from_home(text("a path", r"[^\0]*[^\s\0][^\0]*", "/var/lib/flightmesh"))
TOKEN_FILE = _from_home(text("a path", r"(?!\s*fm\d+\.)[^\0]*[^\s\0][^\0]*", "/var/lib/flightmesh/token"))
"""The file that holds a token, not the token itself: a path is shown wherever settings are."""
NODE_NAME = text("a name of letters, digits, - _ and .", r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}", "rack-3")
MESH_NAME = text("a name of small letters, digits and -", r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?", "flightmesh")
HOST = text("a host", rf"{_HOST}|{_BARE_V6}", "192.168.1.7")
HOST_MAYBE_PORT = text("a host, or HOST:PORT", rf"{_HOST}(?::{_PORT})?|{_BARE_V6}", "192.168.1.7")
ADDRESS = text("HOST:PORT", rf"(?:grpc(?:\+tls)?://)?{_HOST}:{_PORT}|mesh://[a-z0-9-]*", "192.168.1.7:8815")
INTERFACE = text("an interface or an address", r"[A-Za-z0-9.:@%_-]+", "eth0")
SERVED = _from_home(text("NAME=PATH", r"[A-Za-z_][A-Za-z0-9_]{0,127}=[^\0]*[^\s\0][^\0]*", "orders=/data/orders"), split="=")
