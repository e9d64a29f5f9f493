"""What is kept of finished jobs: the latest of them, as people see them; of the very latest the whole record. What always
holds: it does not grow past its bounds, however many jobs the driver has served."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace

from flightmesh.dataclass import dataclass
from flightmesh.driver.record import JobRecord
from flightmesh.ids import JobId
from flightmesh.protocol.client_messages import JobStatus, StageStatus, TaskStatus

RECORDS = 50
"""Finished jobs whose records are kept whole."""

SMALL_TASKS = 1000
"""Tasks of a finished job that are kept one by one."""


@dataclass(frozen=True, slots=True)
class FinishedJob:
    """A job that is over. Times in `status` are the driver's clock."""

    status: JobStatus
    stages: tuple[StageStatus, ...]
    tasks: tuple[TaskStatus, ...]
    record: JobRecord | None


class History:
    """The latest `length` finished jobs."""

    def __init__(self, length: int) -> None:
        self._length = length
        self._jobs: OrderedDict[JobId, FinishedJob] = OrderedDict()

    @property
    def keeps_any(self) -> bool:
        """Whether it remembers jobs at all."""
        return self._length > 0

    def add(self, job: FinishedJob) -> None:
        """Remembers a job, and forgets older ones for it."""
        if not self.keeps_any:
            return
        self._jobs[job.status.job] = replace(job, tasks=job.tasks[:SMALL_TASKS])
        while len(self._jobs) > self._length:
            self._jobs.popitem(last=False)
        if len(self._jobs) > RECORDS:
            old = list(self._jobs)[-RECORDS - 1]
            self._jobs[old] = replace(self._jobs[old], record=None)

    def find(self, job: JobId) -> FinishedJob | None:
        """A finished job, if it is still known."""
        return self._jobs.get(job)

    def jobs(self) -> tuple[FinishedJob, ...]:
        """All that are known, the latest last."""
        return tuple(self._jobs.values())
