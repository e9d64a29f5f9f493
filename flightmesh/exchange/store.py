"""The exchange store of a process: the logs of all edges of all jobs.

Handed edges to open, seal and close, and jobs to release; hands on the logs to sinks and readers. What always holds: after
a job's release the store has nothing of it, in memory or on disk, and rows that come late for it are dropped.
"""

from __future__ import annotations

import threading

from flightmesh.config import ExchangeConfig
from flightmesh.dataclass import dataclass
from flightmesh.errors import InternalError
from flightmesh.exchange.budget import MemoryBudget
from flightmesh.exchange.log import EdgeLog
from flightmesh.exchange.memory import ChannelMemory
from flightmesh.exchange.spill import SpillArea, spill_area
from flightmesh.ids import AttemptId, EdgeId, JobId
from flightmesh.protocol.messages import EdgePlan


@dataclass(frozen=True, slots=True)
class StoreFigures:
    """What a store holds. `memory`: bytes of rows in memory, of `memory_share`; `spilled`: bytes on disk now, in `files`, of
    `disk_limit` (None: not used yet, or no disk); `spilled_ever`: bytes of rows that have gone to disk since the start, as they
    counted in memory; `channels`: buckets that hold something."""

    memory: int
    memory_share: int
    spilled: int
    spilled_ever: int
    files: int
    channels: int
    disk_limit: int | None


class ExchangeStore:
    """Logs by job and edge. Any thread may call."""

    def __init__(self, budget: MemoryBudget, spill: SpillArea | None = None, memory: int | None = None) -> None:
        """`memory`: bytes of the budget that rows may take before they are spilled (None: half of it). Without `spill` rows
        stay in memory, up to the budget."""
        self.budget = budget
        self._spill = spill
        self._memory = ChannelMemory(budget, budget.limit // 2 if memory is None else memory, spill)
        self._logs: dict[JobId, dict[EdgeId, EdgeLog]] = {}
        self._lock = threading.Lock()

    def open(self, job: JobId, plan: EdgePlan) -> EdgeLog:
        """The log of an edge, made if it is not there yet."""
        with self._lock:
            logs = self._logs.setdefault(job, {})
            if plan.edge.id not in logs:
                logs[plan.edge.id] = EdgeLog(job, plan, self._memory)
                self._memory.add_log(logs[plan.edge.id])
            return logs[plan.edge.id]

    def log(self, job: JobId, edge: EdgeId) -> EdgeLog:
        """The log of an edge that was opened."""
        found = self.find(job, edge)
        if found is None:
            raise InternalError(f"edge {edge} of job {job} is not open here")
        return found

    def find(self, job: JobId, edge: EdgeId) -> EdgeLog | None:
        """The log of an edge, or None where it is not open."""
        with self._lock:
            return self._logs.get(job, {}).get(edge)

    def seal(self, job: JobId, edge: EdgeId, winners: tuple[AttemptId, ...]) -> None:
        """Ends an edge."""
        self.log(job, edge).seal(winners)

    def close(self, job: JobId, edge: EdgeId, buckets: range) -> None:
        """Drops buckets of an edge that nobody reads."""
        self.log(job, edge).close(buckets)

    def wake(self, job: JobId) -> None:
        """Lets the job's waiting readers look at their `check` again."""
        for log in self._job_logs(job):
            log.wake()

    def release(self, job: JobId) -> None:
        """Drops everything of a job."""
        with self._lock:
            logs = self._logs.pop(job, {})
        self._memory.drop_logs(logs.values())
        for log in logs.values():
            log.close(range(log.plan.buckets))
        self._memory.forget(job)

    def shut(self) -> None:
        """Drops every job, and the spill folder with it. Repeating it is harmless."""
        with self._lock:
            jobs = list(self._logs)
        for job in jobs:
            self.release(job)
        if self._spill is not None:
            self._spill.close()

    def held(self) -> dict[tuple[JobId, EdgeId], int]:
        """Bytes in memory of every open edge; empty when every job has been released."""
        return {(job, edge): log.held for job, edge, log in self._all_logs()}

    def spilled(self, job: JobId) -> dict[EdgeId, int]:
        """Bytes of rows that have gone to disk, by edge of a job that is not released."""
        return {log.plan.edge.id: log.spilled_ever for log in self._job_logs(job)}

    def figures(self) -> StoreFigures:
        """What the store holds now."""
        spill, memory = self._spill, self._memory
        channels = sum(log.channels for _, _, log in self._all_logs())
        on_disk, files, limit = (spill.bytes, spill.files, spill.limit) if spill is not None else (0, 0, None)
        return StoreFigures(memory.used, memory.share, on_disk, memory.spilled_ever, files, channels, limit)

    def _job_logs(self, job: JobId) -> list[EdgeLog]:
        with self._lock:
            return list(self._logs.get(job, {}).values())

    def _all_logs(self) -> list[tuple[JobId, EdgeId, EdgeLog]]:
        with self._lock:
            return [(job, edge, log) for job, logs in self._logs.items() for edge, log in logs.items()]


def exchange_store(budget: MemoryBudget, config: ExchangeConfig) -> ExchangeStore:
    """The store that a configuration describes. Touches no disk until it spills."""
    return ExchangeStore(budget, spill_area(config), config.memory)
