"""What a log line is about: the job, the stage, the task. The process that logs writes them beside the message."""

from __future__ import annotations

from flightmesh.ids import AttemptId, JobId, StageId

SUBJECTS = ("job", "stage", "task")


def about(*, job: JobId | None = None, stage: StageId | None = None, task: AttemptId | None = None) -> dict[str, object]:
    """The `extra` of a logging call. A task says its stage and job too."""
    if task is not None:
        return {"job": task.task.job, "stage": task.task.stage, "task": str(task)}
    named = {"job": job, "stage": stage}
    return {name: value for name, value in named.items() if value is not None}
