"""What may happen to a task at its driver: the one table of (phase, happening) -> outcome.

LEGAL moves on, ABSORBED is a late or doubled message that changes nothing, ILLEGAL is a bug: the job fails and says so.
"""

from __future__ import annotations

import enum

from flightmesh.dataclass import dataclass


class TaskPhase(enum.Enum):
    """Where a task is. ENDING: told to cancel or stop, its last report is awaited. SKIPPED: nobody wanted its rows. `is_over`:
    nothing more comes of the task; `is_resident`: it takes up a place at a worker. Both are asked of every task of a job at
    each report of one: so they are values of the phase, and a phase is hashed as the one object that it is."""

    is_over: bool
    is_resident: bool

    PENDING = "pending"
    RUNNING = "running"
    STOPPING = "stopping"
    CANCELLING = "cancelling"
    FINISHED = "finished"
    FAILED = "failed"
    CANCELLED = "cancelled"
    SKIPPED = "skipped"

    def __init__(self, value: str) -> None:
        self.is_over = value in ("finished", "failed", "cancelled", "skipped")
        self.is_resident = value in ("running", "stopping", "cancelling")

    __hash__ = object.__hash__


class Happening(enum.Enum):
    """What can happen to a task. The first four are its driver's doing, LOST is its worker's loss, the others that worker's
    reports."""

    PLACE = "place"
    SKIP = "skip"
    STOP = "stop"
    CANCEL = "cancel"
    LOST = "lost its worker"
    PROGRESSED = "progressed"
    WANTED_SPLITS = "wanted splits"
    CLOSED_INPUT = "closed an input"
    FINISHED = "finished"
    FAILED = "failed"
    CANCELLED = "cancelled"

    __hash__ = object.__hash__


class Verdict(enum.Enum):
    """What a happening means in a phase."""

    LEGAL = "legal"
    ABSORBED = "absorbed"
    ILLEGAL = "illegal"


@dataclass(frozen=True, slots=True)
class Outcome:
    """A verdict and, where legal, the phase after it."""

    verdict: Verdict
    phase: TaskPhase


_P, _H = TaskPhase, Happening

_LEGAL: dict[tuple[TaskPhase, Happening], TaskPhase] = {
    (_P.PENDING, _H.PLACE): _P.RUNNING,
    (_P.PENDING, _H.SKIP): _P.SKIPPED,
    (_P.PENDING, _H.CANCEL): _P.CANCELLED,
    (_P.RUNNING, _H.STOP): _P.STOPPING,
    (_P.RUNNING, _H.CANCEL): _P.CANCELLING,
    (_P.STOPPING, _H.CANCEL): _P.CANCELLING,
    (_P.RUNNING, _H.PROGRESSED): _P.RUNNING,
    (_P.STOPPING, _H.PROGRESSED): _P.STOPPING,
    (_P.RUNNING, _H.WANTED_SPLITS): _P.RUNNING,
    (_P.RUNNING, _H.CLOSED_INPUT): _P.RUNNING,
    (_P.STOPPING, _H.CLOSED_INPUT): _P.STOPPING,
    (_P.RUNNING, _H.FINISHED): _P.FINISHED,
    (_P.STOPPING, _H.FINISHED): _P.FINISHED,
    (_P.CANCELLING, _H.FINISHED): _P.FINISHED,
    (_P.RUNNING, _H.FAILED): _P.FAILED,
    (_P.STOPPING, _H.FAILED): _P.FAILED,
    (_P.CANCELLING, _H.FAILED): _P.CANCELLED,
    (_P.CANCELLING, _H.CANCELLED): _P.CANCELLED,
    (_P.RUNNING, _H.CANCELLED): _P.CANCELLED,  # its worker gave it up: the job fails
    (_P.STOPPING, _H.CANCELLED): _P.CANCELLED,
    (_P.RUNNING, _H.LOST): _P.FAILED,
    (_P.STOPPING, _H.LOST): _P.FAILED,
    (_P.CANCELLING, _H.LOST): _P.CANCELLED,
}

_OVER = (_P.FINISHED, _P.FAILED, _P.CANCELLED, _P.SKIPPED)
_REPORTS = (_H.PROGRESSED, _H.WANTED_SPLITS, _H.CLOSED_INPUT, _H.FINISHED, _H.FAILED, _H.CANCELLED)

_ABSORBED: frozenset[tuple[TaskPhase, Happening]] = frozenset(
    {
        *((phase, _H.CANCEL) for phase in (*_OVER, _P.CANCELLING)),
        *((phase, _H.STOP) for phase in (*_OVER, _P.STOPPING, _P.CANCELLING)),
        *((phase, _H.SKIP) for phase in _OVER),
        *((phase, _H.LOST) for phase in _OVER),
        *((phase, report) for phase in (_P.FINISHED, _P.FAILED, _P.CANCELLED) for report in _REPORTS),
        (_P.STOPPING, _H.WANTED_SPLITS),  # it will not read them
        (_P.CANCELLING, _H.WANTED_SPLITS),
        (_P.CANCELLING, _H.CLOSED_INPUT),
        (_P.CANCELLING, _H.PROGRESSED),
    }
)


def outcome(phase: TaskPhase, happening: Happening) -> Outcome:
    """What `happening` means for a task in `phase`."""
    legal = _LEGAL.get((phase, happening))
    if legal is not None:
        return Outcome(Verdict.LEGAL, legal)
    verdict = Verdict.ABSORBED if (phase, happening) in _ABSORBED else Verdict.ILLEGAL
    return Outcome(verdict, phase)
