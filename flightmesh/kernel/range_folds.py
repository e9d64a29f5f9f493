"""Folds many ranges of one array at a time, by a tree of pairs: for what cannot be taken back out of a running total.

Handed values, ranges and an associative operation in which the order does not count; hands on one value a range. What always
holds: a value outside a range has no part in it (an infinity, or a number so large that a small one would be lost beside it).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from flightmesh.kernel.values import Int64s

State: TypeAlias = tuple[npt.NDArray[Any], ...]
"""What is folded: one number a row, or several."""


def fold_ranges(values: npt.NDArray[Any], low: Int64s, high: Int64s, combine: np.ufunc, identity: Any) -> npt.NDArray[Any]:
    """`combine` of values[low:high] for each range, in logarithmic steps; `identity` for empty ones."""
    (result,) = fold_states((values,), low, high, lambda a, b: (combine(a[0], b[0]),), (identity,))
    return result


def fold_states(
    values: State, low: Int64s, high: Int64s, combine: Callable[[State, State], State], identity: tuple[Any, ...]
) -> State:
    """The same for values of several parts."""
    result = tuple(np.full(len(low), nothing, part.dtype) for part, nothing in zip(values, identity, strict=True))
    open_ = np.flatnonzero(low < high)
    low, high, level = low[open_], high[open_], values
    while len(open_):
        odd = np.flatnonzero(low & 1)
        _put(result, open_[odd], combine(_at(result, open_[odd]), _at(level, low[odd])))
        low[odd] += 1
        odd = np.flatnonzero(high & 1)
        high[odd] -= 1
        _put(result, open_[odd], combine(_at(result, open_[odd]), _at(level, high[odd])))
        low >>= 1
        high >>= 1
        rest = np.flatnonzero(low < high)
        open_, low, high = open_[rest], low[rest], high[rest]
        if len(level[0]) & 1:
            pairs = zip(level, identity, strict=True)
            level = tuple(np.append(part, np.array([nothing], part.dtype)) for part, nothing in pairs)
        level = combine(tuple(part[::2] for part in level), tuple(part[1::2] for part in level))
    return result


def _at(state: State, rows: Int64s) -> State:
    return tuple(part[rows] for part in state)


def _put(state: State, rows: Int64s, values: State) -> None:
    for part, new in zip(state, values, strict=True):
        part[rows] = new
