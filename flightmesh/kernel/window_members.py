"""The rows of frames brought together, for aggregates that have no kernel of their own over frames.

Handed frames; hands on some frames at a time, with the rows of each. What always holds: a block has at most so many rows, but
for one frame that alone has more; frames without rows are in none.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from flightmesh.dataclass import dataclass
from flightmesh.kernel.expand import pair_windows
from flightmesh.kernel.values import Int64s
from flightmesh.kernel.window_frames import Frames


@dataclass(frozen=True, slots=True)
class Members:
    """`frames`: numbers of frames; `rows`: the rows that they look at, in order, and of which of those frames (0, 1, ...)
    each is."""

    frames: Int64s
    rows: Int64s
    of_frame: Int64s


def members(frames: Frames, most: int) -> Iterator[Members]:
    """All frames with rows, a block at a time."""
    sizes = frames.sizes()
    filled = np.flatnonzero(sizes)
    ends = np.cumsum(sizes[filled])
    start = 0
    while start < len(filled):
        before = int(ends[start - 1]) if start else 0
        stop = max(start + 1, int(np.searchsorted(ends, before + most, side="right")))
        yield _block(frames, filled[start:stop])
        start = stop


def _block(frames: Frames, chosen: Int64s) -> Members:
    """The rows of the chosen frames, range by range."""
    low, high = (np.stack([edge[chosen] for edge in edges], axis=1).ravel() for edges in zip(*frames.spans, strict=True))
    sizes = high - low
    ((spans, nth),) = pair_windows(sizes, max(int(sizes.sum()), 1))
    return Members(chosen, low[spans] + nth, spans // len(frames.spans))
