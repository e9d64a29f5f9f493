"""Whether a run may go on with the plan of the one before."""

from __future__ import annotations

import enum

from flightmesh.dataclass import dataclass


class Plans(enum.StrEnum):
    """KEPT: every run of a query has the same text. ANEW: each has a text of its own, so that no engine knows it."""

    KEPT = "kept"
    ANEW = "anew"


@dataclass(slots=True)
class Texts:
    """The texts of the runs of one side."""

    plans: Plans
    _count: int = 0

    def next(self, sql: str) -> str:
        """The text of the next run."""
        if self.plans is Plans.KEPT:
            return sql
        self._count += 1
        return f"{sql}\n-- {self._count}"
