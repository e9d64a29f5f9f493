"""The attempts that run in this process: gives each a thread, passes on what it is told, drops what a job leaves.

Handed effects of the worker by the event loop; posts the worker's events. What always holds: an attempt is on the board
from its start until its TaskEnded has been posted.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeAlias, assert_never

from flightmesh.ids import AttemptId, EdgeId, JobId
from flightmesh.kernel.allocation import keep_freed_memory
from flightmesh.protocol.messages import EdgePlan, PlanStage, TaskState
from flightmesh.runtime.edge_news import EdgeNews
from flightmesh.runtime.feed import Room
from flightmesh.runtime.held_keys import HeldKeys
from flightmesh.runtime.pusher import Pushers
from flightmesh.runtime.reach import Reach
from flightmesh.runtime.serve_streams import StreamServer
from flightmesh.runtime.shared_objects import SharedObjects
from flightmesh.runtime.slots import SlotHold
from flightmesh.runtime.task_context import MeshSide, News, RunningTask, Surroundings
from flightmesh.runtime.task_run import TaskRun, wire_error
from flightmesh.runtime.threads import Threads
from flightmesh.runtime.worker_resources import WorkerResources
from flightmesh.worker.events import (
    CancelThread,
    CloseLog,
    DropJob,
    FailStreams,
    HandSplits,
    HoldKeys,
    InputClosed,
    NoteSources,
    OpenEdge,
    PushTo,
    SealLog,
    SplitsUsedUp,
    StartTask,
    StopThread,
    TaskEnded,
    TaskProgressed,
    WorkerEvent,
)

BoardEffect: TypeAlias = (
    OpenEdge
    | StartTask
    | CancelThread
    | StopThread
    | HandSplits
    | NoteSources
    | PushTo
    | SealLog
    | CloseLog
    | HoldKeys
    | FailStreams
    | DropJob
)
MORE_ARENAS = 1
"""Heaps of the C library: one a slot, as tasks that compute allocate at the same time, and so many for all other threads. With
two for two slots TPC-H took 6 % more CPU."""
ROOM_SHARE = 8
"""One part in so many of the memory budget is what streams from other workers may bring ahead of their readers."""


class TaskBoard:
    """Running attempts by id. Orders come from the event loop, news from the attempts' threads.

    `own`: what the worker has. `reach`: how it gets at the others; None where there are none, and `streams`, which serves what
    they read here, is None then too.
    """

    def __init__(
        self,
        own: WorkerResources,
        post: Callable[[WorkerEvent], None],
        reach: Reach | None = None,
    ) -> None:
        keep_freed_memory(own.slots.count + MORE_ARENAS)
        self._store = own.store
        self._slots = own.slots
        self._post = post
        self._shared = SharedObjects()
        self._keys = HeldKeys()
        self._edges = EdgeNews()
        self._moving = Threads("flightmesh-stream")
        room = Room(own.budget.limit // ROOM_SHARE)
        mesh = None if reach is None else MeshSide(reach, self._edges, self._moving, room)
        self.streams = None if reach is None else StreamServer(own.store, own.tables, self._edges, reach, room, post, own.files)
        self._pushers = None if reach is None else Pushers(own.store, reach, self._moving)
        self._around = Surroundings(own, self._shared, self._keys, mesh)
        self._news = News(self._wants_splits, self._closed_input, self._progressed)
        self._threads = Threads("flightmesh-task", idle_seconds=own.idle_seconds)
        self._tasks: dict[AttemptId, RunningTask] = {}
        self._runs: dict[AttemptId, TaskRun] = {}
        self._is_ending = False
        self._lock = threading.Lock()

    def carry_out(self, effect: BoardEffect) -> None:
        """Does what the worker asks for."""
        match effect:
            case OpenEdge(job=job, plan=plan):
                self._store.open(job, plan)
                self._edges.open(job, plan)
            case StartTask(attempt=attempt, plan=plan):
                self._start(attempt, plan)
            case CancelThread(attempt=attempt):
                if (task := self._tasks.get(attempt)) is not None:
                    task.cancel()
            case StopThread(attempt=attempt):
                if (task := self._tasks.get(attempt)) is not None:
                    task.stop()
            case HandSplits(attempt=attempt, source=source, number=number, splits=splits):
                if (task := self._tasks.get(attempt)) is not None:
                    task.hand_splits(source, number, splits)
            case NoteSources(job=job, edge=edge, sources=sources):
                self._edges.note_sources(job, edge, sources)
            case PushTo(job=job, edge=edge, readers=readers):
                if self._pushers is not None:
                    self._pushers.push_to(job, edge, readers)
            case SealLog(job=job, edge=edge, winners=winners, sources=sources):
                self._store.seal(job, edge, winners)
                self._edges.seal(job, edge, winners, sources)
            case CloseLog(job=job, edge=edge, first=first, last=last):
                self._store.close(job, edge, range(first, last))
            case HoldKeys(job=job, keys=keys):
                self._keys.hold(job, keys)
            case FailStreams(job=job, error=error):
                if self.streams is not None:
                    self.streams.fail(job, error)
            case DropJob(job=job):
                self.drop(job)
            case _:
                assert_never(effect)

    def drop(self, job: JobId) -> None:
        """Forgets a job's streams, channels, shared objects and accounts."""
        self._edges.drop(job)
        if self._pushers is not None:
            self._pushers.drop(job)
        if self.streams is not None:
            self.streams.drop(job)
        self._shared.drop(job)
        self._keys.drop(job)
        self._store.release(job)
        self._store.budget.forget(job)

    def cancel_all(self) -> None:
        """Cancels whatever runs, and whatever is started after that: a board that is being closed may still get orders."""
        with self._lock:
            self._is_ending = True
            tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()

    def end(self) -> None:
        """Lets all threads end, once what they run has ended; does not wait for them."""
        self._threads.end()
        self._moving.end()

    def close(self) -> None:
        """Ends all threads, once what they run has ended."""
        self._threads.close()
        self._moving.close()

    @property
    def is_idle(self) -> bool:
        """Whether nothing runs, nothing is shared and no keys are held."""
        return not self._tasks and not self._shared.jobs and not self._keys.jobs

    def _start(self, attempt: AttemptId, plan: PlanStage) -> None:
        hold = SlotHold(self._slots)
        task = RunningTask(attempt, plan, self._around, hold, self._news)
        with self._lock:
            self._tasks[attempt] = task
            is_ending = self._is_ending
        if is_ending:
            task.cancel()
        if self._pushers is not None:
            self._pushers.note_producer(attempt.task.job, plan, attempt.task.index)
        self._threads.run(lambda: self._run(task, hold))

    def _run(self, task: RunningTask, hold: SlotHold) -> None:
        attempt = task.attempt
        try:
            run = TaskRun(task, self._store, hold)
            self._runs[attempt] = run
            ended = run.run()
        except BaseException as failure:
            ended = TaskEnded(attempt, TaskState.FAILED, error=wire_error(failure, attempt))
        with self._lock:
            self._tasks.pop(attempt, None)
            self._runs.pop(attempt, None)
        self._edges.reader_over(attempt, task.plan.stage.inputs)
        self._post(ended)
        if ended.state is TaskState.FINISHED and self.streams is not None:
            self.note_written(attempt, task.plan.outputs)

    def note_written(self, attempt: AttemptId, outputs: tuple[EdgePlan, ...]) -> None:
        """An attempt has written all it will: streams to other workers may end before the driver has heard of it."""
        job = attempt.task.job
        for output in outputs:
            self._edges.note_written(job, output.edge.id, attempt.task.index)
            log = self._store.find(job, output.edge.id)
            if log is not None:
                log.wake()

    def _wants_splits(self, attempt: AttemptId, source: int, number: int) -> None:
        self._post(SplitsUsedUp(attempt, source, number))

    def _closed_input(self, attempt: AttemptId, edge: EdgeId) -> None:
        self._post(InputClosed(attempt, edge))

    def _progressed(self, attempt: AttemptId) -> None:
        run = self._runs.get(attempt)
        if run is not None:
            self._post(TaskProgressed(attempt, run.operators()))
