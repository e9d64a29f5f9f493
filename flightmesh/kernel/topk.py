"""Keeps the first rows of a stream in a given order, holding about as many rows as it keeps.

Handed batches one by one; hands on the first `count` rows of all of them, sorted (stable: earlier rows first among equals).
Once it has `count` rows it drops, before sorting, rows whose first key already comes after the last kept row's.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from flightmesh.compute import pc
from flightmesh.kernel.batches import concat_batches, empty_batch, take_rows
from flightmesh.kernel.key_codes import integer_values
from flightmesh.kernel.masks import keep_rows
from flightmesh.kernel.sort import SortKey, sort_indices, sortable

_FAR_TOO_MANY = 4
_SORTED_AT_ONCE = 4096
"""Asked for the last key, so few rows are sorted anew at once; more of them when `count` have come since: sorting is dear."""
_MANY_BYTES = 4 << 20
"""Rows far too many are not held back for later when they are long."""


class TopRows:
    """The first `count` rows in order of `keys` of all batches added so far."""

    def __init__(self, keys: Sequence[SortKey], count: int, slack: int) -> None:
        self._keys = tuple(keys)
        self._count = count
        self._limit = count + slack
        self._kept: list[pa.RecordBatch] = []
        self._rows = 0
        self._unsorted = 0
        self._bytes = 0
        self._bound: pa.Scalar | None = None
        self._has_all = False

    def add(self, batch: pa.RecordBatch) -> None:
        """Takes the rows of a batch into account."""
        if self._count == 0:
            return
        batch = self._candidates(batch) if self._bound is not None else self._preselected(batch)
        if batch.num_rows == 0:
            return
        self._kept.append(batch)
        self._rows += batch.num_rows
        self._unsorted += batch.num_rows
        self._bytes += batch.nbytes
        if self._rows > self._limit or (self._rows > _FAR_TOO_MANY * self._count and self.nbytes > _MANY_BYTES):
            self._shrink()

    def result(self, schema: pa.Schema) -> pa.RecordBatch:
        """The rows, sorted; an empty batch of `schema` when there are none."""
        if not self._kept:
            return empty_batch(schema)
        self._shrink()
        return self._kept[0]

    def last_key(self) -> pa.Scalar | None:
        """The first key of the last row kept: nothing after it will be among the first. Of many rows it may be some rows old.
        None while there are fewer than `count` rows."""
        if self._count == 0 or self._rows < self._count or not self._keys:
            return None
        few = self._unsorted and self._rows <= _SORTED_AT_ONCE
        if few or not self._has_all or self._unsorted >= self._count:
            self._shrink()
        return self._kept[0].column(self._keys[0].name)[self._count - 1]

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        return self._bytes

    def _shrink(self) -> None:
        schema = self._kept[0].schema
        merged = concat_batches(self._kept, schema)
        order = sort_indices(merged, self._keys)
        best = take_rows(merged, order[: self._count], schema)
        self._kept, self._rows, self._unsorted, self._bytes = [best], best.num_rows, 0, best.nbytes
        if self._rows == self._count and self._keys:
            self._has_all = True
            self._bound = sortable(best.column(self._keys[0].name))[-1]

    def _preselected(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Of a first batch with far too many rows, those that can be among its own first: finding the last of them is much
        cheaper than sorting all."""
        if not self._keys or batch.num_rows < _FAR_TOO_MANY * self._count:
            return batch
        key = self._keys[0]
        column = sortable(batch.column(key.name))
        found = integer_values(column)
        if found is None or found[1] is not None or column.null_count or column.type == pa.uint64():
            return batch
        values = ~found[0] if key.descending else found[0]
        last = np.partition(values, self._count - 1)[self._count - 1]
        return keep_rows(batch, values <= last)

    def _candidates(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The rows that may still be among the first: those whose first key is not after the bound's."""
        if self._bound is None or not self._bound.is_valid:
            return batch
        key = self._keys[0]
        values = sortable(batch.column(key.name))
        before = pc.greater_equal(values, self._bound) if key.descending else pc.less_equal(values, self._bound)
        return keep_rows(batch, pc.fill_null(before, key.nulls_first))
