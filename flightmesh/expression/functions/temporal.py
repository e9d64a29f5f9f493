"""Parts of dates and times as functions: year, month, ..., epoch, and date_part over them.

`EXTRACT(part FROM x)` is `date_part('part', x)`, which with a constant part is bound as the part's own function.
"""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from flightmesh.errors import DataError
from flightmesh.expression.dateparts import CALENDAR_PARTS, CLOCK_PARTS, DOUBLE_PARTS, INTERVAL_PARTS, part_name, take_part
from flightmesh.expression.functions.dates import from_millis
from flightmesh.expression.functions.declare import Failure, ScalarFunction
from flightmesh.expression.functions.entries import entry
from flightmesh.expression.functions.vary import with_constants

_ALIASES = {
    "day": ("dayofmonth",),
    "week": ("weekofyear",),
    "dayofweek": ("weekday", "dow"),
    "dayofyear": ("doy",),
}

_DOCS = {
    "year": "The year.", "month": "The month, 1 to 12.", "day": "The day of the month.", "quarter": "The quarter, 1 to 4.",
    "week": "The ISO week, 1 to 53.", "isoyear": "The year of the ISO week.", "dayofweek": "The day of the week, Sunday is 0.",
    "isodow": "The day of the week, Monday is 1, Sunday 7.", "dayofyear": "The day of the year, from 1.",
    "decade": "The year by 10.",
    "century": "The century.", "millennium": "The millennium.", "era": "1 for years from 1 on, else 0.",
    "yearweek": "ISO year times 100 plus ISO week.", "julian": "The Julian day with its fraction.", "hour": "The hour.",
    "minute": "The minute.", "second": "The second, without fraction.", "millisecond": "Milliseconds of the minute.",
    "microsecond": "Microseconds of the minute.", "nanosecond": "Nanoseconds of the minute.", "epoch": "Seconds since 1970.",
    "epoch_ms": "Milliseconds since 1970.", "epoch_us": "Microseconds since 1970.", "epoch_ns": "Nanoseconds since 1970.",
}  # fmt: skip


def _signatures(name: str) -> tuple[str, ...]:
    result = "double" if name in DOUBLE_PARTS else "long"
    kinds = ["date", "timestamp", "timestamptz"]
    if name in CLOCK_PARTS:
        kinds.append("time")
    if name in INTERVAL_PARTS:
        kinds.append("interval")
    found = tuple(f"{kind} -> {result}" for kind in kinds)
    return (*found, "long -> timestamp") if name == "epoch_ms" else found


def _kernel(name: str) -> Any:
    return with_constants(1, lambda array: from_millis(array) if pa.types.is_int64(array.type) else take_part(array, name))


def _date_part(array: pa.Array, text: str) -> pa.Array:
    name = part_name(text)
    if name is None:
        raise DataError(f"{text} is no part of a date")
    return take_part(array, name)


def _swapped(kernel: Any) -> Any:
    return lambda args, request: kernel((args[1], args[0]), request)


PARTS: tuple[ScalarFunction, ...] = tuple(
    entry("date", name, _DOCS[name], _signatures(name), _kernel(name), aliases=_ALIASES.get(name, ()))
    for name in (*CALENDAR_PARTS, *CLOCK_PARTS)
)

FUNCTIONS: tuple[ScalarFunction, ...] = (
    *PARTS,
    entry("date", "date_part", "The named part of a date, time, timestamp or interval.",
          ("text, timestamp -> long", "text, timestamptz -> long", "text, date -> long", "text, time -> long",
           "text, interval -> long"),
          _swapped(with_constants(1, _date_part)), aliases=("datepart",), failure=Failure.MAY),
)  # fmt: skip
