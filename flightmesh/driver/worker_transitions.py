"""What may happen to a worker at its driver: the one table of (state, happening) -> outcome.

LEGAL moves on, ABSORBED changes nothing: what is said by or of a worker that is gone. A worker that comes back is another one.
"""

from __future__ import annotations

import enum

from flightmesh.driver.transitions import Verdict


class WorkerState(enum.Enum):
    """How a worker stands. DRAINING: it takes no new tasks, and goes when nothing of any job is left there."""

    ALIVE = "alive"
    DRAINING = "draining"
    LOST = "lost"
    LEFT = "left"

    @property
    def is_present(self) -> bool:
        """Whether it is one of the mesh."""
        return self in (WorkerState.ALIVE, WorkerState.DRAINING)


class WorkerHappening(enum.Enum):
    """What can happen to a worker."""

    HEARD = "heard"
    DRAINED = "asked to drain"
    LOST = "lost"
    LEFT = "left"


_S, _H = WorkerState, WorkerHappening

_LEGAL: dict[tuple[WorkerState, WorkerHappening], WorkerState] = {
    (_S.ALIVE, _H.HEARD): _S.ALIVE,
    (_S.DRAINING, _H.HEARD): _S.DRAINING,  # nothing makes it take tasks again
    (_S.ALIVE, _H.DRAINED): _S.DRAINING,
    (_S.DRAINING, _H.DRAINED): _S.DRAINING,
    (_S.ALIVE, _H.LOST): _S.LOST,
    (_S.DRAINING, _H.LOST): _S.LOST,
    (_S.ALIVE, _H.LEFT): _S.LEFT,
    (_S.DRAINING, _H.LEFT): _S.LEFT,
}


def worker_outcome(state: WorkerState, happening: WorkerHappening) -> tuple[Verdict, WorkerState]:
    """What `happening` means for a worker in `state`."""
    after = _LEGAL.get((state, happening))
    return (Verdict.ABSORBED, state) if after is None else (Verdict.LEGAL, after)
