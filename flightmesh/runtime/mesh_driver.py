"""The driver of a mesh: jobs in, results placed at workers; who the workers are; what people ask of both.

Handed stage graphs by sessions, registrations and reports by the mesh listener; hands on places of results, records and
statuses. What always holds: any thread may call; nobody waits without a deadline; a job always comes to an outcome, also when
the driver itself has a bug.
"""

from __future__ import annotations

import itertools
import logging
import secrets
import time
from collections.abc import Callable
from typing import TypeVar

from flightmesh.config import Config
from flightmesh.driver import summary
from flightmesh.driver.actor import Driver
from flightmesh.driver.entries import Table
from flightmesh.driver.events import (
    DriverEvent,
    JobCancelled,
    JobOptions,
    JobSubmitted,
    WorkerUnreachable,
)
from flightmesh.driver.record import JobRecord
from flightmesh.driver.worker_transitions import WorkerState
from flightmesh.errors import (
    Cancelled,
    InternalError,
    InvalidConfig,
    NodeUnavailable,
)
from flightmesh.ids import JobId, WorkerId
from flightmesh.kernel.hash import VERSION as HASH_VERSION
from flightmesh.protocol.client_messages import JobStatus, NodeStatus, Stages, Tasks
from flightmesh.protocol.node_messages import (
    PROTOCOL_VERSION,
    Heard,
    Heartbeat,
    HeartbeatHeard,
    Leave,
    Register,
    Registered,
    Reports,
)
from flightmesh.runtime.claims import check_claims
from flightmesh.runtime.driver_effects import DriverEffects
from flightmesh.runtime.driver_loop import DriverLoop
from flightmesh.runtime.job_waits import JobWaits, ResultPlace, unknown_job
from flightmesh.runtime.sendable import require_sendable
from flightmesh.runtime.subjects import about
from flightmesh.runtime.worker_links import WorkerLinks
from flightmesh.stage.graph import StageGraph
from flightmesh.transport.flight_peers import FlightPeers, plain
from flightmesh.transport.large_bodies import call_action
from flightmesh.transport.security import ClientTls

LOG = logging.getLogger(__name__)
ASK_SECONDS = 5.0
CLOSE_SECONDS = 3.0
KEY_BYTES = 32
GOING_DOWN = "the driver went down"
T = TypeVar("T")


