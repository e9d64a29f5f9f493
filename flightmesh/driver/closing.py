"""Early close: readers that have enough close their buckets, and producers whose rows nobody reads stop; so LIMIT stops scans.

Handed a task that is over, or that has enough of an input; hands on what to drop and whom to stop, up through all stages
before it. What always holds: a Broadcast edge closes when every reader has closed it, another bucket when its one reader has;
an edge that is kept until its job ends closes as soon as all its readers are over.
"""

from __future__ import annotations

from dataclasses import replace

from flightmesh.driver.entries import JobEntry, Table, TaskEntry
from flightmesh.driver.events import DriverEffect, Send
from flightmesh.driver.transitions import Happening, TaskPhase, Verdict, outcome
from flightmesh.ids import EdgeId, JobId, WorkerId
from flightmesh.physical.partitioning import Broadcast
from flightmesh.protocol.messages import CloseBuckets, ReadEnd, Retention, StopTask


def inputs_of_ended(table: Table, task: TaskEntry) -> list[DriverEffect]:
    """Closes the inputs that a task, now over, has not read to their end."""
    complete = set()
    if task.phase is TaskPhase.FINISHED and task.report is not None:
        complete = {read.edge for read in task.report.read if read.end is ReadEnd.COMPLETE}
    effects: list[DriverEffect] = []
    for edge in table.stage(task.id).inputs:
        if edge in complete:
            effects.extend(_drop_if_kept(table, task.id.job, edge))
            effects.extend(_stop_if_unread(table, task.id.job, edge))
        else:
            effects.extend(close_input(table, task, edge))
    return effects


def close_input(table: Table, task: TaskEntry, edge: EdgeId) -> list[DriverEffect]:
    """Notes that a task reads no more of an edge."""
    current = table.task(task.id)
    if current is None or edge in current.closed:
        return []
    table.put(replace(current, closed=current.closed | {edge}))
    job = table.jobs[task.id.job]
    plan = job.edges[edge]
    if isinstance(plan.edge.partitioning, Broadcast):
        if not _unread(table, job, edge):
            return []
        effects = _close(table, job, edge, range(1))
    else:
        effects = _close(table, job, edge, plan.range_of(task.id.index))
    return [*effects, *_stop_if_unread(table, job.id, edge)]


def openers(table: Table, job: JobEntry, edge: EdgeId) -> list[WorkerId]:
    """Workers that have the plan of a stage at either end of an edge, and so have it open. One that gets a plan later gets
    with it what was said of its edges; nobody has it open where the stages at both ends were skipped."""
    ends = (job.edges[edge].edge.producer, job.edges[edge].edge.consumer)
    return [worker for worker in sorted(job.holders) if any(worker in table.planners(job.id, end) for end in ends)]


def _close(table: Table, job: JobEntry, edge: EdgeId, buckets: range) -> list[DriverEffect]:
    if not buckets:
        return []
    table.jobs[job.id] = replace(table.jobs[job.id], dropped=(*job.dropped, (edge, buckets.start, buckets.stop)))
    message = CloseBuckets(job.id, edge, buckets.start, buckets.stop)
    return [Send(worker, message) for worker in openers(table, job, edge)]


def _drop_if_kept(table: Table, job_id: JobId, edge: EdgeId) -> list[DriverEffect]:
    job = table.jobs[job_id]
    if job.edges[edge].retention is not Retention.JOB or edge in job.closed or not _unread(table, job, edge):
        return []
    return _close(table, job, edge, range(job.edges[edge].buckets))


def _unread(table: Table, job: JobEntry, edge: EdgeId) -> bool:
    """Whether every reader of an edge is over or has closed it."""
    consumer = job.edges[edge].edge.consumer
    if consumer is None:
        return False
    return all(task.phase.is_over or edge in task.closed for task in table.tasks[job.id][consumer])


def _stop_if_unread(table: Table, job_id: JobId, edge: EdgeId) -> list[DriverEffect]:
    """Stops the producers of an edge that nobody reads any more, if none of their other edges is read either."""
    job = table.jobs[job_id]
    if edge in job.closed or not _unread(table, job, edge):
        return []
    job = replace(job, closed=job.closed | {edge})
    table.jobs[job_id] = job
    stage = job.graph.stage(job.edges[edge].edge.producer)
    if not all(output in job.closed for output in stage.outputs):
        return []
    effects: list[DriverEffect] = []
    for task in table.tasks[job_id][stage.id]:
        effects.extend(_stop(table, task))
    return effects


def _stop(table: Table, task: TaskEntry) -> list[DriverEffect]:
    happening = Happening.SKIP if task.phase is TaskPhase.PENDING else Happening.STOP
    found = outcome(task.phase, happening)
    if found.verdict is not Verdict.LEGAL:
        return []
    stopped = replace(task, phase=found.phase)
    table.put(stopped)
    if happening is Happening.SKIP:
        return inputs_of_ended(table, stopped)
    return [] if task.worker is None else [Send(task.worker, StopTask(task.attempt))]
