"""`flightmesh jobs`: the jobs that a driver remembers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flightmesh.cli.asking import Driver, DriverAt, MeshOption, TokenFile
from flightmesh.cli.guard import guarded
from flightmesh.cli.listing import Column, Format, ListingFormat, ago, number, span, write_json, write_rows

if TYPE_CHECKING:
    from flightmesh.protocol.client_messages import JobStatus

EXAMPLES = """\
[bold]Examples[/bold]

[cyan]flightmesh jobs --driver 127.0.0.1:8815[/cyan]

[cyan]flightmesh jobs --driver 127.0.0.1:8815 --format json | jq 'select(.state == "running")'[/cyan]
"""

_COLUMNS = (
    number("JOB"),
    Column("STATE"),
    Column("SUBMITTED"),
    number("TOOK"),
    number("TASKS"),
    number("ROWS READ"),
    number("BYTES READ"),
    Column("QUERY"),
)
_TEXT = 60


@guarded
def command(
    driver: Driver = None, mesh: MeshOption = None, token_file: TokenFile = None, format: Format = ListingFormat.TABLE
) -> None:
    """List jobs: those that run, those that wait for their turn, and the latest that have ended."""
    from flightmesh.protocol.client_messages import Jobs

    with DriverAt(driver, mesh, token_file) as asked:
        jobs = asked.ask("jobs", None, Jobs).jobs
    if format is ListingFormat.JSON:
        write_json(jobs)
        return
    write_rows(_COLUMNS, [_row(job) for job in jobs])


def _row(job: JobStatus) -> list[str]:
    from flightmesh.cli.progress import size_text

    text = " ".join(job.text.split())
    return [
        str(job.job),
        job.state,
        f"{ago(job.submitted)}, {job.place}. in the queue" if job.place else ago(job.submitted),
        took(job),
        f"{job.tasks_done}/{job.tasks}",
        f"{job.rows:,}",
        size_text(job.bytes),
        text if len(text) <= _TEXT else text[: _TEXT - 1] + "…",
    ]


def took(job: JobStatus) -> str:
    """How long a job ran, or has been running."""
    import time

    if job.started is None:
        return ""
    return span(max(0.0, (job.ended or time.time()) - job.started))