class MeshDriver:
    """The driver of one process: `node.driver_node` gives it its listeners."""

    def __init__(self, config: Config, trust: Callable[[str], ClientTls | None] = plain) -> None:
        """`trust`: how it calls its workers."""
        self.config = config
        self.key = secrets.token_bytes(KEY_BYTES)
        self.incarnation = secrets.token_hex(8)
        self.peers = FlightPeers(config.exchange.window, trust=trust)
        self._epoch = time.time() - time.monotonic()  # makes a time of the actor's clock one since the epoch
        self._numbers = itertools.count(1)
        self._waits = JobWaits()
        self._links = WorkerLinks(self.incarnation, self.peers, self._post, config.mesh.call_seconds)
        self._effects = DriverEffects(self._waits, self._links, self.ask, self._post)
        self._is_closing = False
        self._loop = DriverLoop(lambda: Driver(config.mesh), self._effects.carry_out, self._broke_down, self._effects.flush)
        self._loop.start()

    def submit(self, graph: StageGraph, options: JobOptions) -> JobId:
        """Starts a job, or puts it in the queue. Raises Cancelled once the driver is closing, UnsupportedFeature for a plan
        that cannot be sent to workers."""
        if self._is_closing:
            raise Cancelled("the driver is going down and takes no more jobs")
        require_sendable(graph)
        job = JobId(next(self._numbers))
        self._waits.add(job)
        tasks = sum(stage.tasks for stage in graph.stages)
        LOG.info("submitted: %d stages, %d tasks, session %s", len(graph.stages), tasks, options.session, extra=about(job=job))
        self._post(JobSubmitted(job, graph, options))
        return job

    def wait_placed(self, job: JobId, seconds: float) -> tuple[ResultPlace, ...]:
        """Where each partition of the result is. Raises the job's error, UnknownJob, and NodeUnavailable when `seconds` have
        passed and the job is still in the queue."""
        places = self._waits.wait_placed(job, seconds)
        if places is None:
            turn = self.status(job).place
            raise NodeUnavailable(f"job {job} still waits for its turn, as number {turn} in the queue", hint="ask again")
        return places

    def try_placed(self, job: JobId, seconds: float) -> tuple[ResultPlace, ...] | None:
        """The same, but None when `seconds` have passed."""
        return self._waits.wait_placed(job, seconds)

    def wait_ended(self, job: JobId, seconds: float) -> bool:
        """Waits for a job's outcome; false when that took longer."""
        return self._waits.wait_ended(job, seconds)

    def wait_forgotten(self, job: JobId, seconds: float) -> bool:
        """Waits until nothing of a job is left on any worker; false when that took longer."""
        return self._waits.wait_forgotten(job, seconds)

    def cancel(self, job: JobId, reason: str) -> None:
        """Ends a job, or releases one that has ended. Raises UnknownJob."""
        self._waits.require(job)
        self._post(JobCancelled(job, reason))

    def workers(self) -> tuple[NodeStatus, ...]:
        """The workers that are there, draining ones too."""
        return tuple(node for node in self.nodes() if node.state in (WorkerState.ALIVE.value, WorkerState.DRAINING.value))

    def nodes(self) -> tuple[NodeStatus, ...]:
        """The same, and those that are lately gone."""
        return self._read(lambda table: summary.workers(table, time.monotonic()))

    def answers(self, seconds: float) -> bool:
        """Whether the event loop comes to a question within so long."""
        try:
            return self._loop.ask(lambda _: True, seconds)
        except NodeUnavailable:
            return False

    def drain(self, name: str) -> None:
        """Has a worker leave when it has nothing left that a job needs. Raises InvalidInput for an unknown name."""
        self._links.drain(name)

    def jobs(self) -> tuple[JobStatus, ...]:
        """How all jobs stand that are remembered, in the order of their numbers."""
        return self._read(lambda table: summary.jobs(table, self._epoch))

    def status(self, job: JobId) -> JobStatus:
        """How a job stands. Raises UnknownJob."""
        return self._of_job(job, lambda table: summary.status(table, job, self._epoch))

    def stages(self, job: JobId) -> Stages:
        """How its stages stand. Raises UnknownJob."""
        return Stages(self._of_job(job, lambda table: summary.stages(table, job)))

    def tasks(self, job: JobId) -> Tasks:
        """How its tasks stand. Raises UnknownJob."""
        return Tasks(self._of_job(job, lambda table: summary.tasks(table, job)))

    def record(self, job: JobId) -> JobRecord:
        """The record of a job, so far if it runs. Raises UnknownJob, also for one whose record is not kept any more."""
        return self._of_job(job, lambda table: summary.record(table, job, time.monotonic()))

    def ask(self, worker: WorkerId, action: str, body: bytes, seconds: float) -> list[bytes]:
        """A call to a worker's mesh listener. Raises what the worker raises, NodeUnavailable, Fenced."""
        return call_action(self.peers, self._links.address(worker).mesh, action, body, seconds)

    def register(self, said: Register, node: str = "") -> Registered:
        """A worker joins; `node`: the id in its certificate, by which it is known from now on. Raises InvalidConfig when it
        cannot work with this driver, Cancelled once the driver is closing."""
        if self._is_closing:
            raise Cancelled("the driver is going down and takes no more workers")
        _require_same(said.name, "protocol", said.protocol, PROTOCOL_VERSION)
        _require_same(said.name, "partitioning hash", said.hash_version, HASH_VERSION)
        check_claims(said, secure=bool(node))
        worker = self._links.add(said, node)
        LOG.info("worker %s registered: %d slots at %s", worker, said.slots, said.address.mesh)
        mesh = self.config.mesh
        return Registered(worker, self.incarnation, self.key, mesh.heartbeat_seconds, mesh.lost_seconds)

    def heartbeat(self, said: Heartbeat, node: str = "") -> HeartbeatHeard:
        """A worker is alive. Raises Fenced; NotAllowed where another node speaks in its name."""
        return self._links.hear_heartbeat(said, node)

    def leave(self, said: Leave, node: str = "") -> None:
        """A worker goes. Raises Fenced and NotAllowed."""
        self._links.hear_leave(said, node)

    def reports(self, said: Reports, node: str = "") -> Heard:
        """Messages of a worker. Raises Fenced and NotAllowed."""
        return self._links.hear_reports(said, node)

    def put_out(self, tokens: frozenset[str]) -> None:
        """Gives up the workers that were let in by tokens that have been revoked."""
        for worker, node in self._links.nodes():
            if node.partition("-")[0] in tokens:
                self._post(WorkerUnreachable(worker, "the token that let it in was revoked"))

    @property
    def is_idle(self) -> bool:
        """Whether nothing of any job is left on any worker."""
        return not self._waits.open

    def refuse(self) -> None:
        """Takes no more jobs and workers, and cancels what there is. Repeating it is harmless."""
        self._is_closing = True
        for job in self._waits.open:
            self._post(JobCancelled(job, GOING_DOWN))

    def close(self) -> None:
        """Refuses, waits for the workers to free what was cancelled, ends every thread. Repeating it is harmless."""
        self.refuse()
        end = time.monotonic() + CLOSE_SECONDS
        for job in self._waits.open:
            self._waits.wait_forgotten(job, max(0.0, end - time.monotonic()))
        self._loop.close()
        self._waits.fail_all(Cancelled(GOING_DOWN))
        self._links.close()
        self.peers.close()
        self._effects.close()

    def _post(self, event: DriverEvent) -> None:
        self._loop.post(event)

    def _read(self, read: Callable[[Table], T]) -> T:
        return self._loop.ask(read, ASK_SECONDS)

    def _of_job(self, job: JobId, read: Callable[[Table], T | None]) -> T:
        found = self._read(read)
        if found is None:
            raise unknown_job(job)
        return found

    def _broke_down(self, error: InternalError) -> None:
        self._waits.fail_all(error)
        self._links.fence_all()


def _require_same(name: str, what: str, theirs: int, ours: int) -> None:
    if theirs != ours:
        message = f"worker {name} has version {theirs} of the {what}, and this driver version {ours}"
        raise InvalidConfig(message, hint="run the same release of flightmesh on all nodes of a mesh")
