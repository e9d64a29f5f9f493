"""Typed identities. Integers and strings on the wire; distinct types to mypy, so that one is never taken for another."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import NewType

from flightmesh.dataclass import dataclass

ColumnId = NewType("ColumnId", int)
"""One column of one relation of one query. Unique in a query: a table scanned twice has two sets of ids."""

SharedId = NewType("SharedId", int)
"""One relation of a query that is computed once and read by several references."""

RecursionId = NewType("RecursionId", int)
"""One recursive relation of a query, as what reads its working table names it."""

JobId = NewType("JobId", int)
StageId = NewType("StageId", int)
EdgeId = NewType("EdgeId", int)
WorkerId = NewType("WorkerId", str)
Bucket = NewType("Bucket", int)


@dataclass(frozen=True, slots=True, order=True)
class TaskId:
    """One share of a stage: task `index` of `stage` of `job`."""

    job: JobId
    stage: StageId
    index: int

    def __str__(self) -> str:
        return f"{self.job}.{self.stage}.{self.index}"


@dataclass(frozen=True, slots=True, order=True)
class AttemptId:
    """One try at a task; numbers count from 0 and are never reused."""

    task: TaskId
    number: int

    def __str__(self) -> str:
        return f"{self.task}/{self.number}"


@dataclass(frozen=True, slots=True, order=True)
class ChannelId:
    """What one attempt wrote on one edge for one bucket."""

    edge: EdgeId
    producer: AttemptId
    bucket: Bucket

    def __str__(self) -> str:
        return f"{self.producer}>{self.edge}#{self.bucket}"


class ColumnIds:
    """Hands out column ids for one query, counting up; the only source of ids while a query is planned."""

    def __init__(self, first: int = 0) -> None:
        self._next: Iterator[int] = itertools.count(first)

    def fresh(self) -> ColumnId:
        """A column id that this query has not used."""
        return ColumnId(next(self._next))
