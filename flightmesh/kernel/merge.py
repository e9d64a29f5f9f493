"""Merges sorted runs into one, a block at a time.

Handed runs as iterators of batches, each run sorted by the same keys; hands on batches whose concatenation is sorted. It holds
one batch of each run: in every round the rows up to the least of the runs' last rows are certain, and one sort orders them.
Equal rows come in order of their runs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa

from flightmesh.kernel.batches import concat_batches, take_rows
from flightmesh.kernel.sort import SortKey, sort_indices


def merge_runs(runs: Sequence[Iterator[pa.RecordBatch]], keys: Sequence[SortKey]) -> Iterator[pa.RecordBatch]:
    """The rows of all runs in order of `keys`."""
    heads: dict[int, pa.RecordBatch] = {}
    for number, run in enumerate(runs):
        _advance(heads, number, run)
    while len(heads) > 1:
        numbers = sorted(heads)
        schema = heads[numbers[0]].schema
        merged = concat_batches([heads[n] for n in numbers], schema)
        order = sort_indices(merged, keys).to_numpy()
        ends = np.cumsum([heads[n].num_rows for n in numbers])
        places = np.empty(len(order), np.int64)
        places[order] = np.arange(len(order))
        certain = int(places[ends - 1].min()) + 1  # nothing still unread comes before the least last row
        yield take_rows(merged, order[:certain], schema)
        used = _used(order[:certain], ends)
        for at, number in enumerate(numbers):
            heads[number] = heads[number].slice(int(used[at]))
            if heads[number].num_rows == 0:
                del heads[number]
                _advance(heads, number, runs[number])
    for number, head in heads.items():
        yield head
        yield from (batch for batch in runs[number] if batch.num_rows)


def _advance(heads: dict[int, pa.RecordBatch], number: int, run: Iterator[pa.RecordBatch]) -> None:
    for batch in run:
        if batch.num_rows:
            heads[number] = batch
            return


def _used(rows: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """How many of the rows come from each run, where run i's rows end before `ends[i]`."""
    return np.bincount(np.searchsorted(ends, rows, side="right"), minlength=len(ends))
