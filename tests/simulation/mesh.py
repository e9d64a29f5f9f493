"""A simulated mesh: the real driver, worker processes, clients, a bad network, and what befalls them.

What always holds: everything that happens is decided by the agenda's chance; `check` finds whatever must not be when all is
over.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import assert_never

from flightmesh.catalog.table import MemoryTable
from flightmesh.config import MeshConfig
from flightmesh.driver import summary
from flightmesh.driver.actor import Driver
from flightmesh.driver.events import (
    DriverEffect,
    DriverEvent,
    EndJob,
    FenceWorker,
    FindSplits,
    ForgetJob,
    JobCancelled,
    JobOptions,
    JobSubmitted,
    NoteProgress,
    PlaceResult,
    ProbeWorker,
    ReleaseWorker,
    ReportReceived,
    ResultAt,
    Send,
    SplitsFailed,
    SplitsFound,
    Ticked,
    WorkerHeard,
    WorkerJoined,
    WorkerLeft,
    WorkerUnreachable,
)
from flightmesh.driver.record import JobRecord, JobState
from flightmesh.errors import InvalidInput, from_wire
from flightmesh.ids import AttemptId, EdgeId, JobId, WorkerId
from flightmesh.protocol.client_messages import Delivery
from flightmesh.protocol.messages import DriverMessage, ExchangeMode, WorkerMessage
from flightmesh.protocol.node_messages import Drain, NodeAddress
from tests.simulation.agenda import Agenda
from tests.simulation.client import Client, Manner
from tests.simulation.graphs import Query, random_query
from tests.simulation.links import Door, Link, Weather
from tests.simulation.streams import DELAY, Stream, broken
from tests.simulation.worker import Incarnation

HEARTBEAT = 0.5
TICK = 0.25
SETTLE = 4.0
KEEP = 15.0
PROMPT = 14.0


@dataclass(slots=True)
class Node:
    """A worker process. `incarnation`: as whom the driver knows it now."""

    name: str
    slots: int
    incarnation: Incarnation | None = None
    thaws_at: float = 0.0
    is_dead: bool = False
    is_draining: bool = False


@dataclass(slots=True)
class Outcome:
    """What became of a job."""

    records: list[JobRecord] = field(default_factory=list)
    forgotten: list[float] = field(default_factory=list)
    placed: int = 0


class Mesh:
    """One simulation. `faults`: what was done to it, in words."""

    def __init__(self, agenda: Agenda, config: MeshConfig, weather: Weather) -> None:
        self.agenda = agenda
        self.weather = weather
        self.driver = Driver(config)
        self.queries: dict[JobId, Query] = {}
        self.clients: dict[JobId, Client] = {}
        self.outcomes: dict[JobId, Outcome] = {}
        self.nodes: list[Node] = []
        self.faults: list[str] = []
        self.is_over = False
        self._expected = 0
        self._idle_since: float | None = None
        self._wakes_at = 0.0
        self._homes: dict[WorkerId, tuple[Node, Incarnation]] = {}
        self._orders: dict[WorkerId, Link[WorkerMessage]] = {}
        self._reports: dict[WorkerId, Link[DriverMessage]] = {}
        self._fenced: set[WorkerId] = set()
        self._may_leave: set[WorkerId] = set()
        agenda.after(TICK, self._tick)

    # What is done to it.

    def add_node(self, slots: int) -> Node:
        """Starts a worker process."""
        node = Node(f"n{len(self.nodes)}", slots)
        self.nodes.append(node)
        self.agenda.soon(lambda: self._register(node), 0.3)
        self.agenda.after(HEARTBEAT, lambda: self._heartbeat(node))
        return node

    def submit(self, job: JobId, manner: Manner, options: JobOptions) -> None:
        """A client wants a random query run."""
        query = random_query(job, self.agenda.chance)
        self.queries[job] = query
        self.clients[job] = Client(self, job, manner)
        self.outcomes[job] = Outcome()
        self.step(JobSubmitted(job, query.graph, options))

    def expect(self, jobs: int) -> None:
        """It is not over before so many jobs were submitted."""
        self._expected = jobs

    def kill(self, node: Node) -> None:
        """A process dies."""
        if not node.is_dead:
            self.faults.append(f"{node.name} killed at {self.agenda.now:.2f}")
            node.is_dead = True
            if node.incarnation is not None:
                node.incarnation.vanish("killed")

    def freeze(self, node: Node, seconds: float) -> None:
        """A process stops for a while."""
        self.faults.append(f"{node.name} stopped at {self.agenda.now:.2f} for {seconds:.1f}")
        node.thaws_at = self.agenda.now + seconds

    def drain(self, node: Node) -> None:
        """A process is asked to go in order."""
        self.faults.append(f"{node.name} drains from {self.agenda.now:.2f}")
        node.is_draining = True

    def put_to_sleep(self, seconds: float) -> None:
        """The driver's process stops for a while. No fault: nobody may be lost by it, and no job."""
        self._wakes_at = self.agenda.now + seconds

    def cancel(self, job: JobId) -> None:
        """Somebody does not want a job any more."""
        self.faults.append(f"job {job} cancelled at {self.agenda.now:.2f}")
        self.step(JobCancelled(job, "not wanted any more"))

    # What workers and clients ask of it.

    def report(self, home: Incarnation, message: DriverMessage) -> None:
        """A worker's message for the driver."""
        self._reports[home.id].post(message)

    def serve(self, worker: WorkerId, job: JobId, edge: EdgeId, buckets: range, producer: int | None, stream: Stream) -> None:
        """A worker asks another for rows."""
        self._at(worker, stream, lambda home: home.serve(job, edge, buckets, producer, stream))

    def push(
        self, worker: WorkerId, reader: AttemptId, edge: EdgeId, sender: WorkerId, producer: int | None, stream: Stream
    ) -> None:
        """A worker brings rows to another."""
        self._at(worker, stream, lambda home: home.accept_push(reader, edge, sender, producer, stream))

    def ask_result(self, worker: WorkerId, job: JobId, partition: int, stream: Stream) -> None:
        """A client asks a worker for a partition."""
        self.agenda.soon(lambda: self._at(worker, stream, lambda home: home.give_result(job, partition, stream)), DELAY)

    def _at(self, worker: WorkerId, stream: Stream, action: Callable[[Incarnation], None]) -> None:
        node, home = self._homes[worker]
        if self._is_frozen(node):
            self.agenda.after(0.3, lambda: self._at(worker, stream, action))
        elif home.is_gone:
            stream.fail(broken(stream, f"nobody listens at {worker}"))
            stream.close()
        else:
            action(home)

    # The driver's runtime.

    def step(self, event: DriverEvent) -> None:
        """Steps the driver and carries out what it says; later, if it sleeps."""
        if self.agenda.now < self._wakes_at:
            self.agenda.at(self._wakes_at, lambda: self.step(event))
            return
        for effect in self.driver.step(event, self.agenda.now):
            self._do(effect)

    def _do(self, effect: DriverEffect) -> None:
        chance = self.agenda.chance
        match effect:
            case Send(worker=worker, message=message):
                self.agenda.note("to", worker, type(message).__name__)
                assert worker not in self._fenced, "nothing is sent to a worker that was fenced"
                self._orders[worker].post(message)
            case FindSplits(job=job, stage=stage, scan=scan):
                assert isinstance(scan.table, MemoryTable)
                holders = sorted(worker for worker in self._homes if worker not in self._fenced)
                splits = self.queries[job].splits(scan.table.name, chance, holders)
                found: DriverEvent = SplitsFound(job, stage, scan.source, splits)
                if chance.random() < 0.01:
                    self.faults.append(f"splits of job {job} cannot be found")
                    found = SplitsFailed(job, stage, scan.source, InvalidInput("no such file").to_wire())
                self.agenda.soon(lambda: self.step(found), 0.2)
            case NoteProgress(job=job, progress=progress):
                self.agenda.note("progress", job, progress)
            case EndJob(job=job, record=record):
                self.agenda.note("end", job, record.state.value, record.error)
                self.outcomes[job].records.append(record)
                if record.error is not None:
                    self.clients[job].job_failed(from_wire(record.error))
            case ForgetJob(job=job):
                self.agenda.note("forget", job)
                self.outcomes[job].forgotten.append(self.agenda.now)
            case PlaceResult(job=job, places=places):
                self.outcomes[job].placed += 1
                self.agenda.soon(lambda: self.clients[job].placed(places))
            case ProbeWorker(worker=worker):
                self.agenda.soon(lambda: self._probe(worker), 0.2)
            case FenceWorker(worker=worker, cause=cause):
                self.agenda.note("fence", worker, cause)
                self._fenced.add(worker)
                self._orders[worker].close()
            case ReleaseWorker(worker=worker):
                self._may_leave.add(worker)
            case _:
                assert_never(effect)

    def _tick(self) -> None:
        self.step(Ticked())
        self.agenda.after(TICK, self._tick)
        idle = self._is_idle()
        self._idle_since = (self._idle_since or self.agenda.now) if idle else None
        self.is_over = idle and self._idle_since is not None and self.agenda.now - self._idle_since >= SETTLE

    def _is_idle(self) -> bool:
        if len(self.queries) < self._expected or not self.driver.is_idle:
            return False
        if any(node.is_draining and not node.is_dead for node in self.nodes):
            return False  # it goes when no job needs it
        if any(self._homes[worker.id][1].is_gone for worker in self.driver.table.present()):
            return False  # its loss is noticed some time
        return all(client.is_done for client in self.clients.values()) and not any(map(self._is_frozen, self.nodes))

    def _probe(self, worker: WorkerId) -> None:
        if self._door(worker) is Door.GONE:
            self.step(WorkerUnreachable(worker, "connection refused"))

    def _door(self, worker: WorkerId) -> Door:
        node, home = self._homes[worker]
        if node.is_dead:
            return Door.GONE
        if self._is_frozen(node):
            return Door.SILENT
        return Door.FENCED if home.is_gone else Door.OPEN

    # The worker processes.

    def _is_frozen(self, node: Node) -> bool:
        return not node.is_dead and self.agenda.now < node.thaws_at

    def _register(self, node: Node) -> None:
        if node.is_dead:
            return
        if self._is_frozen(node):
            self.agenda.after(0.3, lambda: self._register(node))
            return
        if node.is_draining:
            node.is_dead = True  # it was asked to go before it was anybody
            return
        worker = WorkerId(f"{node.name}-{len(self._homes)}")
        home = Incarnation(self, worker, node.slots, lambda: self._is_frozen(node))
        node.incarnation = home
        self._homes[worker] = (node, home)
        self._orders[worker] = Link(
            self.agenda, self.weather, lambda: self._door(worker), home.order, lambda door: self._orders_failed(worker, door)
        )
        self._reports[worker] = Link(
            self.agenda,
            self.weather,
            lambda: Door.FENCED if worker in self._fenced else Door.OPEN,
            lambda message: self._hear(worker, message),
            lambda _: self._told_fenced(worker),
        )
        address = NodeAddress(home.address, f"grpc://{worker}:2")
        self.step(WorkerJoined(worker, node.slots, node.name, address))

    def _hear(self, worker: WorkerId, message: DriverMessage) -> None:
        self.agenda.note("from", worker, message)
        self.step(ReportReceived(worker, message))

    def _orders_failed(self, worker: WorkerId, door: Door) -> None:
        if worker not in self._fenced:
            self.step(WorkerUnreachable(worker, f"its door is {door.value}"))

    def _heartbeat(self, node: Node) -> None:
        if node.is_dead:
            return
        self.agenda.after(HEARTBEAT, lambda: self._heartbeat(node))
        home = node.incarnation
        if self._is_frozen(node) or home is None or home.is_gone:
            return
        late = self.agenda.chance.uniform(0.5, 2.0) if self.agenda.chance.random() < 0.03 else 0.0
        event = WorkerHeard(home.id, home.load, Drain.DRAINING if node.is_draining else Drain.OPEN)
        self.agenda.after(late + self.agenda.chance.uniform(0.0, self.weather.delay), lambda: self._heard(node, home, event))

    def _heard(self, node: Node, home: Incarnation, event: WorkerHeard) -> None:
        if home.id in self._fenced:
            self.agenda.soon(lambda: self._told_fenced(home.id))
            return
        self.step(event)
        if home.id in self._may_leave:
            self.agenda.soon(lambda: self._leave(node, home))

    def _leave(self, node: Node, home: Incarnation) -> None:
        if node.is_dead or home.is_gone:
            return
        assert not home.leftovers(), f"a worker that may leave has something left: {home.leftovers()}"
        node.is_dead = True
        home.vanish("it has left")
        self.agenda.soon(lambda: self.step(WorkerLeft(home.id, "drained")))

    def _told_fenced(self, worker: WorkerId) -> None:
        """A worker hears that it was given up: it drops everything and registers anew."""
        node, home = self._homes[worker]
        if node.is_dead or home.is_gone:
            return
        if self._is_frozen(node):
            self.agenda.after(0.3, lambda: self._told_fenced(worker))
            return
        home.vanish("fenced")
        self._reports[worker].close()
        self.agenda.soon(lambda: self._register(node), 0.3)

    # What must hold at the end.

    def check(self) -> None:
        """Raises AssertionError for whatever must not be."""
        assert self.is_over, f"not over after {self.agenda.now:.0f} s: {self._open_things()}"
        assert self.driver.is_idle
        for home in [home for _, home in self._homes.values() if not home.is_gone]:
            assert not home.leftovers(), f"left over: {home.leftovers()}"
        for job in self.queries:
            self._check_job(job)

    def _check_job(self, job: JobId) -> None:
        outcome, client = self.outcomes[job], self.clients[job]
        assert len(outcome.records) == 1, f"job {job} has {len(outcome.records)} outcomes"
        assert len(outcome.forgotten) == 1, f"job {job} was forgotten {len(outcome.forgotten)} times"
        assert outcome.placed <= 1, f"job {job} was placed {outcome.placed} times"
        record = outcome.records[0]
        self._check_promptness(outcome, client)
        assert record.state in (JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED)
        errors = [from_wire(record.error)] if record.error is not None else []
        errors += [client.error] if client.error is not None else []
        for error in errors:
            assert error.message, f"job {job} failed and does not say why"
            assert error.code != "internal_error", f"job {job}: {error.message}"
        gone = any(word in fault for word in ("killed", "stopped", "drains") for fault in self.faults)
        if record.error is not None and client.error is not None and not gone:
            assert client.error.code == record.error["code"], f"job {job}: the client was told {client.error}"
        if record.state is not JobState.SUCCEEDED or client.error is not None:
            assert self.faults or client.manner in (Manner.DROPS, Manner.NEVER), f"job {job}: {errors}, and nothing was wrong"
        elif client.manner not in (Manner.DROPS, Manner.NEVER):
            answer = self.queries[job]
            assert answer.is_right(client.rows), f"job {job} gave {sorted(client.rows)}, not {sorted(answer.answer.elements())}"

    def _check_promptness(self, outcome: Outcome, client: Client) -> None:
        """Who is done with a result, or lets go of it, does not leave it behind for long, where nobody is stopped."""
        if not client.was_heard or any("stopped" in fault or "killed" in fault for fault in self.faults):
            return
        late = outcome.forgotten[0] - max(client.done_at, outcome.records[0].ended)
        assert late < PROMPT, f"a job was forgotten {late:.1f} s after its client, who reads {client.manner.value}, was done"

    def _open_things(self) -> str:
        jobs = [f"{s.job} {s.state} {s.tasks_done}/{s.tasks}" for s in summary.jobs(self.driver.table, 0.0)]
        clients = {job: client.manner.value for job, client in self.clients.items() if not client.is_done}
        tasks = {home.id: sorted(map(str, home.tasks)) for _, home in self._homes.values() if home.tasks}
        return f"jobs {jobs}, clients {clients}, tasks {tasks}, faults {self.faults}"


def random_options(agenda: Agenda) -> JobOptions:
    """How a job is to be run."""
    chance = agenda.chance
    return JobOptions(
        result=ResultAt.WORKERS,
        mode=chance.choice([ExchangeMode.GET, ExchangeMode.PUT]),
        delivery=Delivery.COMPLETE if chance.random() < 0.2 else Delivery.STREAMED,
        keep=KEEP,
    )
