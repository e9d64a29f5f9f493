"""Aggregates of groups: one value a group, from a column and the groups of its rows.

Handed a `Grouping` and the argument column; hands on an array of `grouping.count` values. What always holds: NULLs count for
nothing, and a group without values gives NULL (0 for counts); integer and decimal sums are exact and raise DataError past 38
digits; floats keep IEEE rules in sums, and in min and max NaN is the greatest number.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from flightmesh.compute import pc
from flightmesh.errors import InternalError
from flightmesh.kernel.collected import collected, joined_lists
from flightmesh.kernel.decimals import decimal_limbs, decimals_from_int64, decimals_from_limbs
from flightmesh.kernel.distinct_sketch import distinct_sketches, merged_sketches
from flightmesh.kernel.extremes import extreme_bytes, extreme_numbers
from flightmesh.kernel.frequencies import entropies, first_frequent_rows, frequent_rows
from flightmesh.kernel.group import Grouping, group_rows
from flightmesh.kernel.key_codes import integer_values
from flightmesh.kernel.moments import (
    cubes,
    fourths,
    means,
    merged_cubes,
    merged_fourths,
    merged_means,
    merged_products,
    merged_squares,
    products,
    spread,
    squares,
)
from flightmesh.kernel.quantile_sketch import merged_quantile_sketches, quantile_sketches
from flightmesh.kernel.quantiles import absolute_deviations
from flightmesh.kernel.reductions import bits_of, careful_sums, product_of
from flightmesh.kernel.values import (
    Array,
    Int64s,
    Mask,
    buffer_view,
    decimal_words,
    integers,
    is_byte_string,
    unpack_bits,
    validity,
)

_EXACT_FLOAT = 1 << 53
_EXACT_INT = 1 << 63
_HALF_BITS = 26
_HALF_MASK = np.int64((1 << _HALF_BITS) - 1)


def aggregate(function: str, grouping: Grouping, argument: Array | None, result: pa.DataType) -> Array:
    """The aggregate `function` (a Measure's) of each group, as `result`."""
    values = _aggregate(function, grouping, argument, result)
    return values if values.type == result else values.cast(result)


def aggregate_several(function: str, grouping: Grouping, arguments: Sequence[Array], result: pa.DataType) -> Array:
    """An aggregate of several columns."""
    values = _of_several(function, grouping, arguments)
    return values if values.type == result else values.cast(result)


def _of_several(function: str, grouping: Grouping, arguments: Sequence[Array]) -> Array:
    match function:
        case "arg_min" | "arg_max":
            value, key = arguments
            return _taken(value, _extreme_rows(function.removeprefix("arg_"), grouping, key))
        case "products":
            return products(grouping, *arguments)
        case "merge_mean":
            return merged_means(grouping, *arguments)
        case "merge_squares":
            return merged_squares(grouping, *arguments)
        case "merge_cubes":
            return merged_cubes(grouping, *arguments)
        case "merge_fourths":
            return merged_fourths(grouping, *arguments)
        case "merge_products":
            return merged_products(grouping, *arguments)
        case _:
            raise InternalError(f"there is no aggregate kernel of several columns named {function}")


def aggregate_distinct(function: str, grouping: Grouping, arguments: Sequence[Array], result: pa.DataType) -> Array:
    """The same over each group's distinct values: of several columns, distinct rows of them, of which the first counts."""
    once, values = distinct_values(grouping, *arguments)
    return aggregate(function, once, None if function == "count_star" else values, result)


def distinct_values(grouping: Grouping, argument: Array, *more: Array) -> tuple[Grouping, Array]:
    """Each group's distinct values, in the order of the rows."""
    pairs = group_rows([pa.array(grouping.ids), argument, *more], len(argument))
    rows = np.sort(pairs.rows)
    return Grouping(grouping.ids[rows], grouping.count, rows), argument.take(pa.array(rows))


def _aggregate(function: str, grouping: Grouping, argument: Array | None, result: pa.DataType) -> Array:
    if argument is None:
        if function != "count_star":
            raise InternalError(f"the aggregate {function} needs an argument")
        return pa.array(grouping.sizes())
    match function:
        case "count":
            return pa.array(_counts(grouping, argument))
        case "sum_count":
            return _sum_counts(grouping, argument)
        case "sum":
            return _sum(grouping, argument, result)
        case "min" | "max":
            return _extreme(function, grouping, argument)
        case "any_value":
            return _any_value(grouping, argument)
        case "first":
            return _first(grouping, argument)
        case "last":
            return _last(grouping, argument)
        case "list":
            return collected(grouping, argument)
        case "merge_list":
            return joined_lists(grouping, argument)
        case "mean":
            return means(grouping, argument)
        case "squares":
            return squares(grouping, argument)
        case "cubes":
            return cubes(grouping, argument)
        case "fourths":
            return fourths(grouping, argument)
        case "careful_sum":
            return careful_sums(grouping, argument)
        case "mad":
            return absolute_deviations(grouping, argument)
        case "bit_and" | "bit_or" | "bit_xor":
            return bits_of(function, grouping, argument)
        case "distinct_sketch":
            return distinct_sketches(grouping, argument)
        case "merge_distinct_sketch":
            return merged_sketches(grouping, argument)
        case "quantile_sketch":
            return quantile_sketches(grouping, argument)
        case "merge_quantile_sketch":
            return merged_quantile_sketches(grouping, argument)
        case "mode":
            return _taken(argument, frequent_rows(grouping, argument))
        case "mode_in_order":
            return _taken(argument, first_frequent_rows(grouping, argument))
        case "entropy":
            return entropies(grouping, argument)
        case "product":
            return product_of(grouping, argument)
        case "bool_and" | "bool_or":
            return _all_or_any(function, grouping, argument)
        case "var_pop" | "var_samp" | "stddev_pop" | "stddev_samp":
            return spread(function, grouping, argument)
        case _:
            raise InternalError(f"there is no aggregate kernel named {function}")


def _counts(grouping: Grouping, argument: Array) -> Int64s:
    valid = validity(argument)
    if valid is None:
        if pa.types.is_null(argument.type):
            return np.zeros(grouping.count, np.int64)
        return grouping.sizes()
    return np.bincount(grouping.ids[valid], minlength=grouping.count)


def _sum_counts(grouping: Grouping, argument: Array) -> Array:
    values, _ = _filled_integers(argument)
    return pa.array(_summed(grouping, values, _largest(values)))  # as many as there were rows, once: that fits


def _sum(grouping: Grouping, argument: Array, result: pa.DataType) -> Array:
    if pa.types.is_null(argument.type):
        return pa.nulls(grouping.count, result)
    null = _without_values(grouping, argument)
    if pa.types.is_floating(argument.type):
        values = _filled(buffer_view(argument.cast(pa.float64()), np.dtype("<f8")), validity(argument))
        return pa.array(_sum_floats(grouping, values), mask=null)
    target = result if pa.types.is_decimal128(result) else pa.decimal128(38, 0)
    values, fits = _filled_integers(argument)
    sums = _sum_int64(grouping, values) if fits else None
    if sums is not None:
        return decimals_from_int64(sums, target, null)
    return decimals_from_limbs(_limb_sums(grouping, argument), target, null)


def _without_values(grouping: Grouping, argument: Array) -> Mask | None:
    return _counts(grouping, argument) == 0 if argument.null_count or not len(argument) else None


def _filled(values: npt.NDArray[Any], valid: Mask | None) -> npt.NDArray[Any]:
    return values if valid is None else np.where(valid, values, values.dtype.type(0))


def _filled_integers(argument: Array) -> tuple[Int64s, bool]:
    """Integers or unscaled decimals with 0 for NULL, and whether int64 holds them all."""
    found = integer_values(argument)
    if found is None:
        raise InternalError(f"cannot add up values of type {argument.type}")
    values, too_wide = found
    fits = too_wide is None and argument.type != pa.uint64()
    return _filled(values, validity(argument)), fits


def _largest(values: Int64s) -> int:
    return max(int(values.max()), -int(values.min())) if len(values) else 0


def _sum_floats(grouping: Grouping, values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    if grouping.count == 1:
        return np.array([values.sum()])
    if grouping.starts is not None and grouping.order() is None:
        return np.add.reduceat(values, grouping.starts)
    return np.bincount(grouping.ids, weights=values, minlength=grouping.count).astype(np.float64, copy=False)


def _sum_int64(grouping: Grouping, values: Int64s) -> Int64s | None:
    """Sums of groups; None where one might not fit.

    Counting with weights adds in float64, which is exact below 2**53 and needs no order. A value above that is one there
    too, rounded or not, so their size is seen on the weights, which lie close together.
    """
    if grouping.starts is None and grouping.count > 1 and len(values):
        weights = values.astype(np.float64)
        if max(float(weights.max()), -float(weights.min())) * len(values) < _EXACT_FLOAT:
            return _weighed(grouping, weights)
    largest = _largest(values)
    return _summed(grouping, values, largest) if largest * len(values) < _EXACT_INT else None


def _summed(grouping: Grouping, values: Int64s, largest: int) -> Int64s:
    """Sums that are known to fit; `largest` bounds the values' size."""
    if len(values) == 0:
        return np.zeros(grouping.count, np.int64)
    if grouping.count == 1:
        return np.array([values.sum()])
    if grouping.starts is None and largest * len(values) < _EXACT_FLOAT:
        return _weighed(grouping, values.astype(np.float64))
    halves_fit = (largest >> _HALF_BITS) * len(values) < _EXACT_FLOAT and len(values) < 1 << _HALF_BITS
    if grouping.starts is None and halves_fit:
        low, high = (half.astype(np.float64) for half in (values & _HALF_MASK, values >> _HALF_BITS))
        return _weighed(grouping, low) + (_weighed(grouping, high) << _HALF_BITS)
    order = grouping.order()
    return _reduce(np.add, values if order is None else values.take(order), grouping)


def _weighed(grouping: Grouping, weights: npt.NDArray[np.float64]) -> Int64s:
    return np.bincount(grouping.ids, weights=weights, minlength=grouping.count).astype(np.int64)


def _reduce(function: np.ufunc, ordered: npt.NDArray[Any], grouping: Grouping) -> npt.NDArray[Any]:
    """`function` over each group's rows, given in group order; 0 for a group without rows (as `one_group` may be)."""
    starts = grouping.starts
    if starts is None:
        raise InternalError("a grouping without an order")
    if grouping.is_full:
        return function.reduceat(ordered, starts)
    filled = grouping.sizes() > 0
    result = np.zeros(grouping.count, ordered.dtype)
    if filled.any():
        result[filled] = function.reduceat(ordered, starts[filled])
    return result


def _limb_sums(grouping: Grouping, argument: Array) -> tuple[Int64s, Int64s, Int64s, Int64s]:
    if pa.types.is_decimal128(argument.type):
        low, high = decimal_words(argument)
    else:
        values, _ = _filled_integers(argument)
        low = values.view(np.uint64)
        unsigned = argument.type == pa.uint64()
        high = np.zeros(len(low), np.uint64) if unsigned else (values >> 63).view(np.uint64)
    valid = validity(argument)
    low, high = _filled(low, valid), _filled(high, valid)
    a, b, c, d = (_summed(grouping, limb, 1 << 32) for limb in decimal_limbs(low, high))
    return a, b, c, d


def _extreme(function: str, grouping: Grouping, argument: Array) -> Array:
    return _taken(argument, _extreme_rows(function, grouping, argument))


def _extreme_rows(function: str, grouping: Grouping, argument: Array) -> Int64s:
    """The row of each group's least (greatest) value, -1 where there is none."""
    type_ = argument.type
    if pa.types.is_null(type_):
        return np.full(grouping.count, -1, np.int64)
    if pa.types.is_dictionary(type_):
        return _extreme_rows(function, grouping, _ranks(argument))
    if pa.types.is_fixed_size_binary(type_):
        return _extreme_rows(function, grouping, argument.cast(pa.binary()))
    rows = extreme_bytes if is_byte_string(type_) else extreme_numbers
    return rows(function, grouping, argument)


def _ranks(argument: pa.DictionaryArray) -> Array:
    """What is ordered as the values of a dictionary array are: the places of its entries in order, or the values."""
    entries = argument.dictionary
    if not is_byte_string(entries.type) or entries.null_count or len(entries) > len(argument):
        return argument.cast(argument.type.value_type)
    places = np.empty(len(entries), np.int64)
    places[pc.sort_indices(entries).to_numpy()] = np.arange(len(entries))
    valid = validity(argument)
    numbers = integers(argument.indices)
    if valid is None:
        return pa.array(places[numbers])
    return pa.array(np.append(places, 0)[np.where(valid, numbers, len(places))], mask=~valid)


def _taken(argument: Array, rows: Int64s) -> Array:
    """The values of these rows; NULL for row -1."""
    none = rows < 0
    return argument.take(pa.array(rows, mask=none if none.any() else None))


def _any_value(grouping: Grouping, argument: Array) -> Array:
    """The first value of each group that is not NULL."""
    valid = validity(argument)
    if pa.types.is_null(argument.type):
        return pa.nulls(grouping.count, argument.type)
    rows = np.arange(len(argument) - 1, -1, -1) if valid is None else np.flatnonzero(valid)[::-1]
    first = np.full(grouping.count, -1, np.int64)
    first[grouping.ids[rows]] = rows  # the last write stays: the lowest row
    return _taken(argument, first)


def _first(grouping: Grouping, argument: Array) -> Array:
    """The value of each group's first row, NULL or not."""
    rows = np.arange(len(argument) - 1, -1, -1)
    first = np.full(grouping.count, -1, np.int64)
    first[grouping.ids[rows]] = rows
    return _taken(argument, first)


def _last(grouping: Grouping, argument: Array) -> Array:
    """The value of each group's last row, NULL or not."""
    last = np.full(grouping.count, -1, np.int64)
    last[grouping.ids] = np.arange(len(argument))
    return _taken(argument, last)


def _all_or_any(function: str, grouping: Grouping, argument: Array) -> Array:
    valid = validity(argument)
    values = unpack_bits(argument)
    hits = ~values if function == "bool_and" else values
    if valid is not None:
        hits = hits & valid
    found = np.bincount(grouping.ids[hits], minlength=grouping.count) > 0
    return pa.array(~found if function == "bool_and" else found, mask=_without_values(grouping, argument))
