"""Arithmetic on dates, times and intervals: the type rules and kernels behind `+ - * /`.

Handed operands of which one at least is a date, time, timestamp or interval; hands on DuckDB's result type: date + integer is a
date, date + interval a timestamp, date - date a bigint of days, timestamp - timestamp an interval of days and time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from flightmesh.compute import pc
from flightmesh.errors import DataError
from flightmesh.expression.arrays import broadcast, from_values, null_of, numeric_values, validity_buffer
from flightmesh.expression.functions.declare import Binding, Datum, Request
from flightmesh.expression.intervals import MICROS_PER_DAY, check_span, from_parts, parts_of, shift_timestamp
from flightmesh.expression.nodes import Expression
from flightmesh.expression.signatures import is_text_literal
from flightmesh.expression.types import INTERVAL, TIME, TIMESTAMP, Family, family, normal_type

_DATE = pa.date32()
_DAYS = pa.int32()


def _families(args: Sequence[Expression]) -> tuple[Family, Family] | None:
    return (family(args[0].type), family(args[1].type)) if len(args) == 2 else None


def add_binding(args: Sequence[Expression]) -> Binding | None:
    """The types of a sum with a date, time or interval in it."""
    match _families(args):
        case (Family.DATE, Family.INTEGER | Family.NULL):
            return Binding((_DATE, _DAYS), _DATE)
        case (Family.INTEGER | Family.NULL, Family.DATE):
            return Binding((_DAYS, _DATE), _DATE)
        case (Family.DATE, Family.INTERVAL):
            return Binding((TIMESTAMP, INTERVAL), TIMESTAMP)
        case (Family.INTERVAL, Family.DATE):
            return Binding((INTERVAL, TIMESTAMP), TIMESTAMP)
        case (Family.TIMESTAMP, Family.INTERVAL | Family.NULL):
            held = normal_type(args[0].type)
            return Binding((held, INTERVAL), held)
        case (Family.INTERVAL | Family.NULL, Family.TIMESTAMP):
            held = normal_type(args[1].type)
            return Binding((INTERVAL, held), held)
        case (Family.TIME, Family.INTERVAL | Family.NULL):
            return Binding((TIME, INTERVAL), TIME)
        case (Family.INTERVAL, Family.TIME):
            return Binding((INTERVAL, TIME), TIME)
        case (Family.DATE, Family.TIME):
            return Binding((_DATE, TIME), TIMESTAMP)
        case (Family.TIME, Family.DATE):
            return Binding((TIME, _DATE), TIMESTAMP)
        case (Family.INTERVAL, Family.INTERVAL | Family.NULL) | (Family.NULL, Family.INTERVAL):
            return Binding((INTERVAL, INTERVAL), INTERVAL)
    return None


def subtract_binding(args: Sequence[Expression]) -> Binding | None:
    """The types of a difference with a date, time or interval in it."""
    match _families(args):
        case (Family.DATE, Family.DATE | Family.NULL) | (Family.NULL, Family.DATE):
            return Binding((_DATE, _DATE), pa.int64())
        case (Family.DATE, Family.STRING) if args[1].type == pa.string() and is_text_literal(args[1]):
            return Binding((_DATE, _DATE), pa.int64())
        case (Family.DATE, Family.INTEGER):
            return Binding((_DATE, _DAYS), _DATE)
        case (Family.DATE, Family.INTERVAL):
            return Binding((TIMESTAMP, INTERVAL), TIMESTAMP)
        case (Family.TIMESTAMP, Family.INTERVAL):
            held = normal_type(args[0].type)
            return Binding((held, INTERVAL), held)
        case (Family.TIMESTAMP, Family.TIMESTAMP | Family.DATE | Family.NULL) | (Family.DATE | Family.NULL, Family.TIMESTAMP):
            held = normal_type(args[0].type if family(args[0].type) is Family.TIMESTAMP else args[1].type)
            return Binding((held, held), INTERVAL)
        case (Family.TIME, Family.INTERVAL):
            return Binding((TIME, INTERVAL), TIME)
        case (Family.INTERVAL, Family.INTERVAL | Family.NULL) | (Family.NULL, Family.INTERVAL):
            return Binding((INTERVAL, INTERVAL), INTERVAL)
    return None


def multiply_binding(args: Sequence[Expression]) -> Binding | None:
    """INTERVAL * number, either way round."""
    match _families(args):
        case (Family.INTERVAL, Family.INTEGER | Family.NULL):
            return Binding((INTERVAL, pa.int64()), INTERVAL)
        case (Family.INTEGER | Family.NULL, Family.INTERVAL):
            return Binding((pa.int64(), INTERVAL), INTERVAL)
        case (Family.INTERVAL, Family.FLOAT | Family.DECIMAL):
            return Binding((INTERVAL, pa.float64()), INTERVAL)
        case (Family.FLOAT | Family.DECIMAL, Family.INTERVAL):
            return Binding((pa.float64(), INTERVAL), INTERVAL)
    return None


def divide_binding(args: Sequence[Expression]) -> Binding | None:
    """INTERVAL / number."""
    match _families(args):
        case (Family.INTERVAL, Family.INTEGER | Family.FLOAT | Family.DECIMAL | Family.NULL):
            return Binding((INTERVAL, pa.float64()), INTERVAL)
    return None


def add(left: Datum, right: Datum, request: Request) -> Datum:
    """A sum whose types `add_binding` gave."""
    match (family(left.type), family(right.type)):
        case (Family.INTEGER | Family.INTERVAL | Family.TIME, Family.DATE | Family.TIMESTAMP | Family.TIME):
            return add(right, left, request)
        case (Family.DATE, Family.INTEGER):
            return _shift_days(left, right, 1)
        case (Family.DATE, Family.TIME):
            return pc.add(left.cast(TIMESTAMP).cast(pa.int64()), right.cast(pa.int64())).cast(TIMESTAMP)
        case (Family.TIME, Family.INTERVAL):
            return _shift_time(left, right, 1)
        case (Family.INTERVAL, Family.INTERVAL):
            return _combine(left, right, 1)
    return shift_timestamp(left, right, 1, request.type)


def subtract(left: Datum, right: Datum, request: Request) -> Datum:
    """A difference whose types `subtract_binding` gave."""
    match (family(left.type), family(right.type)):
        case (Family.DATE, Family.DATE):
            return pc.subtract(left.cast(pa.int32()).cast(pa.int64()), right.cast(pa.int32()).cast(pa.int64()))
        case (Family.DATE, Family.INTEGER):
            return _shift_days(left, right, -1)
        case (Family.TIMESTAMP, Family.TIMESTAMP):
            return _between(left, right)
        case (Family.TIME, Family.INTERVAL):
            return _shift_time(left, right, -1)
        case (Family.INTERVAL, Family.INTERVAL):
            return _combine(left, right, -1)
    return shift_timestamp(left, right, -1, request.type)


def _shift_days(date: Datum, days: Datum, sign: int) -> Datum:
    operation = pc.add_checked if sign > 0 else pc.subtract_checked
    try:
        return operation(date.cast(pa.int32()), days).cast(_DATE)
    except pa.ArrowInvalid as error:
        raise DataError("date out of range") from error


def _arrays(left: Datum, right: Datum) -> tuple[pa.Array, pa.Array, bool]:
    """Both as arrays, and whether both were scalars."""
    if isinstance(left, pa.Scalar) and isinstance(right, pa.Scalar):
        return pa.array([left], left.type), pa.array([right], right.type), True
    rows = len(right) if isinstance(left, pa.Scalar) else len(left)
    return broadcast(left, rows), broadcast(right, rows), False


def _lone(result: pa.Array, scalar: bool) -> Datum:
    return result[0] if scalar else result


def _between(left: Datum, right: Datum) -> Datum:
    a, b, scalar = _arrays(left, right)
    micros = numeric_values(a) - numeric_values(b)
    days = (np.abs(micros) // MICROS_PER_DAY) * np.sign(micros)
    rest = micros - days * MICROS_PER_DAY
    validity = validity_buffer(a, b)
    if validity is not None:
        invalid = ~np.asarray(pc.and_(a.is_valid(), b.is_valid()))
        days, rest = np.where(invalid, 0, days), np.where(invalid, 0, rest)
    return _lone(from_parts((0, days, rest), len(a), validity), scalar)


def _shift_time(time: Datum, interval: Datum, sign: int) -> Datum:
    a, b, scalar = _arrays(time, interval)
    _, _, micros = parts_of(b)
    moved = (numeric_values(a) + sign * micros) % MICROS_PER_DAY
    return _lone(from_values(moved, TIME, validity_buffer(a, b)), scalar)


def _combine(left: Datum, right: Datum, sign: int) -> Datum:
    a, b, scalar = _arrays(left, right)
    first, second = parts_of(a), parts_of(b)
    parts = [x + sign * y for x, y in zip(first, second, strict=True)]
    return _lone(from_parts(parts, len(a), validity_buffer(a, b)), scalar)


def negate_interval(interval: Datum) -> Datum:
    """The interval backwards."""
    zero = pa.scalar(pa.MonthDayNano((0, 0, 0)), INTERVAL)
    return null_of(INTERVAL) if isinstance(interval, pa.Scalar) and not interval.is_valid else _combine(zero, interval, -1)


def multiply(left: Datum, right: Datum, request: Request) -> Datum:
    """An interval times a number: by integers part by part; by doubles with fractions carried to days and time."""
    if family(left.type) is not Family.INTERVAL:
        left, right = right, left
    a, b, scalar = _arrays(left, right)
    factor = numeric_values(b)
    if family(b.type) is Family.INTEGER:
        whole = parts_of(a)
        check_span(whole[2] * factor.astype(np.float64) * 1000)
        parts = [p * factor for p in whole]
        return _lone(from_parts(parts, len(a), validity_buffer(a, b)), scalar)
    return _lone(_scaled_interval(a, b, factor), scalar)


def divide_interval(interval: Datum, number: Datum) -> Datum:
    """An interval by a number; NULL for division by 0."""
    a, b, scalar = _arrays(interval, number)
    values = numeric_values(b)
    zero = values == 0
    factor = 1.0 / np.where(zero, 1.0, values)
    kept = pc.if_else(pa.array(zero), null_of(b.type), b) if zero.any() else b
    return _lone(_scaled_interval(a, kept, factor), scalar)


def _scaled_interval(a: pa.Array, b: pa.Array, factor: Any) -> pa.Array:
    validity = validity_buffer(a, b)
    if validity is not None:
        factor = np.where(np.asarray(pc.and_(a.is_valid(), b.is_valid())), factor, 0.0)
    months, days, micros = (p * factor for p in parts_of(a))
    whole_months = np.trunc(months)
    days = days + (months - whole_months) * 30
    whole_days = np.trunc(days)
    rest = np.rint(micros + (days - whole_days) * MICROS_PER_DAY)
    return from_parts([part.astype(np.int64) for part in (whole_months, whole_days, rest)], len(a), validity)
