"""Tells workers what they need of a job's stages and edges: plans, seals, where an edge is written and where it is read.

Handed the table; hands on messages. What always holds: a plan goes once a stage and worker, followed by all that was said of
its edges before; each list of sources or readers includes those told before; a worker without an address is told of nobody,
for it is the only one.
"""

from __future__ import annotations

from dataclasses import replace

from flightmesh.driver.entries import JobEntry, Table, TaskEntry
from flightmesh.driver.events import DriverEffect, Send
from flightmesh.driver.transitions import TaskPhase
from flightmesh.ids import EdgeId, JobId, StageId, WorkerId
from flightmesh.protocol.messages import (
    CloseBuckets,
    EdgePlan,
    EdgeReaders,
    EdgeSources,
    ExchangeMode,
    FilterKeys,
    PlanStage,
    Reader,
    SealEdge,
    Source,
)

_SOURCES = "sources"
_READERS = "readers"


def plan_stage(table: Table, job_id: JobId, stage_id: StageId, worker: WorkerId) -> list[DriverEffect]:
    """The plan of a stage, if the worker does not have it, and what was said of its edges before."""
    if worker in table.planners(job_id, stage_id):
        return []
    table.planned[job_id][stage_id] = (*table.planners(job_id, stage_id), worker)
    job = table.jobs[job_id] = replace(table.jobs[job_id], holders=table.jobs[job_id].holders | {worker})
    stage = job.graph.stage(stage_id)
    inputs, outputs = (tuple(job.edges[e] for e in edges) for edges in (stage.inputs, stage.outputs))
    effects: list[DriverEffect] = [Send(worker, PlanStage(job.id, stage, inputs, outputs))]
    for edge in stage.inputs:
        if edge in job.sealed:
            effects.append(Send(worker, seal(table, job, edge)))
        effects.extend(_tell_sources(table, job, job.edges[edge], worker))
    for edge in stage.outputs:
        effects.extend(Send(worker, message) for message in _closes(job, edge))
        effects.extend(_tell_readers(table, job, job.edges[edge], worker))
    effects.extend(Send(worker, FilterKeys(job_id, keys)) for keys in job.keys if stage.applies(keys.filter))
    return effects


def tell_growth(table: Table, job_id: JobId) -> list[DriverEffect]:
    """Where an edge is written and read, to those at its other end who do not know all of it yet."""
    job = table.jobs[job_id]
    effects: list[DriverEffect] = []
    for plan in job.edges.values():
        for worker in table.planners(job_id, plan.edge.consumer):
            effects.extend(_tell_sources(table, job, plan, worker))
        for worker in table.planners(job_id, plan.edge.producer):
            effects.extend(_tell_readers(table, job, plan, worker))
    return effects


def seal(table: Table, job: JobEntry, edge: EdgeId) -> SealEdge:
    """The end of an edge: its winners, and where their rows lie."""
    winners = [task for task in table.tasks[job.id][job.edges[edge].edge.producer] if task.phase is TaskPhase.FINISHED]
    return SealEdge(job.id, edge, tuple(task.attempt for task in winners), _sources(table, winners))


def _closes(job: JobEntry, edge: EdgeId) -> list[CloseBuckets]:
    if edge in job.closed:
        return [CloseBuckets(job.id, edge, 0, job.edges[edge].buckets)]
    return [CloseBuckets(job.id, edge, first, last) for closed, first, last in job.dropped if closed == edge]


def _tell_sources(table: Table, job: JobEntry, plan: EdgePlan, worker: WorkerId) -> list[DriverEffect]:
    edge = plan.edge
    if edge.id in job.sealed or edge.id in job.closed or not _has_address(table, worker):
        return []
    placed = [task for task in table.tasks[job.id][edge.producer] if task.worker is not None]
    sources = _sources(table, placed)
    # Ordered edges are read run by run, a stream for each task; others by one stream a worker, whatever its tasks.
    known: frozenset[object] = frozenset(sources if edge.order else (source.worker for source in sources))
    if not _is_news(table, job.id, (edge.id, _SOURCES, worker), known):
        return []
    return [Send(worker, EdgeSources(job.id, edge.id, sources))]


def _tell_readers(table: Table, job: JobEntry, plan: EdgePlan, worker: WorkerId) -> list[DriverEffect]:
    edge = plan.edge
    if plan.mode is not ExchangeMode.PUT or edge.consumer is None or edge.id in job.closed or not _has_address(table, worker):
        return []
    reading = [task for task in table.tasks[job.id][edge.consumer] if task.phase.is_resident and edge.id not in task.closed]
    readers = tuple(reader for task in reading for reader in _readers(table, task))
    if not _is_news(table, job.id, (edge.id, _READERS, worker), frozenset(readers)):
        return []
    return [Send(worker, EdgeReaders(job.id, edge.id, readers))]


def _is_news(table: Table, job: JobId, key: tuple[EdgeId, str, WorkerId], known: frozenset[object]) -> bool:
    before = table.told[job].get(key, frozenset())
    if known <= before:
        return False
    table.told[job][key] = before | known
    return True


def _sources(table: Table, producers: list[TaskEntry]) -> tuple[Source, ...]:
    """Workers of these tasks by id, with their tasks' indexes."""
    indexes: dict[WorkerId, list[int]] = {}
    for task in producers:
        if task.worker is not None:
            indexes.setdefault(task.worker, []).append(task.id.index)
    found = []
    for worker in sorted(indexes):
        entry = table.workers.get(worker)
        if entry is not None and entry.address is not None:
            found.append(Source(worker, entry.address.mesh, tuple(sorted(indexes[worker]))))
    return tuple(found)


def _readers(table: Table, task: TaskEntry) -> list[Reader]:
    entry = None if task.worker is None else table.workers.get(task.worker)
    if entry is None or entry.address is None:
        return []
    return [Reader(task.attempt, entry.id, entry.address.mesh)]


def _has_address(table: Table, worker: WorkerId) -> bool:
    entry = table.workers.get(worker)
    return entry is not None and entry.address is not None
