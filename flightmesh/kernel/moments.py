"""Means, and sums of squares and products about them, of groups; and such partial results brought together.

Handed a grouping and columns of numbers; hands on one double a group, NULL where there are no values. What always holds: the
result does not suffer from a mean that is large beside the deviations (as the difference of two sums of squares would): the
means
come first, then the distances from them, corrected for the rounding of the mean (Chan, Golub, LeVeque 1983, who also say how
partial results are merged). Means are taken about a value of the group, so equal values have exactly no spread.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from flightmesh.compute import pc
from flightmesh.errors import DataError
from flightmesh.kernel.group import Grouping
from flightmesh.kernel.values import Array, Int64s, buffer_view, unpack_bits

Floats: TypeAlias = npt.NDArray[np.float64]
Counts: TypeAlias = npt.NDArray[np.integer[Any]] | npt.NDArray[np.floating[Any]]

SPREADS = ("var_pop", "var_samp", "stddev_pop", "stddev_samp")
"""The aggregates that `spread` gives at once."""


def means(grouping: Grouping, argument: Array) -> Array:
    """The mean of each group's values."""
    ids, (values,) = _held(grouping, argument)
    found, counts = _means(values, None, ids, grouping.count)
    return pa.array(found, mask=counts == 0)


def squares(grouping: Grouping, argument: Array) -> Array:
    """The sum of squared distances from the mean; raises DataError where that is no finite number."""
    ids, (values,) = _held(grouping, argument)
    found, counts = _products(values, values, ids, grouping.count)
    return pa.array(_in_range(found, counts), mask=counts == 0)


def cubes(grouping: Grouping, argument: Array) -> Array:
    """The sum of cubed distances from the mean; raises DataError where that is no finite number."""
    return _powers(grouping, argument, 3)


def fourths(grouping: Grouping, argument: Array) -> Array:
    """The sum of fourth powers of the distances from the mean; raises DataError where that is no finite number."""
    return _powers(grouping, argument, 4)


def merged_cubes(grouping: Grouping, partial: Array, counts: Array, mean: Array, squared: Array) -> Array:
    """`cubes` of each group, of partial ones about these means (Pébay 2008)."""
    ids, (sums, weights, centres, second) = _held(grouping, partial, counts, mean, squared)
    off = centres - _means(centres, weights, ids, grouping.count)[0][ids]
    found = _sums(sums + off * (3 * second + weights * off**2), ids, grouping.count)
    totals = _sums(weights, ids, grouping.count)
    return pa.array(_finite(found, totals), mask=totals == 0)


def merged_fourths(grouping: Grouping, partial: Array, counts: Array, mean: Array, squared: Array, cubed: Array) -> Array:
    """`fourths` of each group, of partial ones about these means."""
    ids, (sums, weights, centres, second, third) = _held(grouping, partial, counts, mean, squared, cubed)
    off = centres - _means(centres, weights, ids, grouping.count)[0][ids]
    found = _sums(sums + off * (4 * third + off * (6 * second + weights * off**2)), ids, grouping.count)
    totals = _sums(weights, ids, grouping.count)
    return pa.array(_finite(found, totals), mask=totals == 0)


def _powers(grouping: Grouping, argument: Array, power: int) -> Array:
    ids, (values,) = _held(grouping, argument)
    mean, counts = _means(values, None, ids, grouping.count)
    with np.errstate(all="ignore"):
        found = _sums((values - mean[ids]) ** power, ids, grouping.count)
    return pa.array(_finite(found, counts), mask=counts == 0)


def products(grouping: Grouping, first: Array, second: Array) -> Array:
    """The sum of products of the distances of two columns from their means, over the rows that have both."""
    ids, (left, right) = _held(grouping, first, second)
    found, counts = _products(left, right, ids, grouping.count)
    return pa.array(found, mask=counts == 0)


def merged_means(grouping: Grouping, partial: Array, counts: Array) -> Array:
    """The mean of each group, of partial means of so many values."""
    ids, (values, weights) = _held(grouping, partial, counts)
    found, totals = _means(values, weights, ids, grouping.count)
    return pa.array(found, mask=totals == 0)


