"""The tables of docs/flight.md: fields, types and defaults come from the dataclasses, golden bytes from the examples; what a
field means is the document's own and is kept.

Handed the document's text; hands on the text as it should be.
"""

from __future__ import annotations

import dataclasses
import enum
import re
import types
from pathlib import Path
from typing import Any, Union, get_args, get_origin, get_type_hints

import pyarrow as pa

from flightmesh.protocol.codec import encode
from tests.protocol.examples import EXAMPLES, Example

DOCUMENT = Path(__file__).parents[2] / "docs" / "flight.md"
UNKNOWN = "TODO"
_BLOCK = re.compile(r"<!-- map (\w+) -->\n(.*?)<!-- end -->", re.DOTALL)
_ROW = re.compile(r"^\| `(\w+)` \| .* \| (.*) \|$", re.MULTILINE)
_BYTES = re.compile(r"^    ([0-9a-f]+)$", re.MULTILINE)
_WIDTH = 120


def renewed(text: str) -> str:
    """The document with every block written anew."""
    by_name = {example.name: example for example in EXAMPLES}
    return _BLOCK.sub(lambda found: block(by_name[found[1]], dict(_ROW.findall(found[2]))), text)


def golden_bytes(text: str) -> dict[str, bytes]:
    """The bytes that the document shows for each map."""
    return {name: bytes.fromhex("".join(_BYTES.findall(body))) for name, body in _BLOCK.findall(text)}


def meanings(text: str) -> list[str]:
    """What the document says of every field."""
    return [meaning for _, body in _BLOCK.findall(text) for _, meaning in _ROW.findall(body)]


def block(example: Example, known: dict[str, str]) -> str:
    """One map: its fields, and the bytes of its example."""
    kind = type(example.value)
    hints = get_type_hints(kind)
    rows = [
        f"| `{field.name}` | {wire_type(hints[field.name])} | {_default(field)} | {known.get(field.name, UNKNOWN)} |"
        for field in dataclasses.fields(kind)
    ]
    table = ["| field | type | default | meaning |", "|---|---|---|---|", *rows, ""] if rows else ["An empty map.", ""]
    data = encode(example.value, example.union).hex()
    lines = [f"    {data[at : at + _WIDTH]}" for at in range(0, len(data), _WIDTH)]
    return "\n".join([f"<!-- map {example.name} -->", *table, *lines, "<!-- end -->"])


def wire_type(kind: Any) -> str:
    """A field's type in words that are not Python's."""
    if get_origin(kind) in (Union, types.UnionType):
        members = [part for part in get_args(kind) if part is not type(None)]
        words = " or ".join(wire_type(part) for part in members)
        return words + " or nil" if len(members) < len(get_args(kind)) else words
    if get_origin(kind) is tuple:
        parts = get_args(kind)
        if len(parts) == 2 and parts[1] is Ellipsis:
            return f"list of {wire_type(parts[0])}"
        return f"[{', '.join(wire_type(part) for part in parts)}]"
    if kind == dict[str, Any]:
        return "error map"
    return _named(getattr(kind, "__supertype__", kind))


def _named(kind: Any) -> str:
    plain = {int: "int", float: "float", str: "str", bytes: "bin", bool: "bool"}
    if kind in plain:
        return plain[kind]
    if issubclass(kind, enum.Enum):
        return " or ".join(f'`"{member.value}"`' for member in kind)
    if issubclass(kind, (pa.DataType, pa.Schema, pa.RecordBatch, pa.Scalar)):
        return "bin (Arrow IPC)"
    return str(kind.__name__)


def _default(field: dataclasses.Field[Any]) -> str:
    if field.default is dataclasses.MISSING:
        return ""
    value = field.default.value if isinstance(field.default, enum.Enum) else field.default
    if isinstance(value, str):
        return f'`"{value}"`'
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    words: dict[Any, str] = {None: "nil", (): "[]"}
    return f"`{words.get(value, value)}`"
