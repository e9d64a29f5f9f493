"""`flightmesh cancel`: ends a job."""

from __future__ import annotations

from flightmesh.cli.asking import Driver, DriverAt, MeshOption, TokenFile
from flightmesh.cli.guard import guarded
from flightmesh.cli.job import Number

EXAMPLES = """\
[bold]Examples[/bold]

[cyan]flightmesh cancel 7 --driver 127.0.0.1:8815[/cyan]
"""


@guarded
def command(job: Number, driver: Driver = None, mesh: MeshOption = None, token_file: TokenFile = None) -> None:
    """End a job and free what it holds on every node. One that has ended stays as it is."""
    from flightmesh.ids import JobId
    from flightmesh.protocol.client_messages import AskJob, Done, JobStatus

    question = AskJob(JobId(job))
    with DriverAt(driver, mesh, token_file) as asked:
        before = asked.ask("status", question, JobStatus)
        asked.ask("cancel", question, Done)
    over = before.ended is not None
    print(f"job {job} is {before.state} already" if over else f"job {job} is being cancelled")
