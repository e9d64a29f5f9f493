"""Frames of window calls as the kernels take them.

Handed a frame and the columns that its bounds read, in the order of the sorted rows; hands on how far frames reach.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from flightmesh.expression.frames import Bound, Exclude, Frame, FrameUnit, Side
from flightmesh.kernel.values import Array
from flightmesh.kernel.window_frames import Counted, Edge, Excluded, Extent

_COUNTED = {FrameUnit.ROWS: Counted.ROWS, FrameUnit.GROUPS: Counted.GROUPS, FrameUnit.RANGE: Counted.GROUPS}
_EXCLUDED = {
    Exclude.NO_OTHERS: Excluded.NOTHING,
    Exclude.CURRENT_ROW: Excluded.ROW,
    Exclude.GROUP: Excluded.GROUP,
    Exclude.TIES: Excluded.TIES,
}


def extent(frame: Frame, read: Sequence[Array], descending: bool) -> Extent:
    """A RANGE that reaches over no distance of values is one of groups."""
    excluded = _EXCLUDED[frame.exclude]
    if frame.unit is FrameUnit.RANGE and read:
        rest = iter(read[1:])
        start, end = _edge(frame.start, rest), _edge(frame.end, rest)
        return Extent(Counted.VALUES, start, end, excluded, read[0], descending)
    rest = iter(read)
    return Extent(_COUNTED[frame.unit], _edge(frame.start, rest), _edge(frame.end, rest), excluded)


def _edge(bound: Bound, read: Iterator[Array]) -> int | Edge | None:
    if bound.side is Side.UNBOUNDED:
        return None
    if bound.side is Side.CURRENT:
        return 0
    sign = -1 if bound.side is Side.PRECEDING else 1
    return Edge(sign, next(read)) if bound.distance is None else sign * bound.distance
