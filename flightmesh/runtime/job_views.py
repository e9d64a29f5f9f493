"""A job's record as people are shown it: its stages with their edges, its tasks.

Handed a record (of an ended job, or of a running one so far); hands on answers to `stages` and `tasks`.
"""

from __future__ import annotations

from flightmesh.driver.record import JobRecord, StageRecord, TaskRecord
from flightmesh.driver.transitions import TaskPhase
from flightmesh.ids import WorkerId
from flightmesh.protocol.client_messages import EdgeStatus, Stages, StageStatus, Tasks, TaskStatus

def stages_of(record: JobRecord, mode: str) -> Stages:
    """The stages of a job. `mode`: how its edges cross between workers."""
    return Stages(tuple(_stage(stage, mode) for stage in record.stages))


def tasks_of(record: JobRecord, names: dict[WorkerId, str]) -> Tasks:
    """The tasks of a job, stage by stage. `names`: what people call the workers."""
    return Tasks(
        tuple(_task(stage, task, record.submitted, names) for stage in record.stages for task in stage.tasks),
    )


def _stage(stage: StageRecord, mode: str) -> StageStatus:
    edges: dict[int, tuple[int, int]] = {}
    for task in stage.tasks:
        for written in task.written:
            rows, size = edges.get(written.edge, (0, 0))
            edges[written.edge] = (rows + sum(written.rows), size + sum(written.bytes))
    done = sum(task.state.is_over for task in stage.tasks)
    pending = sum(task.state is TaskPhase.PENDING for task in stage.tasks)
    return StageStatus(
        stage=stage.stage,
        tasks=len(stage.tasks),
        pending=pending,
        running=len(stage.tasks) - done - pending,
        done=done,
        rows=sum(_rows(task) for task in stage.tasks),
        edges=tuple(EdgeStatus(edge, mode, rows, size, 0, 0) for edge, (rows, size) in sorted(edges.items())),
    )


def _task(stage: StageRecord, task: TaskRecord, submitted: float, names: dict[WorkerId, str]) -> TaskStatus:
    worker = None if task.worker is None else names.get(task.worker, str(task.worker))
    return TaskStatus(
        stage=stage.stage,
        index=task.index,
        attempt=0,
        state=task.state.value,
        worker=worker,
        started=None if task.started is None else task.started - submitted,
        ended=None if task.ended is None else task.ended - submitted,
        splits=task.splits,
        rows=_rows(task),
        spilled=sum(operator.detail("spilled_bytes") for operator in task.operators),
    )


def _rows(task: TaskRecord) -> int:
    """Rows that a task has put out so far: those of its last operator."""
    return task.operators[-1].rows if task.operators else 0
