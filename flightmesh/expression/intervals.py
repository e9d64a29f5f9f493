"""Intervals: months, days and microseconds, added to dates and times as DuckDB adds them.

Handed arrays of month_day_nano_interval (nanos are whole microseconds); hands on arrays. What always holds: months are added
first and the day is cut to the month's length, then days, then microseconds.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from flightmesh.errors import DataError
from flightmesh.expression.arrays import (
    INTERVAL_LAYOUT,
    broadcast,
    from_values,
    interval_values,
    null_of,
    numeric_values,
    validity_buffer,
)
from flightmesh.expression.functions.declare import Datum
from flightmesh.expression.types import INTERVAL, TIMESTAMP

MICROS_PER_DAY = 86_400_000_000
_LIMIT = np.iinfo(np.int64).max

_UNITS: dict[str, tuple[int, int, int]] = {
    "microsecond": (0, 0, 1),
    "millisecond": (0, 0, 1_000),
    "second": (0, 0, 1_000_000),
    "minute": (0, 0, 60_000_000),
    "hour": (0, 0, 3_600_000_000),
    "day": (0, 1, 0),
    "week": (0, 7, 0),
    "month": (1, 0, 0),
    "quarter": (3, 0, 0),
    "year": (12, 0, 0),
    "decade": (120, 0, 0),
    "century": (1200, 0, 0),
    "millennium": (12000, 0, 0),
}
"""(months, days, microseconds) of one of each unit."""

_ALIASES = {
    "us": "microsecond", "usec": "microsecond", "usecs": "microsecond", "ms": "millisecond", "msec": "millisecond",
    "msecs": "millisecond",
    "s": "second", "sec": "second", "secs": "second", "m": "minute", "min": "minute", "mins": "minute", "h": "hour",
    "hr": "hour",
    "hrs": "hour", "d": "day", "w": "week", "mon": "month", "mons": "month", "y": "year", "yr": "year", "yrs": "year",
    "dec": "decade", "decs": "decade", "c": "century", "cent": "century", "centuries": "century", "mil": "millennium",
    "mils": "millennium", "millennia": "millennium",
}  # fmt: skip


def unit_name(text: str) -> str | None:
    """The unit that a word names, singular, or None."""
    word = text.strip().lower()
    for candidate in (word, word.removesuffix("s")):
        found = _ALIASES.get(candidate, candidate)
        if found in _UNITS:
            return found
    return None


def _fractional(amount: int | float, name: str) -> tuple[int, int, int]:
    months, days, micros = _UNITS[name]
    if isinstance(amount, int) or float(amount).is_integer():
        whole = int(amount)
        return months * whole, days * whole, micros * whole
    if micros:
        return 0, 0, round(amount * micros)
    if days:
        whole_days = int(amount * days)
        return 0, whole_days, round((amount * days - whole_days) * MICROS_PER_DAY)
    whole_months = int(amount * months)
    rest_days = (amount * months - whole_months) * 30
    return whole_months, int(rest_days), round((rest_days - int(rest_days)) * MICROS_PER_DAY)


def interval_scalar(months: int, days: int, micros: int) -> pa.Scalar:
    """An interval scalar."""
    return pa.scalar(pa.MonthDayNano((months, days, micros * 1000)), INTERVAL)


_PART = re.compile(r"\s*([+-]?\d+(?:\.\d+)?)\s*([A-Za-z]+)")
_CLOCK = re.compile(r"\s*([+-]?)(\d{1,2}):(\d{2})(?::(\d{2})(?:\.(\d{1,6}))?)?\s*$")


def read_interval(text: str) -> pa.MonthDayNano:
    """Reads `1 year 2 days`, `3 hours`, `1 day 04:05:06`; ValueError otherwise."""
    months = days = micros = 0
    rest = text.removesuffix(" ago")
    position = 0
    while match := _PART.match(rest, position):
        name = unit_name(match[2])
        if name is None:
            raise ValueError(text)
        amount = float(match[1]) if "." in match[1] else int(match[1])
        part = _fractional(amount, name)
        months, days, micros = months + part[0], days + part[1], micros + part[2]
        position = match.end()
    clock = _CLOCK.match(rest, position)
    if clock is not None:
        seconds = (int(clock[2]) * 60 + int(clock[3])) * 60 + int(clock[4] or 0)
        fraction = int((clock[5] or "0").ljust(6, "0"))
        micros += (seconds * 1_000_000 + fraction) * (-1 if clock[1] == "-" else 1)
    elif position == 0 or rest[position:].strip():
        raise ValueError(text)
    sign = -1 if text.endswith(" ago") else 1
    return pa.MonthDayNano((sign * months, sign * days, sign * micros * 1000))


def to_text(array: pa.Array) -> pa.Array:
    """Intervals as DuckDB prints them: `1 year 2 months 3 days 04:05:06.5`."""
    return pa.array([None if v is None else _written(v) for v in array.to_pylist()], pa.string())


def _written(value: Any) -> str:
    months, days, micros = value.months, value.days, value.nanoseconds // 1000
    parts = []
    years, months = int(months / 12), int(np.fmod(months, 12))
    for amount, word in ((years, "year"), (months, "month"), (days, "day")):
        if amount:
            parts.append(f"{amount} {word}{'' if abs(amount) == 1 else 's'}")
    if micros or not parts:
        whole, fraction = divmod(abs(micros), 1_000_000)
        clock = f"{whole // 3600:02}:{whole // 60 % 60:02}:{whole % 60:02}"
        if fraction:
            clock += f".{fraction:06}".rstrip("0")
        parts.append(("-" if micros < 0 else "") + clock)
    return " ".join(parts)


def add_months(micros: npt.NDArray[np.int64], months: Any) -> npt.NDArray[np.int64]:
    """Timestamps in microseconds moved by months, the day cut to the month's length."""
    days = micros // MICROS_PER_DAY
    month = days.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)
    first = month.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
    target = month + months
    start = target.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
    length = (target + 1).astype("datetime64[M]").astype("datetime64[D]").astype(np.int64) - start
    moved = start + np.minimum(days - first, length - 1)
    check_span(moved.astype(np.float64) * MICROS_PER_DAY)
    result: npt.NDArray[np.int64] = moved * MICROS_PER_DAY + (micros - days * MICROS_PER_DAY)
    return result


