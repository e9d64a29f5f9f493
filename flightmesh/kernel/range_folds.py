"""Folds many ranges of one array at a time, by a tree of pairs: for what cannot be taken back out of a running total.

Handed values, ranges and an associative operation; hands on one value a range. What always holds: a value outside a range
has no part in it (an infinity, or a number so large that a small one would be lost beside it).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from flightmesh.kernel.values import Int64s


def fold_ranges(values: npt.NDArray[Any], low: Int64s, high: Int64s, combine: np.ufunc, identity: Any) -> npt.NDArray[Any]:
    """`combine` of values[low:high] for each range, in logarithmic steps; `identity` for empty ones."""
    result = np.full(len(low), identity, values.dtype)
    open_ = np.flatnonzero(low < high)
    low, high, level = low[open_], high[open_], values
    while len(open_):
        odd = np.flatnonzero(low & 1)
        result[open_[odd]] = combine(result[open_[odd]], level[low[odd]])
        low[odd] += 1
        odd = np.flatnonzero(high & 1)
        high[odd] -= 1
        result[open_[odd]] = combine(result[open_[odd]], level[high[odd]])
        low >>= 1
        high >>= 1
        rest = np.flatnonzero(low < high)
        open_, low, high = open_[rest], low[rest], high[rest]
        if len(level) & 1:
            level = np.append(level, np.array([identity], level.dtype))
        level = combine(level[::2], level[1::2])
    return result
