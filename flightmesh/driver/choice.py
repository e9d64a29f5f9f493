"""Chooses the worker that a task goes to: by tasks of its stage there, slots in use, and data held.

Handed the table and the workers with room; hands on the one of least cost, in slots' worth of waiting. What always holds:
tasks of a stage spread evenly over workers that are equally free; the data draws a task to it unless that is worth more
waiting than the data is; the same table gives the same choice. A stage that reads files which nodes serve has a task at each
of them before any has a second one, as far as its tasks go.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from flightmesh.catalog.table import FileTable, MemoryTable
from flightmesh.catalog.table import Table as CatalogTable
from flightmesh.driver.entries import Holders, Table, TaskEntry, WorkerEntry
from flightmesh.ids import EdgeId, JobId, StageId, TaskId, WorkerId
from flightmesh.physical.partitioning import Broadcast

BUSY = 0.5
"""What a worker whose slots are all in use costs, against one task of the same stage a slot, which costs 1. Less, for the
figures are as old as a heartbeat, and a stage on all workers is worth more than a moment's idleness."""

HELD = 1.0
"""What holding all of a task's input is worth."""


class Choice:
    """The workers as they stand, weighed for tasks that are placed in one go."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._in_stage: dict[tuple[JobId, StageId, WorkerId], int] = {}
        self._used: dict[WorkerId, int] = {}
        self._served: dict[tuple[JobId, StageId], frozenset[Holders]] = {}
        self._written: dict[tuple[JobId, EdgeId], dict[WorkerId, list[int]]] = {}
        since_heard: dict[WorkerId, int] = {}
        for job in table.jobs:
            for task in table.tasks_of(job):
                if task.phase.is_resident and task.worker is not None:
                    self._count(task.id, task.worker)
                    if self._is_unheard_of(task):
                        since_heard[task.worker] = since_heard.get(task.worker, 0) + 1
        for worker in table.present():
            busy = 0 if worker.load is None else worker.slots - worker.load.free_slots
            self._used[worker.id] = busy + since_heard.get(worker.id, 0)

    def best(self, task: TaskId, workers: Sequence[WorkerEntry]) -> WorkerId:
        """The worker for a task, of some; noted, so that the next one is weighed with it there."""
        workers = self.lacking(task, workers) or workers
        chosen = workers[0].id
        if len(workers) > 1:
            held = self._held(task)
            chosen = min(workers, key=lambda worker: (self._cost(task, worker, held), _carried(worker), worker.id)).id
        self._count(task, chosen)
        self._used[chosen] = self._used.get(chosen, 0) + 1
        return chosen

    def count(self, task: TaskId, worker: WorkerId) -> int:
        """How many tasks of a task's stage a worker has."""
        return self._in_stage.get((task.job, task.stage, worker), 0)

    def lacking(self, task: TaskId, workers: Sequence[WorkerEntry]) -> list[WorkerEntry]:
        """Those of some workers that serve files which a task's stage reads, and that have, like all others that serve the same
        ones, none of its tasks yet."""
        groups = self._groups(task)
        if not groups:
            return []
        there = {entry.worker for entry in self._table.tasks[task.job][task.stage]}
        there |= {worker for job, stage, worker in self._in_stage if (job, stage) == (task.job, task.stage)}
        bare = [group for group in groups if there.isdisjoint(group)]
        return [worker for worker in workers if any(worker.id in group for group in bare)]

    def _groups(self, task: TaskId) -> frozenset[Holders]:
        """The workers that hold the same served files, of all files that a task's stage reads."""
        known = self._served.get((task.job, task.stage))
        if known is None:
            tables = [scan.table for scan in self._table.stage(task).scans]
            files = [file for table in tables if isinstance(table, FileTable) for file in table.files]
            known = self._served[task.job, task.stage] = frozenset(file.holders for file in files if file.holders)
        return known

    def _count(self, task: TaskId, worker: WorkerId) -> None:
        key = (task.job, task.stage, worker)
        self._in_stage[key] = self._in_stage.get(key, 0) + 1

    def _is_unheard_of(self, task: TaskEntry) -> bool:
        """Whether the worker's latest figures are from before the task was placed there."""
        worker = None if task.worker is None else self._table.workers.get(task.worker)
        return worker is not None and (worker.load is None or (task.started or 0.0) >= worker.heard)

    def _cost(self, task: TaskId, worker: WorkerEntry, held: dict[WorkerId, float]) -> float:
        spread = self._in_stage.get((task.job, task.stage, worker.id), 0) / worker.slots
        busy = min(1.0, self._used.get(worker.id, 0) / worker.slots)
        return round(spread + BUSY * busy - HELD * held.get(worker.id, 0.0), 6)

    def _held(self, task: TaskId) -> dict[WorkerId, float]:
        """The share of a task's input that lies at each worker: parts of tables in memory, files that it serves, rows of its
        producers."""
        bytes_at: dict[WorkerId, int] = {}
        job, stage = self._table.jobs[task.job], self._table.stage(task)
        for scan in stage.scans:
            for holder, size in _lying_at(scan.table):
                bytes_at[holder] = bytes_at.get(holder, 0) + size
        for edge in stage.inputs:
            plan = job.edges[edge]
            if isinstance(plan.edge.partitioning, Broadcast):
                continue
            for holder, sizes in self._sizes(task.job, edge).items():
                bytes_at[holder] = bytes_at.get(holder, 0) + sum(sizes[bucket] for bucket in plan.range_of(task.index))
        total = sum(bytes_at.values())
        return {worker: size / total for worker, size in bytes_at.items()} if total else {}

    def _sizes(self, job_id: JobId, edge: EdgeId) -> dict[WorkerId, list[int]]:
        """Bytes of each bucket of an edge at each worker, as far as its producers have ended."""
        known = self._written.get((job_id, edge))
        if known is not None:
            return known
        plan = self._table.jobs[job_id].edges[edge]
        known = self._written[job_id, edge] = {}
        for task in self._table.tasks[job_id][plan.edge.producer]:
            if task.report is None or task.worker is None:
                continue
            for written in task.report.written:
                if written.edge == edge:
                    sizes = known.setdefault(task.worker, [0] * plan.buckets)
                    known[task.worker] = [a + b for a, b in zip(sizes, written.bytes, strict=True)]
        return known


def _lying_at(table: CatalogTable) -> Iterator[tuple[WorkerId, int]]:
    """Bytes of a table and the worker where they lie, if they lie at one."""
    if isinstance(table, MemoryTable):
        yield from ((WorkerId(part.holder), part.bytes) for part in table.parts)
    elif table.is_served:
        yield from ((WorkerId(holder), file.size) for file in table.files for holder in file.holders)


def _carried(worker: WorkerEntry) -> int:
    """Bytes that a worker's exchange holds: what decides between workers that are else alike."""
    return 0 if worker.load is None else worker.load.exchange_bytes + worker.load.spilled_bytes
