"""The rows that have been seen, and which of others have not: what UNION in a recursive query asks each turn.

Handed batches of one schema; hands on those of their rows that came for the first time. What always holds: NULL equals NULL,
NaN equals NaN; the rows are kept in runs whose sizes at least double, so that each row is indexed a logarithmic number of times
and looked up in as many indexes (the logarithmic method of Bentley and Saxe, "Decomposable Searching Problems", 1980).
"""

from __future__ import annotations

from dataclasses import field

import numpy as np
import pyarrow as pa

from flightmesh.dataclass import dataclass
from flightmesh.kernel.group import group_rows
from flightmesh.kernel.join_index import JoinIndex, build_key_index
from flightmesh.kernel.masks import keep_rows

SMALL_RUN = 4096
"""Runs up to so many rows are always one: to index them anew costs no more than to ask another index."""


@dataclass(frozen=True, slots=True)
class _Run:
    rows: pa.RecordBatch
    index: JoinIndex

    @property
    def nbytes(self) -> int:
        return int(self.rows.nbytes) + self.index.nbytes


@dataclass(slots=True)
class SeenRows:
    """The rows that `fresh` has given so far, as what they are compared by."""

    _runs: list[_Run] = field(default_factory=list)

    @property
    def nbytes(self) -> int:
        """Bytes of the rows and their indexes."""
        return sum(run.nbytes for run in self._runs)

    def fresh(self, batch: pa.RecordBatch, keys: pa.RecordBatch) -> pa.RecordBatch:
        """The rows of a batch that are new, each once; they are known from now on. `keys`: what its rows are compared by, the
        batch itself where every column has a hash."""
        rows = None if keys is batch else batch
        if keys.num_rows > 1:
            grouping = group_rows(keys.columns, keys.num_rows)
            if grouping.count < keys.num_rows:
                first = pa.array(np.sort(grouping.rows))
                keys, rows = keys.take(first), None if rows is None else rows.take(first)
        for run in self._runs:
            if keys.num_rows == 0:
                break
            unknown = ~run.index.lookup(keys.columns, keys.num_rows).matched()
            keys, rows = keep_rows(keys, unknown), None if rows is None else keep_rows(rows, unknown)
        if keys.num_rows:
            self._add(keys)
        return keys if rows is None else rows

    def _add(self, batch: pa.RecordBatch) -> None:
        parts, rows = [batch], batch.num_rows
        while self._runs and self._runs[-1].rows.num_rows <= max(SMALL_RUN, rows):
            last = self._runs.pop()
            parts.append(last.rows)
            rows += last.rows.num_rows
        merged = pa.concat_batches(parts) if len(parts) > 1 else batch
        self._runs.append(_Run(merged, build_key_index(merged.columns, [True] * merged.num_columns)))
