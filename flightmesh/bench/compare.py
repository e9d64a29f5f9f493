"""Compares an answer with DuckDB's.

Handed two Arrow tables; passes, or raises Different with the first differences. What always holds: names and kinds of types are
compared, decimals to the digit and with their scale, floats to 1e-9 relative, NaN equals NaN and -0.0 equals 0.0; rows in
order or as a bag.
"""

from __future__ import annotations

import datetime
import math
from collections import defaultdict
from collections.abc import Iterable
from typing import Any, TypeAlias

import pyarrow as pa

Row: TypeAlias = tuple[Any, ...]
_TOLERANCE = 1e-9
_PAIRED_AT_MOST = 400


class Different(AssertionError):
    """An answer is not what it should be; the message says where."""


def assert_same_columns(got: pa.Table, expected: pa.Table) -> None:
    """Raises Different unless both have the same columns, of comparable types."""
    if got.column_names != expected.column_names:
        raise Different(f"columns {got.column_names}, expected {expected.column_names}")
    for mine, theirs, values in zip(got.schema, expected.schema, expected.columns, strict=True):
        if pa.types.is_int32(theirs.type) and values.null_count == len(values):
            continue  # DuckDB gives INTEGER to whatever it finds to be NULL while it plans
        if _kind(mine.type) != _kind(theirs.type):
            raise Different(f"column {mine.name!r} is {mine.type}, expected {theirs.type}")


def _kind(type_: pa.DataType) -> str:
    """What makes types comparable: 64-bit counts and DuckDB's 128-bit ones are whole numbers alike, text is text."""
    kind = pa.types
    if kind.is_integer(type_) or (kind.is_decimal(type_) and type_.scale == 0):
        return "whole"
    if kind.is_decimal(type_):
        return f"decimal of scale {type_.scale}"
    if kind.is_floating(type_):
        return "float"
    if kind.is_string(type_) or kind.is_large_string(type_) or kind.is_string_view(type_):
        return "text"
    if kind.is_binary(type_) or kind.is_large_binary(type_) or kind.is_binary_view(type_):
        return "binary"
    if kind.is_timestamp(type_):
        return "timestamp with time zone" if type_.tz else "timestamp"
    if kind.is_list(type_) or kind.is_large_list(type_):
        return f"list of {_kind(type_.value_type)}"
    return "whole" if kind.is_null(type_) else str(type_)


def rows_of(table: pa.Table) -> list[Row]:
    """The rows as tuples."""
    columns = [_values(column) for column in table.columns]
    return list(zip(*columns, strict=True)) if columns else [()] * table.num_rows


def _values(column: pa.ChunkedArray) -> list[Any]:
    if pa.types.is_timestamp(column.type):
        # Microseconds since 1970: Python's datetime has neither all of DuckDB's years nor its own idea of zones.
        return [
            None if v is None else ("timestamp", v)
            for v in column.cast(pa.timestamp("us", column.type.tz)).cast(pa.int64()).to_pylist()
        ]
    if pa.types.is_list(column.type) or pa.types.is_large_list(column.type):
        return [_frozen(value) for value in column.to_pylist()]
    values: list[Any] = column.to_pylist()
    return values


def _frozen(value: Any) -> Any:
    """A list as something that can be a key of a dict; its floats to 12 digits, its numbers alike whatever their type."""
    if isinstance(value, list):
        return tuple(_frozen(part) for part in value)
    if isinstance(value, float):
        return "nan" if math.isnan(value) else float(f"{value:.12g}") + 0.0
    if isinstance(value, datetime.datetime):
        return value.replace(tzinfo=None)
    return value


def unpaired(mine: list[Row], theirs: list[Row]) -> tuple[list[Row], list[Row]]:
    """What is left of both when equal rows have been paired off, whatever their order."""
    left, right = _by_exact_part(mine), _by_exact_part(theirs)
    extra: list[Row] = []
    missing: list[Row] = []
    for key in {**left, **right}:
        more, less = _unpaired_by_floats(left.get(key, []), right.get(key, []))
        extra += more
        missing += less
    return extra, missing


def _by_exact_part(rows: Iterable[Row]) -> dict[Row, list[Row]]:
    """Rows by their values that are not floats: only within such a group can floats make rows equal or not."""
    groups: dict[Row, list[Row]] = defaultdict(list)
    for row in rows:
        groups[tuple("float" if isinstance(value, float) else value for value in row)].append(row)
    return groups


def _unpaired_by_floats(mine: list[Row], theirs: list[Row]) -> tuple[list[Row], list[Row]]:
    """The same for rows whose other values are equal."""
    mine, theirs = sorted(mine, key=_float_order), sorted(theirs, key=_float_order)
    if len(mine) == len(theirs) and all(is_same_row(a, b) for a, b in zip(mine, theirs, strict=True)):
        return [], []
    if len(mine) * len(theirs) > _PAIRED_AT_MOST**2:
        return mine[:5], theirs[:5]
    left = list(theirs)
    extra = []
    for row in mine:
        match = next((number for number, other in enumerate(left) if is_same_row(row, other)), None)
        if match is None:
            extra.append(row)
        else:
            left.pop(match)
    return extra, left


def _float_order(row: Row) -> tuple[tuple[bool, float], ...]:
    return tuple((math.isnan(v), 0.0 if math.isnan(v) else v) for v in row if isinstance(v, float))


def is_same_row(left: Row, right: Row) -> bool:
    """Whether two rows are equal, floats to 1e-9."""
    return all(is_same_value(a, b) for a, b in zip(left, right, strict=True))


def is_same_value(left: Any, right: Any) -> bool:
    """Whether two values are equal, floats to 1e-9."""
    if isinstance(left, float) and isinstance(right, float):
        return (math.isnan(left) and math.isnan(right)) or math.isclose(left, right, rel_tol=_TOLERANCE, abs_tol=1e-300)
    return bool(left == right)
