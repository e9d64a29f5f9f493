"""Lists of the values of groups, and lists of groups joined.

Handed a grouping and a column, or a column of partial lists; hands on one list a group. What always holds: NULLs are elements
like any other, rows of a group follow each other as they came, and a group of no rows gives NULL.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from flightmesh.compute import pc
from flightmesh.errors import DataError
from flightmesh.kernel.group import Grouping
from flightmesh.kernel.radix import stable_order
from flightmesh.kernel.values import Array, Int64s, Mask, validity

_LIMIT = 2**31 - 1


def collected(grouping: Grouping, argument: Array) -> Array:
    """The values of each group. Raises DataError past the elements that an array can hold."""
    counts = np.bincount(grouping.ids, minlength=grouping.count)
    values = argument.take(pa.array(stable_order(grouping.ids, grouping.count)))
    return _lists(counts, values, counts == 0)


def joined_lists(grouping: Grouping, argument: Array) -> Array:
    """The lists of each group one after the other; NULLs among them are left out."""
    valid = validity(argument)
    rows = np.arange(len(argument)) if valid is None else np.flatnonzero(valid)
    ids = grouping.ids[rows]
    ordered = argument.take(pa.array(rows[stable_order(ids, grouping.count)]))
    lengths = np.asarray(pc.list_value_length(ordered)).astype(np.float64)
    counts = np.bincount(np.sort(ids), weights=lengths, minlength=grouping.count).astype(np.int64)
    return _lists(counts, ordered.flatten(), np.bincount(ids, minlength=grouping.count) == 0)


def _lists(counts: Int64s, values: Array, none: Mask) -> Array:
    offsets = np.zeros(len(counts) + 1, np.int64)
    np.cumsum(counts, out=offsets[1:])
    if int(offsets[-1]) > _LIMIT:
        raise DataError("the lists collected here have more elements than an array can hold", hint="collect fewer rows")
    mask = pa.array(none) if none.any() else None
    return pa.ListArray.from_arrays(pa.array(offsets.astype(np.int32)), values, mask=mask)
