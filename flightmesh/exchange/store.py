"""The exchange store of a process: the logs of all edges of all jobs.

Handed edges to open, seal and close, and jobs to release; hands on the logs to sinks and readers. What always holds: after
a job's release the store has nothing of it, and rows that come late for it are dropped.
"""

from __future__ import annotations

import threading

from flightmesh.errors import InternalError
from flightmesh.exchange.budget import MemoryBudget
from flightmesh.exchange.log import EdgeLog
from flightmesh.ids import AttemptId, EdgeId, JobId
from flightmesh.protocol.messages import EdgePlan


class ExchangeStore:
    """Logs by job and edge. Any thread may call."""

    def __init__(self, budget: MemoryBudget) -> None:
        self.budget = budget
        self._logs: dict[JobId, dict[EdgeId, EdgeLog]] = {}
        self._lock = threading.Lock()

    def open(self, job: JobId, plan: EdgePlan) -> EdgeLog:
        """The log of an edge, made if it is not there yet."""
        with self._lock:
            logs = self._logs.setdefault(job, {})
            if plan.edge.id not in logs:
                logs[plan.edge.id] = EdgeLog(job, plan, self.budget)
            return logs[plan.edge.id]

    def log(self, job: JobId, edge: EdgeId) -> EdgeLog:
        """The log of an edge that was opened."""
        with self._lock:
            found = self._logs.get(job, {}).get(edge)
        if found is None:
            raise InternalError(f"edge {edge} of job {job} is not open here")
        return found

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
        for log in logs.values():
            log.close(range(log.plan.buckets))

    def held(self) -> dict[tuple[JobId, EdgeId], int]:
        """Bytes held by every open edge; empty when every job has been released."""
        with self._lock:
            return {(job, edge): log.held for job, logs in self._logs.items() for edge, log in logs.items()}

    def _job_logs(self, job: JobId) -> list[EdgeLog]:
        with self._lock:
            return list(self._logs.get(job, {}).values())
