"""Constants: number, text and interval literals, and Python values, as typed Literals.

What always holds: a number literal gets the type that DuckDB gives it (INTEGER, BIGINT, HUGEINT, past which it is
refused; DECIMAL where there is a point, past 38 digits DOUBLE; DOUBLE where there is an exponent), and a Python value
keeps its own type; neither is ever pasted into text.
"""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa

from flightmesh.errors import InvalidQuery
from flightmesh.expression.nodes import Literal
from flightmesh.expression.types import HUGEINT, INTERVAL, MAX_PRECISION, TIME, TIMESTAMP, TIMESTAMP_TZ, normal_type

NULL = Literal(pa.scalar(None, pa.null()))
TRUE = Literal(pa.scalar(True))
FALSE = Literal(pa.scalar(False))

_INT32, _INT64 = 1 << 31, 1 << 63
_HUGE = 10**MAX_PRECISION

_MONTHS = {"MONTH": 1, "QUARTER": 3, "YEAR": 12, "DECADE": 120, "CENTURY": 1200, "MILLENNIUM": 12000}
_DAYS = {"DAY": 1, "WEEK": 7}
_NANOSECONDS = {
    "HOUR": 3_600_000_000_000,
    "MINUTE": 60_000_000_000,
    "SECOND": 1_000_000_000,
    "MILLISECOND": 1_000_000,
    "MICROSECOND": 1000,
}
INTERVAL_UNITS = (*_MONTHS, *_DAYS, *_NANOSECONDS)
"""Units of INTERVAL literals."""


def number(text: str) -> Literal:
    """The literal that a number token stands for. Raises ValueError for what is no number."""
    if "e" in text or "E" in text:
        return Literal(pa.scalar(float(text), pa.float64()))
    if "." not in text:
        if len(text.lstrip("-0")) > MAX_PRECISION:
            raise _too_many_digits("an integer")
        return integer(int(text))
    value = Decimal(text)
    return decimal(value) or Literal(pa.scalar(float(text), pa.float64()))


def integer(value: int) -> Literal:
    """An integer in the smallest of INTEGER, BIGINT and HUGEINT that holds it. Raises InvalidQuery past those."""
    if -_INT32 <= value < _INT32:
        return Literal(pa.scalar(value, pa.int32()))
    if -_INT64 <= value < _INT64:
        return Literal(pa.scalar(value, pa.int64()))
    if -_HUGE < value < _HUGE:
        return Literal(pa.scalar(Decimal(value), HUGEINT))
    raise _too_many_digits("an integer")


def _too_many_digits(what: str) -> InvalidQuery:
    return InvalidQuery(f"{what} has at most {MAX_PRECISION} digits", hint="for a DOUBLE, write it with an exponent: 1e40")


def decimal(value: Decimal) -> Literal | None:
    """A decimal with exactly its digits; None past 38 of them."""
    _, digits, exponent = value.as_tuple()
    if not isinstance(exponent, int):
        return Literal(pa.scalar(float(value), pa.float64()))
    scale = max(0, -exponent)
    precision = max(len(digits) + max(0, exponent), scale, 1)
    return None if precision > MAX_PRECISION else Literal(pa.scalar(value, pa.decimal128(precision, scale)))


def text(value: str) -> Literal:
    """A text constant."""
    return Literal(pa.scalar(value, pa.string()))


def is_whole_days(unit: str) -> bool:
    """Whether a unit of time is a day or longer."""
    name = unit.upper()
    return any(known in _DAYS or known in _MONTHS for known in (name, name.removesuffix("S")))


def interval(amount: Decimal, unit: str) -> Literal | None:
    """So many units as an INTERVAL; None where a part of a month or day would have to be split, or for an unknown unit."""
    name = unit.upper()
    name = name if name in INTERVAL_UNITS else name.removesuffix("S")
    if name in _NANOSECONDS:
        return _months_days_nanoseconds(0, 0, int(amount * _NANOSECONDS[name]) // 1000 * 1000)
    if amount != int(amount):
        return None
    if name in _MONTHS:
        return _months_days_nanoseconds(int(amount) * _MONTHS[name], 0, 0)
    return _months_days_nanoseconds(0, int(amount) * _DAYS[name], 0) if name in _DAYS else None


def _months_days_nanoseconds(months: int, days: int, nanoseconds: int) -> Literal:
    return Literal(pa.scalar(pa.MonthDayNano([months, days, nanoseconds]), INTERVAL))


def of_python(value: Any) -> Literal | None:
    """A Python value as a literal of its own type; None for a value of no type that a parameter can have.

    Raises InvalidQuery for a number of too many digits.
    """
    match value:
        case None:
            return NULL
        case bool():
            return TRUE if value else FALSE
        case int():
            return integer(value)
        case float():
            return Literal(pa.scalar(value, pa.float64()))
        case Decimal():
            found = decimal(value)
            if found is None:
                raise _too_many_digits("a decimal")
            return found
        case str():
            return text(value)
        case bytes() | bytearray() | memoryview():
            return Literal(pa.scalar(bytes(value), pa.binary()))
        case datetime.datetime():
            return Literal(pa.scalar(value, TIMESTAMP if value.tzinfo is None else TIMESTAMP_TZ))
        case datetime.date():
            return Literal(pa.scalar(value, pa.date32()))
        case datetime.time():
            return Literal(pa.scalar(value, TIME))
        case datetime.timedelta():
            seconds = value.seconds * 1_000_000_000 + value.microseconds * 1000
            return _months_days_nanoseconds(0, value.days, seconds)
        case pa.Scalar():
            return Literal(value.cast(normal_type(value.type)))
    unboxed = getattr(value, "item", None)
    return of_python(unboxed()) if callable(unboxed) and type(value).__module__ == "numpy" else None
