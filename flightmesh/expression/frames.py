"""The frames of window functions: which rows of its partition a row's function looks at.

Handed on by the binder, as a part of window calls. What always holds: a bound that is not a constant distance is given by an
expression beside the frame (`Frame.varying` says how many), and constant distances stand only in ROWS and GROUPS.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Sequence

from flightmesh.dataclass import dataclass
from flightmesh.errors import InternalError


class FrameUnit(enum.Enum):
    """What bounds count: ROWS, values of the order's key (RANGE), or GROUPS of peers. The last two take peers together."""

    ROWS = "rows"
    RANGE = "range"
    GROUPS = "groups"


class Exclude(enum.Enum):
    """What a frame leaves out: nothing, its own row, the row's peers with it, or the peers without it."""

    NO_OTHERS = "no others"
    CURRENT_ROW = "current row"
    GROUP = "group"
    TIES = "ties"


class Side(enum.Enum):
    """Where a bound is: at the partition's end, at the row, or at a distance before or after it."""

    UNBOUNDED = "unbounded"
    CURRENT = "current"
    PRECEDING = "preceding"
    FOLLOWING = "following"


@dataclass(frozen=True, slots=True)
class Bound:
    """One end of a frame. `distance`: how far PRECEDING or FOLLOWING; None where an expression beside the frame says it."""

    side: Side
    distance: int | None = None

    @property
    def is_varying(self) -> bool:
        """Whether an expression says where it is."""
        return self.side in (Side.PRECEDING, Side.FOLLOWING) and self.distance is None


UNBOUNDED = Bound(Side.UNBOUNDED)
CURRENT = Bound(Side.CURRENT)


@dataclass(frozen=True, slots=True)
class Frame:
    """The rows that a function sees of its partition, from `start` to `end`, both included, without what `exclude` says."""

    unit: FrameUnit
    start: Bound
    end: Bound
    exclude: Exclude = Exclude.NO_OTHERS

    def __post_init__(self) -> None:
        if self.unit is FrameUnit.RANGE and not (self.start.distance is None and self.end.distance is None):
            raise InternalError("a RANGE frame with a distance that is not an expression")

    @property
    def varying(self) -> int:
        """How many expressions its bounds read: of RANGE the order's key, then one value a bound; else one distance a bound."""
        bounds = self.start.is_varying + self.end.is_varying
        return bounds + (self.unit is FrameUnit.RANGE and bounds > 0)


DEFAULT_FRAME = Frame(FrameUnit.RANGE, UNBOUNDED, CURRENT)
"""What SQL takes where no frame is written; without ORDER BY all rows are peers."""


def format_frame(frame: Frame, read: Sequence[str]) -> str:
    """` rows 2 preceding to current`; `read`: the texts of the expressions that its bounds read. Nothing for the default."""
    if frame == DEFAULT_FRAME:
        return ""
    rest = iter(read[1:] if frame.unit is FrameUnit.RANGE and read else read)
    start = "first" if frame.start.side is Side.UNBOUNDED else _bound(frame, frame.start, rest)
    end = "last" if frame.end.side is Side.UNBOUNDED else _bound(frame, frame.end, rest)
    without = "" if frame.exclude is Exclude.NO_OTHERS else f" without {frame.exclude.value}"
    return f" {frame.unit.value} {start} to {end}{without}"


def _bound(frame: Frame, bound: Bound, read: Iterator[str]) -> str:
    if bound.side is Side.CURRENT:
        return "current"
    if bound.distance is not None:
        return f"{bound.distance} {bound.side.value}"
    return next(read) if frame.unit is FrameUnit.RANGE else f"{next(read)} {bound.side.value}"
