"""Text of groups joined with a separator.

Handed a grouping, text and a separator; hands on one text a group. What always holds: NULLs are left out, a group without
values gives NULL, and rows of a group follow each other as they came.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from flightmesh.compute import pc
from flightmesh.errors import DataError
from flightmesh.kernel.group import Grouping
from flightmesh.kernel.radix import stable_order
from flightmesh.kernel.values import Array, validity

_LIMIT = 2**31 - 1


def joined_text(grouping: Grouping, argument: Array, separator: str | None) -> Array:
    """The texts of each group in one; NULL for all where the separator is. Raises DataError past 2 GiB in all."""
    if separator is None or pa.types.is_null(argument.type):
        return pa.nulls(grouping.count, pa.string())
    valid = validity(argument)
    rows = np.arange(len(argument)) if valid is None else np.flatnonzero(valid)
    ids = grouping.ids[rows]
    values = argument.take(pa.array(rows[stable_order(ids, grouping.count)]))
    total = (pc.sum(pc.binary_length(values)).as_py() or 0) + len(rows) * len(separator.encode())
    if total > _LIMIT:
        raise DataError("the texts joined here are longer than 2 GiB", hint="join fewer or shorter texts")
    counts = np.bincount(ids, minlength=grouping.count)
    offsets = np.concatenate((np.zeros(1, np.int64), np.cumsum(counts))).astype(np.int32)
    lists = pa.ListArray.from_arrays(pa.array(offsets), values.cast(pa.string()))
    joined = pc.binary_join(lists, separator)
    return pc.if_else(pa.array(counts > 0), joined, pa.scalar(None, pa.string()))
