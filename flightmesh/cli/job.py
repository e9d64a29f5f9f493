"""`flightmesh job`: one job, its stages, its tasks, its error."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from flightmesh.cli.asking import Driver, DriverAt, MeshOption, TokenFile
from flightmesh.cli.guard import guarded
from flightmesh.cli.jobs import took
from flightmesh.cli.listing import Column, Format, ListingFormat, ago, clean, number, span, write_json, write_rows

if TYPE_CHECKING:
    from flightmesh.protocol.client_messages import JobStatus, StageStatus, TaskStatus

EXAMPLES = """\
[bold]Examples[/bold]

[cyan]flightmesh job 7 --driver 127.0.0.1:8815[/cyan]

[cyan]flightmesh job 7 --driver 127.0.0.1:8815 --format json | jq '.tasks[] | select(.state == "running")'[/cyan]
"""

Number = Annotated[int, typer.Argument(metavar="ID", min=1, help="The job's number, as `flightmesh jobs` lists it.")]

_STAGES = (
    number("STAGE"),
    number("TASKS"),
    number("PENDING"),
    number("RUNNING"),
    number("DONE"),
    number("ROWS"),
    number("EDGE"),
    Column("MODE"),
    number("ROWS SENT"),
    number("BYTES SENT"),
    number("PIPELINED"),
    number("LATE"),
)
_TASKS = (
    number("STAGE"),
    number("TASK"),
    number("ATTEMPT"),
    Column("STATE"),
    Column("WORKER"),
    number("STARTED"),
    number("TOOK"),
    number("SPLITS"),
    number("ROWS"),
    number("SPILLED"),
)


@guarded
def command(
    job: Number,
    driver: Driver = None,
    mesh: MeshOption = None,
    token_file: TokenFile = None,
    format: Format = ListingFormat.TABLE,
) -> None:
    """Show a job: how it stands, its stages with what they sent over each edge, its tasks, its error.

    Of an edge's readers, those counted as pipelined were there before its last writer ended; the others came late and read what
    was kept for them.
    """
    from flightmesh.errors import UnknownJob
    from flightmesh.ids import JobId
    from flightmesh.protocol.client_messages import AskJob, JobStatus, Stages, Tasks

    stages: tuple[StageStatus, ...] = ()
    tasks: tuple[TaskStatus, ...] = ()
    with DriverAt(driver, mesh, token_file) as asked:
        question = AskJob(JobId(job))
        status = asked.ask("status", question, JobStatus)
        try:
            stages = asked.ask("stages", question, Stages).stages
            tasks = asked.ask("tasks", question, Tasks).tasks
        except UnknownJob:  # it ended long ago, or before it began: the status is all there is
            pass
    if format is ListingFormat.JSON:
        write_json([{"status": status, "stages": stages, "tasks": tasks}])
        return
    _write_status(status)
    if stages:
        write_rows(_STAGES, [row for stage in stages for row in _stage_rows(stage)], "\nStages")
    if tasks:
        write_rows(_TASKS, [_task_row(task) for task in tasks], "\nTasks")


def _write_status(job: JobStatus) -> None:
    from flightmesh.cli.progress import size_text

    print(f"job {job.job}: {job.state}" + (f", {job.place}. in the queue" if job.place else ""))
    if job.text:
        print(f"query: {clean(' '.join(job.text.split()))}")
    print(f"submitted {ago(job.submitted)}" + (f", took {took(job)}" if job.started is not None else ""))
    print(f"{job.stages_done} of {job.stages} stages and {job.tasks_done} of {job.tasks} tasks done")
    print(f"read {job.rows:,} rows, {size_text(job.bytes)}")
    if job.error is not None:
        from flightmesh.errors import from_wire

        print(f"error: {from_wire(job.error).render()}")


def _stage_rows(stage: StageStatus) -> list[list[str]]:
    """A line for each output edge."""
    from flightmesh.cli.progress import size_text

    counts = [str(part) for part in (stage.stage, stage.tasks, stage.pending, stage.running, stage.done, f"{stage.rows:,}")]
    lines = [
        [str(edge.edge), edge.mode, f"{edge.rows:,}", size_text(edge.bytes), str(edge.pipelined), str(edge.late)]
        for edge in stage.edges
    ] or [[""] * 6]
    return [[*(counts if number == 0 else [""] * len(counts)), *line] for number, line in enumerate(lines)]


def _task_row(task: TaskStatus) -> list[str]:
    from flightmesh.cli.progress import size_text

    took = span(task.ended - task.started) if task.started is not None and task.ended is not None else ""
    return [
        str(task.stage),
        str(task.index),
        str(task.attempt),
        task.state,
        task.worker or "",
        span(task.started),
        took,
        str(task.splits),
        f"{task.rows:,}",
        size_text(task.spilled) if task.spilled else "",
    ]
