"""The order of a batch's rows by several keys, each with its own direction and place for NULLs.

Handed a batch and its sort keys; hands on row numbers. What always holds: the sort is stable; NaN is the greatest number and
equal to itself; -0.0 equals 0.0; strings compare by their bytes (UTF-8, so by code point).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from flightmesh.compute import pc
from flightmesh.dataclass import dataclass
from flightmesh.kernel.packed_order import Direction, packed_order
from flightmesh.kernel.values import Array, canonical_floats, decimal_words, integers, validity


@dataclass(frozen=True, slots=True)
class SortKey:
    """One key: the name of a column, its direction, where its NULLs stand."""

    name: str
    descending: bool = False
    nulls_first: bool = False


def sort_indices(batch: pa.RecordBatch, keys: Sequence[SortKey]) -> Array:
    """Row numbers (uint64) in the order of `keys`; rows with equal keys keep their order. No keys: as they are."""
    if not keys:
        return pa.array(np.arange(batch.num_rows, dtype=np.uint64))
    columns = {f"k{i}": sortable(batch.column(k.name)) for i, k in enumerate(keys)}
    packed = packed_order(list(columns.values()), [Direction(k.descending, k.nulls_first) for k in keys], batch.num_rows)
    if packed is not None:
        return pa.array(packed.view(np.uint64))
    order = [
        (f"k{i}", "descending" if k.descending else "ascending", "at_start" if k.nulls_first else "at_end")
        for i, k in enumerate(keys)
    ]
    return pc.sort_indices(pa.RecordBatch.from_pydict(columns), sort_keys=order)


def sortable(array: Array) -> Array:
    """An array of the same order that Arrow sorts well.

    Floats become integers (Arrow sorts NaN with the NULLs), and small decimals (it compares them slowly); dictionaries are
    decoded.
    """
    type_ = array.type
    if pa.types.is_dictionary(type_):
        return sortable(array.cast(type_.value_type))
    if pa.types.is_null(type_):
        return pa.nulls(len(array), pa.int8())
    if type_ == pa.month_day_nano_interval():
        ordered = integers(array)
    elif pa.types.is_decimal128(type_) and type_.precision <= 18:
        ordered = decimal_words(array)[0].view(np.int64)
    elif pa.types.is_decimal64(type_):
        return array.view(pa.int64())
    elif pa.types.is_floating(type_):
        bits = canonical_floats(array).view(np.int64)
        ordered = bits ^ ((bits >> 63) & np.int64(0x7FFFFFFFFFFFFFFF))
    else:
        return array
    valid = validity(array)
    return pa.array(ordered, mask=None if valid is None else ~valid)
