"""What was measured, and what follows from it: totals, geometric means, ratios.

Handed figures of each query and side; hands on a value that a table, a chart and a document are made of. What always holds:
sums that are compared are over the same queries, those that all sides in the comparison have answered rightly; a side without
a right answer to a query has no figures there, and says why.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field
from typing import TypeVar

from flightmesh.dataclass import dataclass

Number = TypeVar("Number", int, float)


@dataclass(frozen=True, slots=True)
class Figures:
    """A side's best run of a query. `seconds`, `cpu` and `planning` in seconds, `peak` and the others in bytes, `byte_seconds`
    memory over time. `planning`, `rows`, `exchanged`, `remote` and `spilled` are None where a side does not tell."""

    seconds: float
    cpu: float
    peak: int
    byte_seconds: float
    planning: float | None = None
    rows: int | None = None
    """That went from stage to stage."""
    exchanged: int | None = None
    remote: int | None = None
    spilled: int | None = None
    rounds: tuple[float, ...] = ()
    """Seconds of every round."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a side has no figures for a query."""

    why: str


@dataclass(frozen=True, slots=True)
class Setting:
    """What was run, and where."""

    benchmark: str
    scale: str
    threads: int
    rounds: int
    machine: str
    date: str
    load: tuple[float, float]
    """The load average at the start and at the end."""
    plans: str = "kept"
    """`kept`, or `anew` where each run had a text of its own."""
    is_throughput: bool = False
    """Whether rows and bytes a second are what it is about."""


@dataclass(frozen=True, slots=True)
class Results:
    """A run of the command. `outcomes`: of each query, of each side that was asked."""

    setting: Setting
    sides: Mapping[str, str]
    """Name -> version."""
    outcomes: Mapping[int, Mapping[str, Figures | Fault]]
    ours: tuple[str, ...] = ()
    """The sides that are this engine."""
    skipped: Mapping[str, str] = field(default_factory=dict)
    """Sides that could not be opened, and why."""
    titles: Mapping[int, str] = field(default_factory=dict)
    """What a query is, in a few words, where that is known."""

    def is_ours(self, side: str) -> bool:
        """Whether a side is this engine."""
        return side in self.ours

    def figures(self, side: str) -> dict[int, Figures]:
        """A side's figures by query."""
        found = {number: by_side.get(side) for number, by_side in self.outcomes.items()}
        return {number: one for number, one in found.items() if isinstance(one, Figures)}

    def faults(self, side: str) -> dict[int, str]:
        """Why a side has none."""
        found = {number: by_side.get(side) for number, by_side in self.outcomes.items()}
        return {number: one.why for number, one in found.items() if isinstance(one, Fault)}

    def shared(self, sides: Iterable[str]) -> list[int]:
        """The queries for which all of these sides have figures."""
        known = [self.figures(side).keys() for side in sides]
        return [number for number in self.outcomes if all(number in keys for keys in known)]


@dataclass(frozen=True, slots=True)
class Totals:
    """Over some queries: sums, the geometric mean of the seconds, the highest peak."""

    seconds: float
    geometric_mean: float
    cpu: float
    peak: int
    byte_seconds: float
    planning: float | None
    exchanged: int | None
    remote: int | None
    spilled: int | None


def totals(figures: Sequence[Figures]) -> Totals:
    """Of at least one query."""
    return Totals(
        seconds=sum(one.seconds for one in figures),
        geometric_mean=math.exp(sum(math.log(max(one.seconds, 1e-6)) for one in figures) / len(figures)),
        cpu=sum(one.cpu for one in figures),
        peak=max(one.peak for one in figures),
        byte_seconds=sum(one.byte_seconds for one in figures),
        planning=_sum(one.planning for one in figures),
        exchanged=_sum(one.exchanged for one in figures),
        remote=_sum(one.remote for one in figures),
        spilled=_sum(one.spilled for one in figures),
    )


def _sum(values: Iterable[Number | None]) -> Number | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None