def merged_squares(grouping: Grouping, partial: Array, counts: Array, mean: Array) -> Array:
    """`squares` of each group, of partial ones about these means."""
    ids, (sums, weights, centres) = _held(grouping, partial, counts, mean)
    found, totals = _merged(sums, weights, (centres, centres), ids, grouping.count)
    return pa.array(_in_range(found, totals), mask=totals == 0)


def merged_products(grouping: Grouping, partial: Array, counts: Array, first: Array, second: Array) -> Array:
    """`products` of each group, of partial ones about these means."""
    ids, (sums, weights, left, right) = _held(grouping, partial, counts, first, second)
    found, totals = _merged(sums, weights, (left, right), ids, grouping.count)
    return pa.array(found, mask=totals == 0)


def spread(function: str, grouping: Grouping, argument: Array) -> Array:
    """One of `SPREADS` of each group's values; NULL where there are too few."""
    ids, (values,) = _held(grouping, argument)
    found, counts = _products(values, values, ids, grouping.count)
    fewest = 2 if function.endswith("samp") else 1
    with np.errstate(all="ignore"):
        variance = _in_range(found, counts) / (counts - (fewest - 1))
        result = np.sqrt(variance) if function.startswith("stddev") else variance
    return pa.array(result, mask=counts < fewest)


def _held(grouping: Grouping, *arrays: Array) -> tuple[Int64s, list[Floats]]:
    """The group and the values, as doubles, of each row that has all of them."""
    columns = [buffer_view(array.cast(pa.float64()), np.dtype("<f8")) for array in arrays]
    if not any(array.null_count for array in arrays):
        return grouping.ids, columns
    whole = np.ones(len(grouping.ids), np.bool_)
    for array in arrays:
        whole &= unpack_bits(pc.is_valid(array))
    return grouping.ids[whole], [column[whole] for column in columns]


def _means(values: Floats, weights: Floats | None, ids: Int64s, groups: int) -> tuple[Floats, Counts]:
    """The mean of each group, weighted where there are weights, and its weight."""
    near = np.zeros(groups)
    near[ids] = values
    with np.errstate(all="ignore"):
        distances = values - near[ids]
        if weights is None:
            counts = np.bincount(ids, minlength=groups).astype(np.float64)
            return near + _sums(distances, ids, groups) / counts, counts
        totals = _sums(weights, ids, groups)
        return near + _sums(weights * distances, ids, groups) / totals, totals


def _products(left: Floats, right: Floats, ids: Int64s, groups: int) -> tuple[Floats, Counts]:
    counts = np.bincount(ids, minlength=groups).astype(np.int64, copy=False)
    with np.errstate(all="ignore"):
        a = left - _means(left, None, ids, groups)[0][ids]
        b = a if left is right else right - _means(right, None, ids, groups)[0][ids]
        off_a = _sums(a, ids, groups)
        off_b = off_a if left is right else _sums(b, ids, groups)
        return _sums(a * b, ids, groups) - off_a * off_b / counts, counts


def _merged(sums: Floats, weights: Floats, centres: tuple[Floats, Floats], ids: Int64s, groups: int) -> tuple[Floats, Counts]:
    with np.errstate(all="ignore"):
        a, b = (part - _means(part, weights, ids, groups)[0][ids] for part in centres)
        return _sums(sums + weights * a * b, ids, groups), _sums(weights, ids, groups)


def _in_range(found: Floats, counts: Counts) -> Floats:
    """Sums of squares, which rounding may have made a little negative."""
    if not np.isfinite(found[counts > 0]).all():
        raise DataError("a variance is out of range", hint="leave out NaN, infinity and values of more than 1e154")
    return np.maximum(found, 0.0)


def _finite(found: Floats, counts: Counts) -> Floats:
    if not np.isfinite(found[counts > 0]).all():
        raise DataError("a moment is out of range", hint="leave out NaN, infinity and values of more than 1e77")
    return found


def _sums(values: Floats, ids: Int64s, groups: int) -> Floats:
    return np.bincount(ids, weights=values, minlength=groups).astype(np.float64, copy=False)