def check_span(micros: Any) -> None:
    """DataError where a moment or span, computed in floats, does not fit 64 bits of microseconds."""
    if np.any(np.abs(micros) > 9.2e18):
        raise DataError("timestamp out of range")


def parts_of(datum: Datum) -> tuple[Any, Any, Any]:
    """(months, days, microseconds) of an interval array as numpy arrays, or of a valid scalar as ints."""
    if isinstance(datum, pa.Scalar):
        value = datum.as_py()
        return value.months, value.days, value.nanoseconds // 1000
    parts = interval_values(datum)
    return parts["months"].astype(np.int64), parts["days"].astype(np.int64), parts["nanos"] // 1000


def shift_timestamp(moment: Datum, interval: Datum, sign: int, type: pa.DataType = TIMESTAMP) -> Datum:
    """timestamp + sign * interval."""
    scalars = [d for d in (moment, interval) if isinstance(d, pa.Scalar)]
    if any(not d.is_valid for d in scalars):
        return null_of(type)
    if len(scalars) == 2:
        return shift_timestamp(pa.array([moment], moment.type), interval, sign, type)[0]
    rows = len(interval) if isinstance(moment, pa.Scalar) else len(moment)
    held = broadcast(moment, rows)
    micros = numeric_values(held)
    months, days, rest = parts_of(interval)
    if np.any(months):
        micros = add_months(micros, sign * months)
    check_span(micros + (np.multiply(days, float(MICROS_PER_DAY)) + rest) * sign)
    shifted = micros + sign * (days * MICROS_PER_DAY + rest)
    return from_values(shifted, type, validity_buffer(held, interval))


def from_parts(parts: Sequence[Any], rows: int, validity: pa.Buffer | None) -> pa.Array:
    """An interval array from its months, days and microseconds."""
    months, days, micros = parts
    if np.any(np.abs(np.asarray(months)) > np.iinfo(np.int32).max) or np.any(np.abs(np.asarray(days)) > np.iinfo(np.int32).max):
        raise DataError("overflow in an interval")
    if np.any(np.abs(np.asarray(micros)) > _LIMIT // 1000):
        raise DataError("overflow in an interval: more than 292 years of time")
    out = np.zeros(rows, INTERVAL_LAYOUT)
    out["months"], out["days"] = months, days
    out["nanos"] = np.asarray(micros) * 1000
    return pa.Array.from_buffers(INTERVAL, rows, [validity, pa.py_buffer(out)])


def sortable(datum: Datum) -> Datum:
    """Intervals as numbers that compare as intervals do: months (30 days each), then the days left, then the time left."""
    type = pa.decimal128(38, 0)
    if isinstance(datum, pa.Scalar):
        return null_of(type) if not datum.is_valid else sortable(pa.array([datum], datum.type))[0]
    months, days, micros = parts_of(datum)
    day_months, time_months = _towards_zero(days, 30), _towards_zero(micros, 30 * MICROS_PER_DAY)
    days, micros = days - day_months * 30, micros - time_months * 30 * MICROS_PER_DAY
    time_days = _towards_zero(micros, MICROS_PER_DAY)
    words = np.empty((len(datum), 2), np.int64)
    words[:, 1] = months + day_months + time_months
    words[:, 0] = ((days + time_days + 64) << 38) + (micros - time_days * MICROS_PER_DAY) + (1 << 37)
    return pa.Array.from_buffers(type, len(datum), [validity_buffer(datum), pa.py_buffer(words)])


def _towards_zero(values: Any, divisor: int) -> Any:
    return np.abs(values) // divisor * np.sign(values)
