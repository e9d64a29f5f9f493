"""Values of a column as a person reads them, one line each.

Handed a column; hands on one text a row, None for NULL. What always holds: a text holds no line break and no control
character, and a number is written with all its digits.
"""

from __future__ import annotations

import pyarrow as pa

from flightmesh.compute import pc
from flightmesh.expression.listtext import to_text
from flightmesh.expression.types import Family, family

_ESCAPES = {code: repr(chr(code))[1:-1] for code in (*range(32), 127)}


def cell_texts(column: pa.ChunkedArray) -> list[str | None]:
    """One text a row of `column`; NULL is None."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        return cell_texts(column.cast(kind.value_type))
    if _is_text(kind):
        return [None if text is None else text.translate(_ESCAPES) for text in column.to_pylist()]
    if pa.types.is_timestamp(kind):
        return [None if text is None else _trim_fraction(text) for text in _cast_to_text(column)]
    if pa.types.is_time(kind):
        return [None if text is None else _trim_fraction(text) for text in _cast_to_text(column)]
    if pa.types.is_floating(kind):
        return [None if text is None else _mark_float(text) for text in _cast_to_text(column)]
    if pa.types.is_integer(kind):  # as Arrow writes them, whose functions are slow to load
        return [None if value is None else str(value) for value in column.to_pylist()]
    if pa.types.is_decimal(kind) or pa.types.is_date(kind) or pa.types.is_boolean(kind):
        return _cast_to_text(column)
    if family(kind) is Family.LIST:
        return [None if text is None else text.translate(_ESCAPES) for part in column.chunks for text in _list_texts(part)]
    return [_fallback(value) for value in column.to_pylist()]


def _list_texts(part: pa.Array) -> list[str | None]:
    texts: list[str | None] = to_text(part).to_pylist()
    return texts


def type_text(kind: pa.DataType) -> str:
    """The type as a table's header shows it."""
    if pa.types.is_decimal(kind):
        return f"decimal({kind.precision},{kind.scale})"
    if pa.types.is_date(kind):
        return "date"
    if pa.types.is_dictionary(kind):
        return type_text(kind.value_type)
    if pa.types.is_timestamp(kind):
        return "timestamp" if kind.tz is None else f"timestamp {kind.tz}"
    if pa.types.is_time(kind):
        return "time"
    if family(kind) is Family.LIST:
        return f"{type_text(kind.value_type)}[]"
    return str(kind)


def is_numeric(kind: pa.DataType) -> bool:
    """Whether a column of this type is aligned to the right."""
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))


def is_cuttable(kind: pa.DataType) -> bool:
    """Whether the beginning of a value still says something."""
    return not (is_numeric(kind) or pa.types.is_temporal(kind) or pa.types.is_boolean(kind))


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _cast_to_text(column: pa.ChunkedArray) -> list[str | None]:
    texts: list[str | None] = pc.cast(column, pa.string()).to_pylist()
    return texts


def _trim_fraction(text: str) -> str:
    """`2013-01-01 05:00:00.500000` ends after the 5; whole seconds show no fraction."""
    zone = "Z" if text.endswith("Z") else ""
    text = text.removesuffix("Z")
    return (text.rstrip("0").removesuffix(".") if "." in text else text) + zone


def _mark_float(text: str) -> str:
    """A whole float shows that it is one: `12.0`, not `12`."""
    return text + ".0" if text.lstrip("-").isdigit() else text


def _fallback(value: object) -> str | None:
    if value is None:
        return None
    if isinstance(value, bytes):
        return "\\x" + value.hex()
    return str(value).translate(_ESCAPES)
