"""Parts of dates, times, timestamps and intervals as numbers.

Handed an array of one of those types and a part's name; hands on int64 (double for `epoch` and `julian`), as DuckDB's date_part
does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from flightmesh.compute import pc
from flightmesh.expression.arrays import from_values, numeric_values, validity_buffer
from flightmesh.expression.intervals import MICROS_PER_DAY, parts_of
from flightmesh.expression.types import Family, family

Values = npt.NDArray[np.int64]

PART_ALIASES: dict[str, str] = {
    "y": "year", "yr": "year", "yrs": "year", "years": "year", "mon": "month", "mons": "month", "months": "month", "d": "day",
    "days": "day",
    "dayofmonth": "day", "h": "hour", "hr": "hour", "hrs": "hour", "hours": "hour", "m": "minute", "min": "minute",
    "mins": "minute",
    "minutes": "minute", "s": "second", "sec": "second", "secs": "second", "seconds": "second", "ms": "millisecond",
    "msec": "millisecond",
    "msecs": "millisecond", "milliseconds": "millisecond", "us": "microsecond", "usec": "microsecond", "usecs": "microsecond",
    "microseconds": "microsecond", "dec": "decade", "decs": "decade", "decades": "decade", "cent": "century", "c": "century",
    "centuries": "century", "mil": "millennium", "mils": "millennium", "millennia": "millennium", "millenium": "millennium",
    "quarters": "quarter", "w": "week", "weeks": "week", "weekofyear": "week", "dow": "dayofweek", "weekday": "dayofweek",
    "doy": "dayofyear",
}  # fmt: skip
"""Other words for parts in date_part and EXTRACT."""


def _whole_days(values: Values) -> Values:
    return values // MICROS_PER_DAY


def micros_of(array: pa.Array) -> Values:
    """Microseconds since 1970 (date, timestamp) or midnight (time)."""
    values = numeric_values(array)
    return values.astype(np.int64) * MICROS_PER_DAY if family(array.type) is Family.DATE else values


def _calendar(function: Callable[[pa.Array], Any]) -> Callable[[pa.Array], pa.Array]:
    return lambda array: function(_local(array)).cast(pa.int64())


def _local(array: pa.Array) -> pa.Array:
    zoned = pa.types.is_timestamp(array.type) and array.type.tz is not None
    return array.cast(pa.int64()).cast(pa.timestamp("us")) if zoned else array


def _year_based(function: Callable[[Values], Any]) -> Callable[[pa.Array], pa.Array]:
    def part(array: pa.Array) -> pa.Array:
        years = pc.year(_local(array)).cast(pa.int64())
        return from_values(np.asarray(function(numeric_values(years))).astype(np.int64), pa.int64(), validity_buffer(years))

    return part


def _clock(function: Callable[[Values], Any]) -> Callable[[pa.Array], pa.Array]:
    """A part of the time of day, from microseconds since midnight."""

    def part(array: pa.Array) -> pa.Array:
        within = micros_of(array) % MICROS_PER_DAY
        return from_values(np.asarray(function(within)).astype(np.int64), pa.int64(), validity_buffer(array))

    return part


def _epoch(scale: float) -> Callable[[pa.Array], pa.Array]:
    return lambda array: from_values(micros_of(array) / scale, pa.float64(), validity_buffer(array))


def _epoch_whole(numerator: int, denominator: int) -> Callable[[pa.Array], pa.Array]:
    return lambda array: from_values(
        _towards_zero(micros_of(array), denominator) * numerator, pa.int64(), validity_buffer(array)
    )


def _julian(array: pa.Array) -> pa.Array:
    micros = micros_of(array)
    days = _whole_days(micros)
    return from_values(days + 2440588 + (micros - days * MICROS_PER_DAY) / MICROS_PER_DAY, pa.float64(), validity_buffer(array))


def _yearweek(array: pa.Array) -> pa.Array:
    local = _local(array)
    years, weeks = numeric_values(pc.iso_year(local)), numeric_values(pc.iso_week(local))
    return from_values(years * 100 + np.where(years > 0, weeks, -weeks), pa.int64(), validity_buffer(array))


def _century(span: int) -> Callable[[Values], Any]:
    return lambda years: np.where(years > 0, (years - 1) // span + 1, -((-years) // span + 1))


CALENDAR_PARTS: dict[str, Callable[[pa.Array], pa.Array]] = {
    "year": _calendar(pc.year),
    "month": _calendar(pc.month),
    "day": _calendar(pc.day),
    "quarter": _calendar(pc.quarter),
    "week": _calendar(pc.iso_week),
    "isoyear": _calendar(pc.iso_year),
    "dayofweek": _calendar(lambda a: pc.day_of_week(a, count_from_zero=True, week_start=7)),
    "isodow": _calendar(lambda a: pc.day_of_week(a, count_from_zero=False, week_start=1)),
    "dayofyear": _calendar(pc.day_of_year),
    "decade": _year_based(lambda years: np.trunc(years / 10)),
    "century": _year_based(_century(100)),
    "millennium": _year_based(_century(1000)),
    "era": _year_based(lambda years: years > 0),
    "yearweek": _yearweek,
    "julian": _julian,
}
"""Parts that dates and timestamps have."""

CLOCK_PARTS: dict[str, Callable[[pa.Array], pa.Array]] = {
    "hour": _clock(lambda micros: micros // 3_600_000_000),
    "minute": _clock(lambda micros: micros // 60_000_000 % 60),
    "second": _clock(lambda micros: micros // 1_000_000 % 60),
    "millisecond": _clock(lambda micros: micros % 60_000_000 // 1000),
    "microsecond": _clock(lambda micros: micros % 60_000_000),
    "nanosecond": _clock(lambda micros: micros % 60_000_000 * 1000),
    "epoch": _epoch(1e6),
    "epoch_ms": _epoch_whole(1, 1000),
    "epoch_us": _epoch_whole(1, 1),
    "epoch_ns": _epoch_whole(1000, 1),
}
"""Parts that times have too."""

DOUBLE_PARTS = frozenset({"epoch", "julian"})
"""Parts that are doubles."""


def _towards_zero(values: Values, divisor: int) -> Values:
    return np.abs(values) // divisor * np.sign(values)


def _interval_part(function: Callable[[Values, Values, Values], Any]) -> Callable[[pa.Array], pa.Array]:
    def part(array: pa.Array) -> pa.Array:
        values = np.asarray(function(*parts_of(array)))
        kind = pa.float64() if values.dtype == np.float64 else pa.int64()
        return from_values(values if kind == pa.float64() else values.astype(np.int64), kind, validity_buffer(array))

    return part


def _interval_seconds(months: Values, days: Values, micros: Values) -> Any:
    years = _towards_zero(months, 12)
    whole = (years * 31557600 + (months - years * 12) * 2592000 + days * 86400).astype(np.float64)
    return whole + micros / 1e6


def _interval_micros(months: Values, days: Values, micros: Values) -> Values:
    return (months * 30 + days) * MICROS_PER_DAY + micros


INTERVAL_PARTS: dict[str, Callable[[pa.Array], pa.Array]] = {
    "year": _interval_part(lambda m, d, u: _towards_zero(m, 12)),
    "month": _interval_part(lambda m, d, u: np.fmod(m, 12)),
    "day": _interval_part(lambda m, d, u: d),
    "quarter": _interval_part(lambda m, d, u: _towards_zero(np.fmod(m, 12), 3) + 1),
    "decade": _interval_part(lambda m, d, u: _towards_zero(m, 120)),
    "century": _interval_part(lambda m, d, u: _towards_zero(m, 1200)),
    "millennium": _interval_part(lambda m, d, u: _towards_zero(m, 12000)),
    "hour": _interval_part(lambda m, d, u: _towards_zero(u, 3_600_000_000)),
    "minute": _interval_part(lambda m, d, u: _towards_zero(np.fmod(u, 3_600_000_000), 60_000_000)),
    "second": _interval_part(lambda m, d, u: _towards_zero(np.fmod(u, 60_000_000), 1_000_000)),
    "millisecond": _interval_part(lambda m, d, u: _towards_zero(np.fmod(u, 60_000_000), 1000)),
    "microsecond": _interval_part(lambda m, d, u: np.fmod(u, 60_000_000)),
    "nanosecond": _interval_part(lambda m, d, u: np.fmod(u, 60_000_000) * 1000),
    "epoch": _interval_part(_interval_seconds),
    "epoch_ms": _interval_part(lambda m, d, u: (m * 30 + d) * 86_400_000 + _towards_zero(u, 1000)),
    "epoch_us": _interval_part(_interval_micros),
    "epoch_ns": _interval_part(lambda m, d, u: _interval_micros(m, d, u) * 1000),
}
"""Parts that intervals have."""


def part_name(text: str) -> str | None:
    """The function's name for a part's word (any case, plural, abbreviation), or None."""
    word = text.strip().lower()
    found = PART_ALIASES.get(word, word)
    return found if found in CALENDAR_PARTS or found in CLOCK_PARTS else None


def take_part(array: pa.Array, name: str) -> pa.Array:
    """The part of each value; `name` must be one that the array's type has."""
    if family(array.type) is Family.INTERVAL:
        return INTERVAL_PARTS[name](array)
    return (CALENDAR_PARTS.get(name) or CLOCK_PARTS[name])(array)
