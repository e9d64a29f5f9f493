"""Functions that make, cut and compare dates, timestamps and intervals."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from flightmesh.compute import pc
from flightmesh.errors import DataError
from flightmesh.expression import datespans
from flightmesh.expression.arrays import from_values, numeric_values, valid_mask, validity_buffer
from flightmesh.expression.dateparts import micros_of
from flightmesh.expression.functions.declare import Binding, Datum, Failure, Request, ScalarFunction
from flightmesh.expression.functions.entries import TYPES, entry
from flightmesh.expression.functions.vary import with_constants
from flightmesh.expression.intervals import MICROS_PER_DAY, from_parts, parts_of
from flightmesh.expression.nodes import Expression
from flightmesh.expression.types import TIME, TIMESTAMP, TIMESTAMP_TZ, Family, family

_MAY = Failure.MAY
_DATE = pa.date32()

_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December",
)  # fmt: skip


def _part_first(varying: int, function: Callable[..., Any]) -> Any:
    """A kernel over the arguments after the first, which names a part."""
    inner = with_constants(varying, lambda *args: function(args[-1], *args[:-1]))
    return lambda args, request: inner((*args[1:], args[0]), request)


def _trunc(part: str, array: pa.Array) -> pa.Array:
    unit = datespans.unit(part)
    if family(array.type) is Family.INTERVAL:
        return from_parts(datespans.truncated_interval(unit, *parts_of(array)), len(array), validity_buffer(array))
    type = TIMESTAMP_TZ if array.type == TIMESTAMP_TZ else TIMESTAMP
    return from_values(datespans.truncated(unit, micros_of(array)), type, validity_buffer(array))


def _pairwise(function: Callable[..., Any]) -> Callable[..., pa.Array]:
    def run(part: str, start: pa.Array, end: pa.Array) -> pa.Array:
        found = function(datespans.unit(part), micros_of(start), micros_of(end))
        return from_values(found, pa.int64(), validity_buffer(start, end))

    return run


def _last_day(array: pa.Array) -> pa.Array:
    months = (micros_of(array) // MICROS_PER_DAY).astype("datetime64[D]").astype("datetime64[M]")
    days = (months + 1).astype("datetime64[D]").astype(np.int64) - 1
    return from_values(days.astype(np.int32), _DATE, validity_buffer(array))


def _named(names: Sequence[str], part: Callable[[pa.Array], Any]) -> Any:
    table = pa.array(names, pa.string())
    return with_constants(1, lambda array: table.take(part(array)))


def _month_index(array: pa.Array) -> pa.Array:
    return pc.subtract(pc.month(array), pa.scalar(1, pa.int64()))


def _days_of(fields: Sequence[Any], kept: npt.NDArray[np.bool_]) -> Any:
    """Days since 1970 of each year, month and day. DataError for a date that does not exist, among the kept rows."""
    years, months, days = fields
    in_range = (months >= 1) & (months <= 12) & (np.abs(years) <= 200_000)
    month = np.where(in_range, (years - 1970) * 12 + months - 1, 0)
    first = month.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
    after = (month + 1).astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
    result = first + np.where(in_range, days, 1) - 1
    bad = (~in_range | (days < 1) | (result >= after)) & kept
    if bool(bad.any()):
        row = int(np.flatnonzero(bad)[0])
        raise DataError(f"date out of range: {years[row]}-{months[row]}-{days[row]}")
    return result


def _kept(arrays: Sequence[pa.Array]) -> npt.NDArray[np.bool_]:
    kept = np.ones(len(arrays[0]), np.bool_)
    for array in arrays:
        kept &= valid_mask(array)
    return kept


def _make_date(*arrays: pa.Array) -> pa.Array:
    if len(arrays) == 1:
        return arrays[0].cast(_DATE)
    days = _days_of([numeric_values(array) for array in arrays], _kept(arrays))
    return from_values(days.astype(np.int32), _DATE, validity_buffer(*arrays))


def _clock(fields: Sequence[Any], kept: npt.NDArray[np.bool_]) -> Any:
    """Microseconds of each hour, minute and second. DataError for a time that does not exist, among the kept rows."""
    hours, minutes, seconds = fields
    fine = (hours >= 0) & (hours < 24) & (minutes >= 0) & (minutes < 60) & (seconds >= 0) & (seconds < 60)
    if bool((~fine & kept).any()):
        row = int(np.flatnonzero(~fine & kept)[0])
        raise DataError(f"time out of range: {hours[row]}:{minutes[row]}:{seconds[row]}")
    whole = np.where(fine, seconds, 0.0)
    return (np.where(fine, hours, 0) * 60 + np.where(fine, minutes, 0)) * 60_000_000 + np.rint(whole * 1e6).astype(np.int64)


def _make_time(*arrays: pa.Array) -> pa.Array:
    return from_values(_clock([numeric_values(a) for a in arrays], _kept(arrays)), TIME, validity_buffer(*arrays))


def _make_timestamp(*arrays: pa.Array) -> pa.Array:
    if len(arrays) == 1:
        return arrays[0].cast(TIMESTAMP)
    values, kept = [numeric_values(array) for array in arrays], _kept(arrays)
    micros = _days_of(values[:3], kept) * MICROS_PER_DAY + _clock(values[3:], kept)
    return from_values(micros, TIMESTAMP, validity_buffer(*arrays))


def from_millis(array: pa.Array) -> pa.Array:
    """Timestamps of milliseconds since 1970."""
    values = numeric_values(array)
    if bool(((np.abs(values) > 9_000_000_000_000_000) & valid_mask(array)).any()):
        raise DataError("timestamp out of range")
    return from_values(values * 1000, TIMESTAMP, validity_buffer(array))


def _to_timestamp(array: pa.Array) -> pa.Array:
    seconds = np.where(valid_mask(array), numeric_values(array), 0.0)
    if not bool((np.abs(seconds) < 9e12).all()):
        raise DataError("timestamp out of range")
    return from_values(np.rint(seconds * 1e6).astype(np.int64), TIMESTAMP_TZ, validity_buffer(array))


def _interval_of(months: int, days: int, micros: int) -> Any:
    """A kernel that makes intervals of so many of a unit."""

    def run(array: pa.Array) -> pa.Array:
        amount = np.where(valid_mask(array), numeric_values(array), 0)
        whole = amount if family(array.type) is Family.INTEGER else np.trunc(amount * micros + np.copysign(0.5, amount))
        time = (whole * micros if family(array.type) is Family.INTEGER else whole).astype(np.int64)
        counted = whole.astype(np.int64)
        return from_parts((counted * months, counted * days, time), len(array), validity_buffer(array))

    return with_constants(1, run)


def _age(*arrays: pa.Array) -> pa.Array:
    months, days, micros = datespans.age(micros_of(arrays[1]), micros_of(arrays[0]))
    kept = _kept(arrays)
    parts = [np.where(kept, part, 0) for part in (months, days, micros)]
    return from_parts(parts, len(arrays[0]), validity_buffer(*arrays))


def _normalized(array: pa.Array) -> pa.Array:
    months, days, micros = parts_of(array)
    whole_days = np.abs(micros) // MICROS_PER_DAY * np.sign(micros)
    days = days + whole_days
    whole_months = np.abs(days) // 30 * np.sign(days)
    parts = (months + whole_months, days - whole_months * 30, micros - whole_days * MICROS_PER_DAY)
    return from_parts(parts, len(array), validity_buffer(array))


def _bucket(array: pa.Array, width: Any, origin: Any = None) -> pa.Array:
    shift = (0, 0, 0)
    start: int | None = None
    if isinstance(origin, pa.MonthDayNano):
        shift = (origin.months, origin.days, origin.nanoseconds // 1000)
    elif origin is not None:
        start = int(micros_of(pa.array([origin], array.type))[0])
    span = (width.months, width.days, width.nanoseconds // 1000)
    kept = valid_mask(array)
    micros = datespans.bucketed(np.where(kept, micros_of(array), 0), span, start, shift)
    if array.type == _DATE:
        return from_values((micros // MICROS_PER_DAY).astype(np.int32), _DATE, validity_buffer(array))
    return from_values(micros, array.type, validity_buffer(array))


def _width_first(args: tuple[Datum, ...], request: Request) -> Datum:
    return with_constants(1, _bucket)((args[1], args[0], *args[2:]), request)


def _bucket_rule(args: Sequence[Expression]) -> Binding | None:
    if len(args) not in (2, 3) or family(args[0].type) not in (Family.INTERVAL, Family.NULL):
        return None
    type = args[1].type
    if family(type) not in (Family.DATE, Family.TIMESTAMP):
        return None
    if len(args) == 2:
        return Binding((pa.month_day_nano_interval(), type), type)
    last = args[2].type if family(args[2].type) is Family.INTERVAL else type
    return Binding((pa.month_day_nano_interval(), type, last), type)


def _clock_reading(make: Callable[[datetime.datetime], Any], type: pa.DataType) -> Any:
    return lambda args, request: pa.scalar(make(datetime.datetime.now(datetime.UTC)), type)


def _date(
    name: str, doc: str, signatures: tuple[str, ...], kernel: Any, *aliases: str, failure: Failure = Failure.NEVER
) -> ScalarFunction:
    return entry("date", name, doc, signatures, kernel, aliases=aliases, failure=failure)


def _now(name: str, doc: str, type: str, make: Callable[[datetime.datetime], Any], *aliases: str) -> ScalarFunction:
    return entry("date", name, doc, (f"-> {type}",), _clock_reading(make, TYPES[type]), aliases=aliases)


_SPAN = tuple(f"text, {kind}, {kind} -> long" for kind in ("date", "timestamp", "timestamptz", "time"))
_WHOLE = ("long -> interval",)
_REAL = ("double -> interval",)

OF_UNITS = frozenset({"date_trunc", "date_diff", "date_sub"})
"""Functions whose first argument names a unit of time."""

FUNCTIONS: tuple[ScalarFunction, ...] = (
    _date("date_trunc", "The start of the part (year, month, week, hour, ...) that the value lies in.",
          ("text, date -> timestamp", "text, timestamp -> timestamp", "text, timestamptz -> timestamptz",
           "text, interval -> interval"),
          _part_first(1, _trunc), "datetrunc", failure=_MAY),
    _date("date_diff", "Boundaries of the part between the two values.", _SPAN, _part_first(2,
        _pairwise(datespans.boundaries)), "datediff",
          failure=_MAY),
    _date("date_sub", "Whole units of the part between the two values.", _SPAN, _part_first(2,
        _pairwise(datespans.whole_units)), "datesub",
          failure=_MAY),
    _date("last_day", "The last day of the month.", ("date -> date", "timestamp -> date", "timestamptz -> date"),
          with_constants(1, _last_day)),
    _date("dayname", "The English name of the day.", ("date -> text", "timestamp -> text", "timestamptz -> text"),
          _named(_DAYS, lambda a: pc.day_of_week(a))),
    _date("monthname", "The English name of the month.", ("date -> text", "timestamp -> text", "timestamptz -> text"),
          _named(_MONTHS, _month_index)),
    _date("make_date", "The date of a year, month and day; or of days since 1970.", ("long, long, long -> date", "int -> date"),
          lambda args, request: with_constants(len(args), _make_date)(args, request), failure=_MAY),
    _date("make_time", "The time of an hour, minute and second.", ("long, long, double -> time",), with_constants(3,
        _make_time), failure=_MAY),
    _date("make_timestamp", "The timestamp of year, month, day, hour, minute and second; or of microseconds since 1970.",
          ("long, long, long, long, long, double -> timestamp", "long -> timestamp"),
          lambda args, request: with_constants(len(args), _make_timestamp)(args, request), failure=_MAY),
    _date("make_timestamp_ms", "The timestamp of milliseconds since 1970.", ("long -> timestamp",), with_constants(1,
        from_millis), failure=_MAY),
    _date("to_timestamp", "The timestamp of seconds since 1970.", ("double -> timestamptz",), with_constants(1, _to_timestamp),
          failure=_MAY),
    _date("to_years", "An interval of years.", _WHOLE, _interval_of(12, 0, 0), failure=_MAY),
    _date("to_quarters", "An interval of quarters.", _WHOLE, _interval_of(3, 0, 0), failure=_MAY),
    _date("to_months", "An interval of months.", _WHOLE, _interval_of(1, 0, 0), failure=_MAY),
    _date("to_weeks", "An interval of weeks.", _WHOLE, _interval_of(0, 7, 0), failure=_MAY),
    _date("to_days", "An interval of days.", _WHOLE, _interval_of(0, 1, 0), failure=_MAY),
    _date("to_decades", "An interval of decades.", _WHOLE, _interval_of(120, 0, 0), failure=_MAY),
    _date("to_centuries", "An interval of centuries.", _WHOLE, _interval_of(1200, 0, 0), failure=_MAY),
    _date("to_millennia", "An interval of millennia.", _WHOLE, _interval_of(12000, 0, 0), failure=_MAY),
    _date("to_hours", "An interval of hours.", _WHOLE, _interval_of(0, 0, 3_600_000_000), failure=_MAY),
    _date("to_minutes", "An interval of minutes.", _WHOLE, _interval_of(0, 0, 60_000_000), failure=_MAY),
    _date("to_seconds", "An interval of seconds.", _REAL, _interval_of(0, 0, 1_000_000), failure=_MAY),
    _date("to_milliseconds", "An interval of milliseconds.", _REAL, _interval_of(0, 0, 1000), failure=_MAY),
    _date("to_microseconds", "An interval of microseconds.", _WHOLE, _interval_of(0, 0, 1), failure=_MAY),
    _date("normalized_interval", "The interval with hours past 24 as days and days past 30 as months.",
          ("interval -> interval",),
          with_constants(1, _normalized), failure=_MAY),
    _date("age", "The interval from the second to the first, in years, months, days and time.",
          ("timestamp, timestamp -> interval", "timestamptz, timestamptz -> interval"), with_constants(2, _age)),
    ScalarFunction("time_bucket",
                   "The start of the bucket of a width that the value lies in; a third argument moves the buckets.", "date",
                   _bucket_rule, _width_first,
                   ("time_bucket(INTERVAL, DATE|TIMESTAMP) -> same type",
                    "time_bucket(INTERVAL, any, INTERVAL offset or origin) -> same type"),
                   failure=_MAY),
    _now("current_date", "Today's date (UTC).", "date", lambda now: now.date(), "today"),
    _now("now", "The present moment.", "timestamptz", lambda now: now, "get_current_timestamp", "current_timestamp",
         "transaction_timestamp"),
    _now("current_localtimestamp", "The present moment without a time zone (UTC).", "timestamp",
         lambda now: now.replace(tzinfo=None),
         "localtimestamp"),
    _now("current_localtime", "The present time of day (UTC).", "time", lambda now: now.time(), "localtime", "current_time"),
)  # fmt: skip

NOW = frozenset({"current_date", "now", "current_localtimestamp", "current_localtime"})
"""Functions whose value is read once, when the query is bound."""
