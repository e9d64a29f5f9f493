"""The form of a sketch of distinct values, and how many values it says there were.

A sketch is a HyperLogLog (Flajolet, Fusy, Gandouet, Meunier 2007) that begins as a set. Up to `MOST_HASHES` distinct values it
is their 64-bit hashes, eight bytes each, and counts exactly but for equal hashes. Beyond that it is `REGISTERS` bytes: the
first bits of a hash choose a register, which keeps the greatest position of the first 1 among the other bits. The count is then
Ertl's improved raw estimate ("New cardinality estimation algorithms for HyperLogLog sketches", 2017), which has no bias to
correct for small counts; its standard error is 1.04 / sqrt(4096) = 1.6 %.

Handed sketches as binary values; hands on counts. What always holds: which of the two forms a set of values has depends on the
set alone, so a count does not depend on how the rows were dealt to tasks.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from flightmesh.errors import DataError
from flightmesh.sketches.ragged import large_offsets

REGISTERS = 1 << 12
"""Registers, of one byte."""
MOST_HASHES = REGISTERS // 8 - 1
"""Hashes kept as they are: so that a set is always shorter than the registers."""
REST_BITS = 64 - 12
"""Bits of a hash that do not choose a register."""
CHUNK = 1 << 10
"""Sketches whose registers are counted at a time."""

Floats = npt.NDArray[np.float64]


def counts_of_sketches(sketches: pa.Array) -> pa.Array:
    """How many distinct values each sketch has seen; NULL is nothing seen. Raises DataError for what is no sketch."""
    offsets = large_offsets(sketches)
    sizes = np.diff(offsets)
    dense = np.flatnonzero(sizes == REGISTERS)
    if ((sizes > REGISTERS) | (sizes % 8 != 0)).any():
        raise DataError("this is no sketch of distinct values")
    counts = sizes // 8
    if len(dense):
        data = np.frombuffer(sketches.buffers()[2], np.uint8)
        counts[dense] = np.concatenate([_estimates(data, offsets[part]) for part in _chunks(dense)])
    return pa.array(counts)


def _chunks(rows: npt.NDArray[np.int64]) -> list[npt.NDArray[np.int64]]:
    return [rows[at : at + CHUNK] for at in range(0, len(rows), CHUNK)]


def _estimates(data: npt.NDArray[np.uint8], starts: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The estimates of the registers that begin at these bytes."""
    registers = np.lib.stride_tricks.sliding_window_view(data, REGISTERS)[starts]
    if registers.max() > REST_BITS + 1:
        raise DataError("this is no sketch of distinct values")
    levels = REST_BITS + 2
    numbered = registers.astype(np.int64) + levels * np.arange(len(starts))[:, None]
    found = np.bincount(numbered.ravel(), minlength=levels * len(starts)).reshape(-1, levels).astype(np.float64)
    total = REGISTERS * _tail(1 - found[:, -1] / REGISTERS) * 2.0**-REST_BITS
    for level in range(REST_BITS, 0, -1):
        total += found[:, level] * 2.0**-level
    total += REGISTERS * _head(found[:, 0] / REGISTERS)
    made: Any = np.rint(REGISTERS * REGISTERS / (2 * math.log(2)) / total)
    return made.astype(np.int64)  # type: ignore[no-any-return]


def _head(share: Floats) -> Floats:
    """Ertl's sigma: what registers that are still 0, this share of all, add to the sum."""
    power, weight, total = share.copy(), 1.0, share.copy()
    while True:
        power = power * power
        more = power * weight
        if not (more > total * 1e-17).any():
            return total
        total += more
        weight *= 2


def _tail(share: Floats) -> Floats:
    """Ertl's tau: what registers at the last level add, of which 1 - `share` are."""
    root, weight, total = share.copy(), 1.0, 1 - share
    if not total.any():
        return total
    for _ in range(64):
        root = np.sqrt(root)
        weight /= 2
        total -= (1 - root) ** 2 * weight
    return total / 3
