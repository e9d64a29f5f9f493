"""Where partitions and peers begin and end, in rows that are sorted by partition and order.

Handed key columns in that order; hands on row numbers. What always holds: a range of rows is half open.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from flightmesh.dataclass import dataclass
from flightmesh.kernel.equality import rows_equal
from flightmesh.kernel.values import Array, Int64s, Mask


@dataclass(frozen=True, slots=True)
class Runs:
    """Neighbouring rows that belong together. `ids`: the run of each row; `starts` and `ends` by run."""

    ids: Int64s
    starts: Int64s
    ends: Int64s


@dataclass(frozen=True, slots=True)
class Layout:
    """The partitions of sorted rows (at least one row), and the peers within them."""

    rows: int
    partitions: Runs
    peers: Runs

    @property
    def numbers(self) -> Int64s:
        """Each row's own number."""
        return np.arange(self.rows, dtype=np.int64)


def layouts(partition: Sequence[Array], order: Sequence[Array], rows: int, keys: Sequence[int]) -> dict[int, Layout]:
    """The layout for each of these numbers of order keys."""
    changes = _changes(partition, rows)
    partitions = _runs(changes, rows)
    made = {}
    seen = 0
    for count in sorted(set(keys)):
        changes = changes | _changes(order[seen:count], rows)
        seen = count
        made[count] = Layout(rows, partitions, _runs(changes, rows) if count else partitions)
    return made


def _changes(columns: Sequence[Array], rows: int) -> Mask:
    """Whether each row but the first differs from the one before."""
    if not columns:
        return np.zeros(rows - 1, np.bool_)
    return ~rows_equal([c.slice(1) for c in columns], [c.slice(0, rows - 1) for c in columns])


def _runs(changes: Mask, rows: int) -> Runs:
    starts = np.concatenate((np.zeros(1, np.int64), np.flatnonzero(changes) + 1))
    ids = np.zeros(rows, np.int64)
    np.cumsum(changes, out=ids[1:])
    return Runs(ids, starts, np.append(starts[1:], rows))
