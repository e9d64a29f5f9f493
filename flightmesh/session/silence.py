"""Tells a driver that is gone from one that is busy.

Handed questions to ask; hands on answers, None for one that did not come. What always holds: who listens no more, twice in
a row, or has said nothing for long raises NodeUnavailable.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from flightmesh.errors import NodeSilent, NodeUnavailable

ANSWER_SECONDS = 2.0
"""How long an answer may take."""
SILENT_SECONDS = 8.0
"""How long nothing may be heard of a node before it counts as lost."""
_REFUSALS = 2

Answer = TypeVar("Answer")


class Silence:
    """How long a driver has not been heard of."""

    def __init__(self) -> None:
        self._heard = time.monotonic()
        self._refused = 0

    def ask(self, question: Callable[[], Answer]) -> Answer | None:
        """The answer, or None if there was none and the driver may still be there. Raises NodeUnavailable once it is not."""
        try:
            answer = question()
        except NodeUnavailable as error:
            self._refused = 0 if isinstance(error, NodeSilent) else self._refused + 1
            if self._refused >= _REFUSALS or time.monotonic() - self._heard > SILENT_SECONDS:
                raise
            return None
        self._heard, self._refused = time.monotonic(), 0
        return answer
