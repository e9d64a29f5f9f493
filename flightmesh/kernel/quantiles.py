"""Quantiles of groups: the value at a fraction of each group's values in order.

Handed a grouping, a column and a fraction from -1 to 1 (below 0: of the values in descending order); hands on one value a
group, NULL
for a group without values. What always holds: NULLs are left out and NaN is the greatest number; positions of decimal fractions
are computed exactly; between two values those of decimals round down and those of times to the nearest.
"""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from flightmesh.compute import pc
from flightmesh.errors import DataError, InternalError
from flightmesh.kernel.decimals import decimals_from_int64
from flightmesh.kernel.group import Grouping
from flightmesh.kernel.key_codes import integer_values
from flightmesh.kernel.selection import selection
from flightmesh.kernel.sort import SortKey, sort_indices
from flightmesh.kernel.values import Array, Int64s, buffer_view, validity

Number: TypeAlias = int | float | Decimal

_EXACT = 1 << 62
_DOUBLES = 1 << 53


def discrete_quantile(grouping: Grouping, argument: Array, fraction: Number) -> Array:
    """The first value at or past the fraction."""
    share = -fraction if fraction < 0 else fraction
    chosen = selection(grouping, argument)
    if chosen is not None:
        place = np.maximum(share_of(chosen.counts, share), 1) - 1
        return chosen.at([chosen.counts - 1 - place if fraction < 0 else place])[0]
    rows, starts, counts = _in_order(grouping, argument, fraction < 0)
    place = np.maximum(share_of(counts, share), 1) - 1
    return _at(argument, rows, starts + place, counts)


def continuous_quantile(grouping: Grouping, argument: Array, fraction: Number) -> Array:
    """The value at the fraction, between two where it falls there: of floats, decimals, timestamps and times."""
    chosen = selection(grouping, argument)
    if chosen is not None:
        exact = np.maximum(chosen.counts - 1, 0) * abs(float(fraction))
        low, high = (part.astype(np.int64) for part in (np.floor(exact), np.ceil(exact)))
        places = (chosen.counts - 1 - part if fraction < 0 else part for part in (low, high))
        first, second = chosen.at(list(places))
        return between(first, second, exact - low)
    rows, starts, counts = _in_order(grouping, argument, fraction < 0)
    exact = np.maximum(counts - 1, 0) * abs(float(fraction))
    low = np.floor(exact)
    first = _at(argument, rows, starts + low.astype(np.int64), counts)
    second = _at(argument, rows, starts + np.ceil(exact).astype(np.int64), counts)
    return between(first, second, exact - low)


def absolute_deviations(grouping: Grouping, argument: Array) -> Array:
    """The median of the distances from the median: of floats and decimals."""
    middle = continuous_quantile(grouping, argument, 0.5)
    distances = pc.abs(pc.subtract(argument, middle.take(pa.array(grouping.ids)))).cast(argument.type)
    return continuous_quantile(grouping, distances, 0.5)


def _in_order(grouping: Grouping, argument: Array, descending: bool) -> tuple[Int64s, Int64s, Int64s]:
    """Rows with values by group and value, where each group starts among them, and how many it has."""
    valid = validity(argument)
    none = pa.types.is_null(argument.type)
    rows = np.zeros(0, np.int64) if none else np.arange(len(argument)) if valid is None else np.flatnonzero(valid)
    ids = grouping.ids[rows]
    columns = [pa.array(ids), argument.take(pa.array(rows))]
    batch = pa.RecordBatch.from_arrays(columns, ["group", "value"])
    order = sort_indices(batch, [SortKey("group"), SortKey("value", descending)]).to_numpy()
    counts = np.bincount(ids, minlength=grouping.count)
    return rows[order], np.cumsum(counts) - counts, counts


def share_of(counts: Int64s, fraction: Number) -> Int64s:
    """The fraction of each count, rounded up."""
    if isinstance(fraction, Decimal | int):
        exact = Fraction(fraction)
        if int(counts.max(initial=0)) * exact.denominator < _EXACT:
            return counts - (counts * (exact.denominator - exact.numerator)) // exact.denominator
    return counts - np.floor(counts - counts * float(fraction)).astype(np.int64)


def _at(argument: Array, rows: Int64s, places: Int64s, counts: Int64s) -> Array:
    """The values at these places of `rows`; NULL for groups without values."""
    found = np.zeros(len(counts), np.int64)
    filled = counts > 0
    found[filled] = rows[places[filled]]
    return argument.take(pa.array(found, mask=~filled))


def between(first: Array, second: Array, part: npt.NDArray[np.float64]) -> Array:
    """The value so far on the way from the first to the second, for each pair."""
    kind = first.type
    null = None if first.null_count == 0 else ~_mask(first)
    if pa.types.is_floating(kind):
        low, high = (buffer_view(a.cast(pa.float64()), np.dtype("<f8")) for a in (first, second))
        with np.errstate(all="ignore"):
            mixed = np.where((part == 0) | (low == high), low, low * (1 - part) + high * part)
        return pa.array(mixed, mask=null).cast(kind)
    low, high = _whole(first), _whole(second)
    far = bool(((high > _EXACT) | (low < -_EXACT)).any())
    step = (high.astype(np.float64) - low.astype(np.float64) if far else high - low) * part
    if pa.types.is_decimal(kind):
        total = np.floor(low.astype(np.float64) + step)
        near = np.abs(total).max(initial=0) < _DOUBLES
        return decimals_from_int64(total.astype(np.int64) if near else low + np.floor(step).astype(np.int64), kind, null)
    rounded = np.where(low >= 0, np.floor(step + 0.5), np.ceil(step - 0.5)).astype(np.int64)
    return pa.array(low + rounded, mask=null).cast(kind)


def _whole(array: Array) -> Int64s:
    found = integer_values(array)
    if found is None:
        raise InternalError(f"no value lies between two of type {array.type}")
    values, too_wide = found
    if too_wide is not None:
        raise DataError("a quantile of decimals of more than 18 digits", hint="cast the argument to double")
    return values


def _mask(array: Array) -> npt.NDArray[np.bool_]:
    valid = validity(array)
    return np.ones(len(array), np.bool_) if valid is None else valid
