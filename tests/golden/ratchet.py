"""Tables of figures of every plan that may fall, not grow: `counts.txt` of what a plan has, `costs.txt` of what it is to do.

Handed stage graphs; hands on figures by query and place, their text, and what changed. What always holds: the text is read
back as it was written, its last line, the sums, aside.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from flightmesh.stage.graph import StageGraph
from tests.golden.plans import NAMES, Name, Place, Planner

Figures = dict[str, int]
Table = dict[tuple[Name, Place], Figures]


@dataclass(frozen=True, slots=True)
class Ratchet:
    """`figures` gives each of `columns` for the graph of a place; one has changed when it is by more than `slack`, a share,
    another."""

    path: Path
    columns: tuple[str, ...]
    figures: Callable[[StageGraph, Place], Figures]
    slack: float = 0.0

    def counted(self, planner: Planner) -> Table:
        """The figures of all queries at all places."""
        return {(name, place): self.figures(planner.plan(name, place).graph, place) for name in NAMES for place in Place}

    def stored(self) -> Table:
        """What the file says; nothing where there is none."""
        return self.read(self.path.read_text()) if self.path.exists() else {}

    def written(self, table: Table) -> str:
        """The table as text: a line a query and place, the sums last."""
        width = max(map(len, self.columns)) + 1
        width = max(width, 11)
        lines = [f"{'query':<20}" + "".join(f"{column:>{width}}" for column in self.columns)]
        for (name, place), found in table.items():
            lines.append(f"{f'{name} {place.value}':<20}" + "".join(f"{found[column]:>{width}}" for column in self.columns))
        totals = [sum(found[column] for found in table.values()) for column in self.columns]
        return "\n".join([*lines, f"{'all':<20}" + "".join(f"{total:>{width}}" for total in totals)]) + "\n"

    def lowered(self, was: Table, now: Table) -> Table:
        """`now`, but for what has grown within the slack: else it could grow without end, a little each time."""
        return {
            key: {column: min(number, was.get(key, {}).get(column, number)) for column, number in found.items()}
            for key, found in now.items()
        }

    def read(self, text: str) -> Table:
        """What `written` wrote."""
        head, *lines, _ = text.splitlines()
        columns = head.split()[1:]
        table: Table = {}
        for line in lines:
            benchmark, number, place, *numbers = line.split()
            table[Name(benchmark, int(number[1:])), Place(place)] = dict(zip(columns, map(int, numbers), strict=True))
        return table

    def changes(self, was: Table, now: Table) -> tuple[list[str], list[str]]:
        """In words: what grew, and what fell."""
        grew: list[str] = []
        fell: list[str] = []
        for (name, place), found in now.items():
            before = was.get((name, place), {})
            for column in self.columns:
                old, new = before.get(column, 0), found[column]
                if abs(new - old) > self.slack * old:
                    (grew if new > old else fell).append(f"{name} {place.value}: {column} {old} -> {new}")
        return grew, fell
