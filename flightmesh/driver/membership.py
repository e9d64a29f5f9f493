"""Who is of the mesh: workers join, are heard, fall silent, drain and go.

Handed what is heard of workers and the time; hands on effects. What always holds: a silent worker is probed before it is given
up, once a span of silence; time in which the driver itself slept is nobody's silence; a draining worker is let go only when
nothing of any job is there.
"""

from __future__ import annotations

from dataclasses import replace

from flightmesh.driver.entries import JobEntry, Table, WorkerEntry
from flightmesh.driver.events import DriverEffect, ProbeWorker, ReleaseWorker, WorkerHeard, WorkerJoined
from flightmesh.driver.loss import lose
from flightmesh.driver.moves import move_worker
from flightmesh.driver.worker_transitions import WorkerHappening, WorkerState
from flightmesh.ids import WorkerId
from flightmesh.protocol.node_messages import Drain


def join(table: Table, event: WorkerJoined, now: float) -> list[DriverEffect]:
    """A worker is there. Whoever listened at its address before is not any more."""
    if event.worker in table.workers:
        return []
    effects: list[DriverEffect] = []
    for other in table.present():
        if event.address is not None and other.address is not None and other.address.mesh == event.address.mesh:
            effects.extend(lose(table, other.id, WorkerHappening.LOST, f"it joined anew, as {event.worker}", now))
    _found_again(table, event)
    table.ticked = now if table.ticked is None else table.ticked  # nobody's silence is older than the first who came
    table.workers[event.worker] = WorkerEntry(
        id=event.worker,
        slots=event.slots,
        name=event.name,
        address=event.address,
        memory=event.memory,
        host=event.host,
        pid=event.pid,
        heard=now,
        serves=event.serves,
    )
    table.unsettled = True
    return effects


def _found_again(table: Table, event: WorkerJoined) -> None:
    """What a lost worker served is not missed any more once somebody serves the same."""
    homes = {serving.home for serving in event.serves}
    for worker in list(table.workers.values()):
        if not worker.state.is_present and worker.serves:
            missed = tuple(serving for serving in worker.serves if serving.home not in homes or not serving.home)
            table.workers[worker.id] = replace(worker, serves=missed)


def hear(table: Table, event: WorkerHeard, now: float) -> list[DriverEffect]:
    """A worker is alive, and says how it stands."""
    happening = WorkerHappening.DRAINED if event.drain is Drain.DRAINING else WorkerHappening.HEARD
    worker = move_worker(table, event.worker, happening)
    if worker is not None:
        table.workers[event.worker] = replace(worker, heard=now, load=event.load)
    return []


def look_for_silence(table: Table, now: float) -> list[DriverEffect]:
    """Probes workers that have been silent, and gives up those that have been for too long."""
    slept = 0.0 if table.ticked is None else now - table.ticked
    if slept > table.config.silent_seconds:
        for worker in table.present():
            table.workers[worker.id] = replace(worker, heard=min(now, worker.heard + slept))
    table.ticked = now
    effects: list[DriverEffect] = []
    for worker in table.present():
        if worker.address is not None:
            effects.extend(_look_at(table, table.workers[worker.id], now))
    return effects


def probe_others(table: Table, worker: WorkerId) -> list[DriverEffect]:
    """Looks whether everybody is still there, when one says that it cannot reach another."""
    return [ProbeWorker(other.id) for other in table.present() if other.id != worker and other.address is not None]


def release_drained(table: Table) -> list[DriverEffect]:
    """Lets draining workers go that no job needs."""
    draining = [worker for worker in table.present() if worker.state is WorkerState.DRAINING and not worker.released]
    effects: list[DriverEffect] = []
    for worker in draining:
        if not any(worker.id in job.holders or _is_read_at(table, job, worker.id) for job in table.jobs.values()):
            table.workers[worker.id] = replace(worker, released=True)
            effects.append(ReleaseWorker(worker.id))
    return effects


def _is_read_at(table: Table, job: JobEntry, worker: WorkerId) -> bool:
    """Whether a job reads files that only this worker serves, though it has no task there."""
    return table.is_open(job.id) and bool(job.only_copies(worker))


def _look_at(table: Table, worker: WorkerEntry, now: float) -> list[DriverEffect]:
    silence = now - worker.heard
    if silence >= table.config.lost_seconds:
        return lose(table, worker.id, WorkerHappening.LOST, f"it has been silent for {silence:.1f} s", now)
    if now - max(worker.heard, worker.probed) < table.config.silent_seconds:
        return []
    table.workers[worker.id] = replace(worker, probed=now)
    return [ProbeWorker(worker.id)]
