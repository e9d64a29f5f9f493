"""Cutting and counting moments by calendar units, on microseconds since 1970.

Handed numpy arrays of int64 microseconds and a unit's name; hands on arrays of the same length. What always holds: nothing here
knows of NULL; values under NULL slots give some value and no error.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from flightmesh.errors import DataError
from flightmesh.expression.dateparts import part_name
from flightmesh.expression.intervals import MICROS_PER_DAY, add_months

Micros = npt.NDArray[np.int64]

_FIXED = {
    "microsecond": 1,
    "millisecond": 1_000,
    "second": 1_000_000,
    "minute": 60_000_000,
    "hour": 3_600_000_000,
    "day": MICROS_PER_DAY,
}
_MONTHS = {"month": 1, "quarter": 3, "year": 12, "decade": 120, "century": 1200, "millennium": 12000}
_SAME = {"dayofweek": "day", "isodow": "day", "dayofyear": "day", "julian": "day", "epoch": "second", "yearweek": "week"}


UNITS = (*_FIXED, "week", *_MONTHS, "isoyear")
"""The units by their names; `unit` knows more words for them."""


def unit(text: str) -> str:
    """The unit that a part's word means for cutting and counting. DataError for an unknown one."""
    name = part_name(text)
    found = None if name is None else _SAME.get(name, name)
    if found is None or not (found in _FIXED or found in _MONTHS or found in ("week", "isoyear")):
        raise DataError(f"{text!r} is no unit of time")
    return found


def _months_of(micros: Micros) -> Micros:
    """Months since January 1970."""
    return (micros // MICROS_PER_DAY).astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)


def _month_start(months: Micros) -> Micros:
    return months.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64) * MICROS_PER_DAY


def _towards_zero(values: Any, divisor: int) -> Any:
    return np.abs(values) // divisor * np.sign(values)


def _mondays(micros: Micros) -> Micros:
    """Days since 1970 of the Monday of each week."""
    days = micros // MICROS_PER_DAY
    return (days + 3) // 7 * 7 - 3


def _iso_years(micros: Micros) -> Micros:
    thursdays = _mondays(micros) + 3
    return thursdays.astype("datetime64[D]").astype("datetime64[Y]").astype(np.int64) + 1970


def _iso_year_start(years: Micros) -> Micros:
    fourth = (years - 1970).astype("datetime64[Y]").astype("datetime64[D]").astype(np.int64) + 3
    return _mondays(fourth * MICROS_PER_DAY) * MICROS_PER_DAY


def truncated(unit: str, micros: Micros) -> Micros:
    """The start of the unit that each moment lies in."""
    if unit in _FIXED:
        return micros // _FIXED[unit] * _FIXED[unit]
    if unit == "week":
        return _mondays(micros) * MICROS_PER_DAY
    if unit == "isoyear":
        return _iso_year_start(_iso_years(micros))
    months = _months_of(micros)
    span = _MONTHS[unit]
    if span <= 12:
        return _month_start(months // span * span)
    years = months // 12 + 1970
    return _month_start((_towards_zero(years, span // 12) * (span // 12) - 1970) * 12)


def truncated_interval(unit: str, months: Any, days: Any, micros: Any) -> tuple[Any, Any, Any]:
    """Intervals without what is finer than the unit."""
    if unit in _MONTHS:
        return _towards_zero(months, _MONTHS[unit]) * _MONTHS[unit], days * 0, micros * 0
    if unit == "isoyear":
        return _towards_zero(months, 12) * 12, days * 0, micros * 0
    if unit == "week":
        return months, _towards_zero(days, 7) * 7, micros * 0
    if unit == "day":
        return months, days, micros * 0
    return months, days, _towards_zero(micros, _FIXED[unit]) * _FIXED[unit]


def boundaries(unit: str, start: Micros, end: Micros) -> Micros:
    """How many starts of the unit lie between, with sign; weeks are seven days from wherever they start, as DuckDB counts
    them.
    """
    if unit == "week":
        return np.asarray(_towards_zero(end // MICROS_PER_DAY - start // MICROS_PER_DAY, 7), np.int64)
    return _ordinal(unit, end) - _ordinal(unit, start)


def _ordinal(unit: str, micros: Micros) -> Micros:
    if unit in _FIXED:
        return micros // _FIXED[unit]
    if unit == "isoyear":
        return _iso_years(micros)
    months = _months_of(micros)
    span = _MONTHS[unit]
    if span <= 3:
        return months // span
    return np.asarray(_towards_zero(months // 12 + 1970, span // 12), np.int64)


def whole_units(unit: str, start: Micros, end: Micros) -> Micros:
    """How many whole units fit between, with sign."""
    if unit in _FIXED or unit == "week":
        return np.asarray(_towards_zero(end - start, _FIXED.get(unit, 7 * MICROS_PER_DAY)), np.int64)
    backwards = start > end
    first, last = np.where(backwards, end, start), np.where(backwards, start, end)
    count = _months_of(last) - _months_of(first)
    count = count - (add_months(first, count) > last)
    if unit == "isoyear":
        unit = "year"
    whole = count // _MONTHS[unit]
    return np.where(backwards, -whole, whole)


def age(start: Micros, end: Micros) -> tuple[Any, Any, Any]:
    """The months, days and microseconds from `start` to `end`, counted field by field with borrowing."""
    backwards = start > end
    first, last = np.where(backwards, end, start), np.where(backwards, start, end)
    first_month, last_month = _months_of(first), _months_of(last)
    first_day = first // MICROS_PER_DAY - _month_start(first_month) // MICROS_PER_DAY
    last_day = last // MICROS_PER_DAY - _month_start(last_month) // MICROS_PER_DAY
    micros = last % MICROS_PER_DAY - first % MICROS_PER_DAY
    days = last_day - first_day
    months = last_month - first_month
    borrow_day = micros < 0
    micros = np.where(borrow_day, micros + MICROS_PER_DAY, micros)
    days = days - borrow_day
    borrow_month = days < 0
    length = (_month_start(first_month + 1) - _month_start(first_month)) // MICROS_PER_DAY
    days = np.where(borrow_month, days + length, days)
    months = months - borrow_month
    sign = np.where(backwards, -1, 1)
    return months * sign, days * sign, micros * sign


_MONTH_ORIGIN = 30 * 12
"""Month buckets start from January 2000."""
_DAY_ORIGIN = 10_959 * MICROS_PER_DAY
"""Day buckets start from Monday, 3 January 2000."""


def bucketed(micros: Micros, width: tuple[int, int, int], origin: int | None, shift: tuple[int, int, int]) -> Micros:
    """The start of the bucket of `width` (months, days, microseconds); buckets are moved by `shift` or start at `origin`."""
    months, days, rest = width
    moved = add_months(micros, -shift[0]) if shift[0] else micros
    moved = moved - shift[1] * MICROS_PER_DAY - shift[2]
    if months and (days or rest):
        raise DataError("a bucket's width is months, or days and time, not both")
    if months < 0 or (not months and days * MICROS_PER_DAY + rest <= 0):
        raise DataError("a bucket's width must be positive")
    if months:
        start = _MONTH_ORIGIN if origin is None else int(_months_of(np.array([origin]))[0])
        result = _month_start((_months_of(moved) - start) // months * months + start)
    else:
        span = days * MICROS_PER_DAY + rest
        first = _DAY_ORIGIN if origin is None else origin
        result = (moved - first) // span * span + first
    result = result + shift[1] * MICROS_PER_DAY + shift[2]
    return add_months(result, shift[0]) if shift[0] else result
