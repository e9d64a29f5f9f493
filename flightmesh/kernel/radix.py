"""The stable order of small non-negative integers: by passes of 16 bits (numpy sorts those by radix, wider ones by merging), or
by merging where they come in long ascending runs, as keys do that were read from files sorted by them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from flightmesh.kernel.values import Int64s

_DIGIT = 16
_RUN_ROWS = 256


def stable_order(numbers: npt.NDArray[np.integer[Any]], below: int) -> Int64s:
    """Row numbers that sort `numbers`, all of them at least 0 and less than `below`; equal ones keep their order."""
    descents = int(np.count_nonzero(numbers[1:] < numbers[:-1]))
    if descents * _RUN_ROWS < len(numbers):
        return np.argsort(numbers, kind="stable")
    if below <= 1 << 8:
        return np.argsort(numbers.astype(np.uint8), kind="stable")
    order = np.argsort(numbers.astype(np.uint16), kind="stable")  # the low 16 bits
    shift = _DIGIT
    while below > 1 << shift:
        digit = (numbers >> shift).astype(np.uint16 if below > 1 << (shift + 8) else np.uint8)
        order = order[np.argsort(digit[order], kind="stable")]
        shift += _DIGIT
    return order
