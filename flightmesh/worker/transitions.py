"""What may happen to an attempt on a worker: the one table of (state, event) -> outcome.

LEGAL moves on, ABSORBED is a late or doubled message that changes nothing, ILLEGAL is a bug and is said so.
"""

from __future__ import annotations

import enum

from flightmesh.dataclass import dataclass


class AttemptState(enum.Enum):
    """Where an attempt is on its worker. ENDED ones are kept until their job is released, so that late orders show."""

    UNKNOWN = "unknown"
    RUNNING = "running"
    ENDING = "ending"
    ENDED = "ended"

    __hash__ = object.__hash__


class Happening(enum.Enum):
    """What can happen to an attempt."""

    RUN = "run"
    CANCEL = "cancel"
    STOP = "stop"
    SPLITS_USED_UP = "splits used up"
    SPLITS_GRANTED = "splits granted"
    INPUT_CLOSED = "input closed"
    PROGRESSED = "progressed"
    ENDED = "ended"

    __hash__ = object.__hash__


class Verdict(enum.Enum):
    """What a happening means in a state."""

    LEGAL = "legal"
    ABSORBED = "absorbed"
    ILLEGAL = "illegal"


@dataclass(frozen=True, slots=True)
class Outcome:
    """A verdict and, where legal, the state after it."""

    verdict: Verdict
    state: AttemptState


_U, _R, _E, _X = AttemptState.UNKNOWN, AttemptState.RUNNING, AttemptState.ENDING, AttemptState.ENDED
_H = Happening

_LEGAL: dict[tuple[AttemptState, Happening], AttemptState] = {
    (_U, _H.RUN): _R,
    (_R, _H.CANCEL): _E,
    (_R, _H.STOP): _E,
    (_E, _H.CANCEL): _E,
    (_R, _H.SPLITS_USED_UP): _R,
    (_E, _H.SPLITS_USED_UP): _E,
    (_R, _H.SPLITS_GRANTED): _R,
    (_R, _H.INPUT_CLOSED): _R,
    (_E, _H.INPUT_CLOSED): _E,
    (_R, _H.PROGRESSED): _R,
    (_R, _H.ENDED): _X,
    (_E, _H.ENDED): _X,
}

_ABSORBED: frozenset[tuple[AttemptState, Happening]] = frozenset(
    {
        (_R, _H.RUN),  # a doubled order
        (_E, _H.RUN),
        (_X, _H.RUN),
        (_U, _H.CANCEL),  # of a job that was released
        (_X, _H.CANCEL),
        (_U, _H.STOP),
        (_E, _H.STOP),
        (_X, _H.STOP),
        (_U, _H.SPLITS_GRANTED),
        (_E, _H.SPLITS_GRANTED),  # asked for before the cancel
        (_X, _H.SPLITS_GRANTED),
        (_E, _H.PROGRESSED),
        (_X, _H.PROGRESSED),
        (_X, _H.SPLITS_USED_UP),
        (_X, _H.INPUT_CLOSED),
        (_X, _H.ENDED),
    }
)


def outcome(state: AttemptState, happening: Happening) -> Outcome:
    """What `happening` means for an attempt in `state`."""
    legal = _LEGAL.get((state, happening))
    if legal is not None:
        return Outcome(Verdict.LEGAL, legal)
    verdict = Verdict.ABSORBED if (state, happening) in _ABSORBED else Verdict.ILLEGAL
    return Outcome(verdict, state)
