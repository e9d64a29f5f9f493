"""Pairs from counts: row i matches `counts[i]` others; which pair is it at each place of the list of all pairs?

Handed the counts; hands on windows of the list of pairs, each at most so long, without ever holding the whole list.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from flightmesh.kernel.values import Int64s


def pair_windows(counts: npt.NDArray[np.integer[Any]], limit: int) -> Iterator[tuple[Int64s, Int64s]]:
    """(rows, nth): for each pair its row and how many pairs of that row come before it; at most `limit` pairs a window."""
    ends = np.cumsum(counts, dtype=np.int64)
    total = int(ends[-1]) if len(ends) else 0
    for start in range(0, total, limit):
        stop = min(start + limit, total)
        first = int(np.searchsorted(ends, start, side="right"))
        last = int(np.searchsorted(ends, stop - 1, side="right"))
        rows = np.arange(first, last + 1)
        begins = ends[first : last + 1] - counts[first : last + 1]
        filled = begins < ends[first : last + 1]
        rows, begins = rows[filled], begins[filled]
        at = np.zeros(stop - start, np.int64)  # the place in `rows` of each pair: ones where a row begins, added up
        at[begins[1:] - start] = 1
        np.cumsum(at, out=at)
        yield rows[at], np.arange(start, stop) - begins[at]
