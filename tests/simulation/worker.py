"""A simulated worker process: the real actor over the real exchange store, with simulated tasks and streams.

An `Incarnation` is what the driver knows by one id; a process that was fenced starts another. What always holds: only the
agenda calls in; a frozen process does nothing until it thaws, a dead one nothing ever.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, assert_never

from flightmesh.config import MIB
from flightmesh.errors import FlightmeshError, StreamBroken, UnknownJob, from_wire
from flightmesh.exchange.budget import MemoryBudget
from flightmesh.exchange.store import ExchangeStore
from flightmesh.ids import AttemptId, EdgeId, JobId, WorkerId
from flightmesh.protocol.messages import EdgePlan, ExchangeMode, PlanStage, Reader, Source, TaskState, WorkerMessage
from flightmesh.protocol.node_messages import Load
from flightmesh.worker.actor import Worker
from flightmesh.worker.events import (
    CancelThread,
    CloseLog,
    DropJob,
    FailStreams,
    HandSplits,
    HoldKeys,
    NoteSources,
    OpenEdge,
    OrderReceived,
    PushTo,
    ResultStreamDropped,
    ResultStreamEnded,
    SealLog,
    StartTask,
    StopThread,
    TaskEnded,
    Tell,
    WorkerEffect,
    WorkerEvent,
)
from tests.simulation.streams import DELAY, Serving, Stream, broken
from tests.simulation.tasks import Task

if TYPE_CHECKING:
    from tests.simulation.mesh import Mesh

PATIENCE = 5.0
LOOK_AGAIN = 0.2


@dataclass(slots=True)
class News:
    """What is known of the other end of an edge."""

    sources: tuple[Source, ...] = ()
    winners: tuple[AttemptId, ...] | None = None
    readers: tuple[Reader, ...] = ()
    listeners: list[Callable[[], None]] = field(default_factory=list)

    def ring(self) -> None:
        """Tells the readers here."""
        for listener in list(self.listeners):
            listener()


@dataclass(slots=True)
class Build:
    """A sum that one task computes for all of its worker."""

    value: int | None = None
    filler: Task | None = None
    waiting: list[Task] = field(default_factory=list)

    def fill(self, value: int) -> None:
        """Gives it to who waits."""
        self.value = value
        self.ring()

    def ring(self) -> None:
        """Lets who waits look again."""
        waiting, self.waiting = self.waiting, []
        for task in waiting:
            task.bell.ring()


class Incarnation:
    """A worker under one id."""

    def __init__(self, mesh: Mesh, worker: WorkerId, slots: int, is_frozen: Callable[[], bool]) -> None:
        self.id = worker
        self.slots = slots
        self.agenda = mesh.agenda
        self.is_frozen = is_frozen
        self.is_gone = False
        self.store = ExchangeStore(MemoryBudget(64 * MIB))
        self.actor = Worker()
        self.tasks: dict[AttemptId, Task] = {}
        self.servings: dict[JobId, list[Serving]] = {}
        self._mesh = mesh
        self._news: dict[JobId, dict[EdgeId, News]] = {}
        self._plans: dict[JobId, dict[EdgeId, EdgePlan]] = {}
        self._producers: dict[JobId, dict[EdgeId, list[int]]] = {}
        self._pushes: dict[JobId, set[tuple[object, ...]]] = {}
        self._pushed: dict[JobId, dict[tuple[object, ...], Stream]] = {}
        self._builds: dict[JobId, dict[EdgeId, Build]] = {}
        self._failures: dict[JobId, FlightmeshError] = {}

    @property
    def address(self) -> str:
        """Its mesh URI."""
        return f"grpc://{self.id}:1"

    @property
    def load(self) -> Load:
        """What a heartbeat says."""
        figures = self.store.figures()
        return Load(max(0, self.slots - len(self.tasks)), len(self.tasks), figures.memory, 0, 0.0, 0, 0)

    def leftovers(self) -> list[str]:
        """What is still here though every job is over."""
        parts: dict[str, Any] = {
            "actor": not self.actor.is_idle,
            "tasks": self.tasks,
            "logs": self.store.held(),
            "memory": self.store.budget.used,
            "servings": {job: open for job, all in self.servings.items() if (open := [s for s in all if not s.is_over])},
            "news": self._news,
            "pushed": self._pushed,
            "builds": self._builds,
        }
        return [f"{self.id} {name}: {part}" for name, part in parts.items() if part]

    def order(self, message: WorkerMessage) -> None:
        """A message of the driver."""
        self.act(OrderReceived(message))

    def act(self, event: WorkerEvent) -> None:
        """Steps the actor and carries out what it says."""
        if self.is_gone:
            return
        for effect in self.actor.step(event, self.agenda.now):
            self._do(effect)

    def vanish(self, why: str) -> None:
        """The process is gone, or drops everything because it was fenced."""
        if self.is_gone:
            return
        self.is_gone = True
        for task in list(self.tasks.values()):
            task.vanish()
        self.tasks.clear()
        for servings in self.servings.values():
            for serving in servings:
                serving.fail(StreamBroken(f"the stream from worker {self.id} ended before its end: {why}"))

    def task_over(self, task: Task, ended: TaskEnded) -> None:
        """A task has ended."""
        self.tasks.pop(task.attempt, None)
        self.agenda.note(self.id, "ended", task.attempt, ended.state.value)
        self.act(ended)

    def first_id(self, job: JobId, table: str) -> int:
        """The id of the first row of a table."""
        return self._mesh.queries[job].first_id(table)

    def news(self, job: JobId, edge: EdgeId) -> News:
        """What is known of an edge."""
        return self._news.setdefault(job, {}).setdefault(edge, News())

    def build(self, job: JobId, edge: EdgeId) -> Build:
        """The sum over a broadcast edge."""
        return self._builds.setdefault(job, {}).setdefault(edge, Build())

    def let_go_of_builds(self, task: Task) -> None:
        """A task that ends before it has filled a build leaves that to another."""
        for build in self._builds.get(task.attempt.task.job, {}).values():
            if build.filler is task and build.value is None:
                build.filler = None
                build.ring()

    def fetch(self, source: Source, reader: AttemptId, plan: EdgePlan, producer: int | None) -> Stream:
        """Opens a stream from another worker, which is asked after a moment."""
        stream = Stream(self.agenda, f"edge {plan.edge.id} of job {reader.task.job} from {source.worker} for {reader}")
        job, buckets = reader.task.job, plan.range_of(reader.task.index)
        self.agenda.soon(lambda: self._mesh.serve(source.worker, job, plan.edge.id, buckets, producer, stream), DELAY)
        return stream

    def serve(
        self, job: JobId, edge: EdgeId, buckets: range, producer: int | None, stream: Stream, waited: float = 0.0
    ) -> None:
        """Gives what is asked for, waiting a little for the plan if it is not here yet."""
        log = self.store.find(job, edge)
        if self.is_gone:
            stream.fail(broken(stream, f"worker {self.id} is gone"))
        elif log is not None:
            serving = Serving(self.agenda, log, buckets, producer, stream)
            serving.is_held = self.is_frozen
            self.servings.setdefault(job, []).append(serving)
        elif waited > PATIENCE:
            stream.fail(UnknownJob(f"job {job} is not known at {self.id}"))
        elif not stream.is_closed:
            self._look_again(waited, lambda waited: self.serve(job, edge, buckets, producer, stream, waited))

    def give_result(self, job: JobId, partition: int, stream: Stream, waited: float = 0.0) -> None:
        """Gives a client a partition of a result."""
        failure = self._failures.get(job)
        plan = next((p for p in self._plans.get(job, {}).values() if p.edge.consumer is None), None)
        if self.is_gone:
            stream.fail(broken(stream, f"worker {self.id} is gone"))
        elif failure is not None:
            stream.fail(failure)
        elif plan is None:
            if waited > PATIENCE:
                stream.fail(UnknownJob(f"job {job} is not known at {self.id}"))
            elif not stream.is_closed:
                self._look_again(waited, lambda waited: self.give_result(job, partition, stream, waited))
        else:
            self._open_result(job, partition, plan, stream)

    def _look_again(self, waited: float, look: Callable[[float], None]) -> None:
        """Looks again for what is not here yet. A frozen process does not notice that time passes."""
        passed = 0.0 if self.is_frozen() else LOOK_AGAIN
        self.agenda.after(LOOK_AGAIN, lambda: look(waited + passed))

    def _open_result(self, job: JobId, partition: int, plan: EdgePlan, stream: Stream) -> None:
        log, news = self.store.log(job, plan.edge.id), self.news(job, plan.edge.id)
        serving = Serving(self.agenda, log, range(1), partition, stream)
        serving.is_held = lambda: self.is_frozen() or (plan.credit is None and news.winners is None)
        serving.on_end = lambda: self.act(ResultStreamEnded(job, partition))
        serving.on_drop = lambda: self.act(ResultStreamDropped(job, partition))
        news.listeners.append(serving.ring)
        self.servings.setdefault(job, []).append(serving)

    def pushed(self, reader: AttemptId, edge: EdgeId, sender: WorkerId, producer: int | None) -> Stream | None:
        """The stream that another worker pushes to a reader here, if it has come."""
        return self._pushed.get(reader.task.job, {}).get((edge, reader, sender, producer))

    def accept_push(
        self, reader: AttemptId, edge: EdgeId, sender: WorkerId, producer: int | None, stream: Stream, waited: float = 0.0
    ) -> None:
        """Another worker begins to push, maybe before the reader's plan is here."""
        job = reader.task.job
        if self.is_gone or waited > PATIENCE:
            stream.close()
        elif self.store.find(job, edge) is None:
            self._look_again(waited, lambda waited: self.accept_push(reader, edge, sender, producer, stream, waited))
        else:
            self._pushed.setdefault(job, {})[edge, reader, sender, producer] = stream
            self.news(job, edge).ring()

    def _do(self, effect: WorkerEffect) -> None:
        match effect:
            case Tell(message=message):
                self._mesh.report(self, message)
            case OpenEdge(job=job, plan=plan):
                self.store.open(job, plan)
                self._plans.setdefault(job, {})[plan.edge.id] = plan
                self.news(job, plan.edge.id)
            case StartTask(attempt=attempt, plan=plan):
                self._start(attempt, plan)
            case CancelThread(attempt=attempt):
                self._end_task(attempt, TaskState.CANCELLED)
            case StopThread(attempt=attempt):
                self._end_task(attempt, TaskState.FINISHED)
            case HandSplits(attempt=attempt, source=source, number=number, splits=splits):
                if attempt in self.tasks:
                    self.tasks[attempt].hand_splits(source, number, splits)
            case NoteSources(job=job, edge=edge, sources=sources):
                self._note_sources(job, edge, sources)
            case PushTo(job=job, edge=edge, readers=readers):
                news = self.news(job, edge)
                news.readers = (*news.readers, *(reader for reader in readers if reader not in news.readers))
                self._push(job, edge)
            case SealLog(job=job, edge=edge, winners=winners, sources=sources):
                self.store.seal(job, edge, winners)
                news = self.news(job, edge)
                news.winners, news.sources = winners, sources
                news.ring()
            case CloseLog(job=job, edge=edge, first=first, last=last):
                self.store.close(job, edge, range(first, last))
            case HoldKeys(job=job, keys=keys):
                self._mesh.queries[job].check_keys(keys)
            case FailStreams(job=job, error=error):
                self._fail_streams(job, from_wire(error))
            case DropJob(job=job):
                self._drop(job)
            case _:
                assert_never(effect)

    def _note_sources(self, job: JobId, edge: EdgeId, sources: tuple[Source, ...]) -> None:
        news = self.news(job, edge)
        if news.winners is None:
            assert {s.worker for s in news.sources} <= {s.worker for s in sources}, "sources only grow"
            news.sources = sources
            news.ring()

    def _start(self, attempt: AttemptId, plan: PlanStage) -> None:
        self.agenda.note(self.id, "runs", attempt)
        assert attempt not in self.tasks, "an attempt is started once"
        self.tasks[attempt] = Task(self, attempt, plan)
        for out in plan.outputs:
            self._producers.setdefault(attempt.task.job, {}).setdefault(out.edge.id, []).append(attempt.task.index)
            self._push(attempt.task.job, out.edge.id)

    def _end_task(self, attempt: AttemptId, state: TaskState) -> None:
        if attempt in self.tasks:
            self.tasks[attempt].end(state)

    def _push(self, job: JobId, edge: EdgeId) -> None:
        """Begins what pushes are not under way yet: a stream for each reader elsewhere, for each task here where runs count."""
        plan = self._plans[job][edge]
        if plan.mode is not ExchangeMode.PUT:
            return
        begun = self._pushes.setdefault(job, set())
        for reader in self.news(job, edge).readers:
            if reader.worker == self.id:
                continue
            for producer in self._producers.get(job, {}).get(edge, []) if plan.edge.order else [None]:
                if (edge, reader.attempt, producer) not in begun:
                    begun.add((edge, reader.attempt, producer))
                    self._begin_push(job, plan, reader, producer)

    def _begin_push(self, job: JobId, plan: EdgePlan, reader: Reader, producer: int | None) -> None:
        edge, attempt = plan.edge.id, reader.attempt
        stream = Stream(self.agenda, f"edge {edge} of job {job} from {self.id} for {attempt}")
        serving = Serving(self.agenda, self.store.log(job, edge), plan.range_of(attempt.task.index), producer, stream)
        serving.is_held = self.is_frozen
        self.servings.setdefault(job, []).append(serving)
        self.agenda.soon(lambda: self._mesh.push(reader.worker, attempt, edge, self.id, producer, stream), DELAY)

    def _fail_streams(self, job: JobId, error: FlightmeshError) -> None:
        self._failures[job] = error
        for serving in self.servings.get(job, []):
            serving.fail(error)

    def _drop(self, job: JobId) -> None:
        assert not any(attempt.task.job == job for attempt in self.tasks), "a job is dropped when none of its tasks runs"
        for serving in self.servings.pop(job, []):
            serving.fail(UnknownJob(f"job {job} was released"))
        for stream in self._pushed.pop(job, {}).values():
            stream.close()
        for part in (self._news, self._plans, self._producers, self._pushes, self._builds):
            part.pop(job, None)
        self.store.release(job)
        self.store.budget.forget(job)
