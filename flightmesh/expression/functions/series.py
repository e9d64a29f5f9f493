"""Series as lists: `range(a, b, step)` ends before b, `generate_series` may reach it.

Whole numbers come in steps of a number, timestamps in steps of an interval, each added to the value before it (so that a month
after January 31 is February's last day, and a month after that March 29 or 28). NULL in any argument gives NULL; a step of
nothing, or one away from the end, an empty list.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from flightmesh.errors import DataError
from flightmesh.expression.arrays import broadcast, from_values, numeric_values, valid_mask
from flightmesh.expression.functions.declare import Binding, Datum, Failure, Request, ScalarFunction
from flightmesh.expression.intervals import MICROS_PER_DAY, add_months, parts_of
from flightmesh.expression.lists import Int64s, Mask, offsets_of, places_of, put_together, rows_of
from flightmesh.expression.nodes import Expression
from flightmesh.expression.types import INTERVAL, TIMESTAMP, TIMESTAMP_TZ, Family, family

_LONG = pa.int64()
_MOST_ELEMENTS = 1 << 27
"""Elements of one batch's series: a batch with more is run in parts, and one row may not have more."""


def _types(args: Sequence[Expression]) -> Binding | None:
    families = [family(arg.type) for arg in args]
    if 1 <= len(args) <= 3 and all(found in (Family.INTEGER, Family.NULL) for found in families):
        return Binding((_LONG,) * len(args), pa.list_(_LONG))
    moments = (Family.DATE, Family.TIMESTAMP, Family.NULL)
    if len(args) != 3 or families[0] not in moments or families[1] not in moments or families[2] is not Family.INTERVAL:
        return None
    zoned = any(arg.type == TIMESTAMP_TZ for arg in args[:2])
    kind = TIMESTAMP_TZ if zoned else TIMESTAMP
    return Binding((kind, kind, INTERVAL), pa.list_(kind))


def _kernel(reach: int) -> Any:
    """`reach`: 1 where the end may be reached, 0 where not."""

    def kernel(args: tuple[Datum, ...], request: Request) -> Datum:
        lone = all(isinstance(arg, pa.Scalar) for arg in args)
        arrays = [broadcast(arg, 1 if lone else request.rows) for arg in args]
        valid = np.logical_and.reduce([valid_mask(array) for array in arrays])
        made = (
            _moments(arrays, valid, reach)
            if len(arrays) == 3 and arrays[2].type == INTERVAL
            else _numbers(arrays, valid, reach)
        )
        return made[0] if lone else made

    return kernel


def _numbers(arrays: list[pa.Array], valid: Mask, reach: int) -> pa.Array:
    values = [numeric_values(array) for array in arrays]
    rows = len(valid)
    start = np.zeros(rows, np.int64) if len(values) == 1 else values[0]
    step = values[2] if len(values) == 3 else np.ones(rows, np.int64)
    counts = _counts(start, values[0] if len(values) == 1 else values[1], step, reach, valid)
    offsets = _offsets(counts)
    row = rows_of(offsets)
    made = start[row] + places_of(offsets) * step[row]
    return put_together(offsets, from_values(made, _LONG), valid)


def _counts(start: Int64s, end: Int64s, step: Int64s, reach: int, valid: Mask) -> Int64s:
    """How many values each series has; computed without a sign, so that nothing passes 64 bits."""
    up = step > 0
    far = np.where(up, end, start).astype(np.uint64) - np.where(up, start, end).astype(np.uint64)
    ahead = valid & (step != 0) & np.where(up, start < end, start > end)
    size = np.where(up, step.astype(np.uint64), np.uint64(0) - step.astype(np.uint64))
    size = np.maximum(size, np.uint64(1))
    counts = (far - np.uint64(1 - reach)) // size + np.uint64(1)
    if reach:
        ahead = ahead | (valid & (step != 0) & (start == end))
    else:
        counts = np.where(ahead, counts, 0)
    return np.where(ahead, np.minimum(counts, np.uint64(1 << 62)), 0).astype(np.int64)


def _offsets(counts: Int64s) -> Int64s:
    if int(counts.max(initial=0)) > _MOST_ELEMENTS:
        raise DataError(f"a series has more than {_MOST_ELEMENTS} values", hint="in FROM, series of constants may be longer")
    offsets = offsets_of(counts)
    if int(offsets[-1]) > _MOST_ELEMENTS:
        raise pa.ArrowCapacityError("series longer than an array is to be")
    return offsets


def _moments(arrays: list[pa.Array], valid: Mask, reach: int) -> pa.Array:
    kind = arrays[0].type
    start, end = numeric_values(arrays[0]), numeric_values(arrays[1])
    months, days, micros = (np.asarray(part, np.int64) for part in parts_of(arrays[2]))
    if (valid & (np.minimum.reduce([months, days, micros]) < 0) & (np.maximum.reduce([months, days, micros]) > 0)).any():
        raise DataError("the interval of a series goes forwards and backwards", hint="give all its parts one sign")
    step = days * MICROS_PER_DAY + micros
    if not (valid & (months != 0)).any():
        offsets = _offsets(_counts(start, end, step, reach, valid))
        row = rows_of(offsets)
        made = start[row] + places_of(offsets) * step[row]
        return put_together(offsets, from_values(made, kind), valid)
    return _by_months(kind, start, end, (months, days, micros), valid, reach)


def _by_months(
    kind: pa.DataType, start: Int64s, end: Int64s, step: tuple[Int64s, Int64s, Int64s], valid: Mask, reach: int
) -> pa.Array:
    """Each value from the one before it, all rows a step at a time: months are not equally long."""
    forward = np.maximum.reduce(step) > 0
    open_rows = np.flatnonzero(valid & ((forward) | (np.minimum.reduce(step) < 0)))
    value = start.copy()
    found: list[tuple[Int64s, Int64s]] = []
    total = 0
    while len(open_rows):
        now, last = value[open_rows], end[open_rows]
        inside = np.where(forward[open_rows], now < last, now > last) | ((now == last) & bool(reach))
        open_rows = open_rows[inside]
        found.append((open_rows, value[open_rows]))
        total += len(open_rows)
        if total > _MOST_ELEMENTS:
            raise DataError("a series of dates is too long", hint=f"a batch may have at most {_MOST_ELEMENTS} values")
        months, days, micros = (part[open_rows] for part in step)
        value[open_rows] = add_months(value[open_rows], months) + days * MICROS_PER_DAY + micros
    rows = np.concatenate([rows for rows, _ in found]) if found else np.zeros(0, np.int64)
    values = np.concatenate([values for _, values in found]) if found else np.zeros(0, np.int64)
    order = np.argsort(rows, kind="stable")
    offsets = offsets_of(np.bincount(rows, minlength=len(valid)))
    return put_together(offsets, from_values(values[order], kind), valid)


_USAGE = "{0}([BIGINT,] BIGINT[, BIGINT]) -> BIGINT[]", "{0}(TIMESTAMP, TIMESTAMP, INTERVAL) -> TIMESTAMP[]"

FUNCTIONS: tuple[ScalarFunction, ...] = (
    ScalarFunction("range", "The values from the first on that come before the second, in steps of the third.", "list", _types,
                   _kernel(0), tuple(text.format("range") for text in _USAGE), failure=Failure.MAY),
    ScalarFunction("generate_series", "The values from the first up to the second, in steps of the third.", "list", _types,
                   _kernel(1), tuple(text.format("generate_series") for text in _USAGE), failure=Failure.MAY),
)  # fmt: skip
