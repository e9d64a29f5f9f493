"""Runs a stage graph on the workers of a `twin.Mesh` as a driver would, with the order of things in a test's hand."""

from __future__ import annotations

import queue
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import replace

import pyarrow as pa

from flightmesh.catalog.scan import splits
from flightmesh.catalog.table import Split
from flightmesh.driver.graph_edges import edge_plans
from flightmesh.errors import from_wire
from flightmesh.ids import AttemptId, EdgeId, JobId, StageId, TaskId
from flightmesh.physical.partitioning import Broadcast
from flightmesh.protocol.messages import ExchangeMode, PlanStage, Reader, Retention, Source, TaskState
from flightmesh.protocol.tickets import ResultTicket, sign
from flightmesh.stage.graph import Stage, StageGraph
from flightmesh.worker.events import (
    CancelThread,
    DropJob,
    HandSplits,
    InputClosed,
    NoteSources,
    OpenEdge,
    PushTo,
    SealLog,
    SplitsUsedUp,
    StartTask,
    TaskEnded,
    WorkerEffect,
)
from tests.runtime.twin import KEY, Mesh, Twin


class HandDriver:
    """One job. Task i of a stage runs on worker i + stage, round-robin."""

    def __init__(self, mesh: Mesh, graph: StageGraph, mode: ExchangeMode, job: int = 1) -> None:
        self.mesh = mesh
        self.graph = graph
        self.job = JobId(job)
        self.plans = {edge: self._on_a_mesh(plan, mode) for edge, plan in edge_plans(graph).items()}
        self.ended: dict[AttemptId, TaskEnded] = {}
        self.closed: list[InputClosed] = []
        self.started: set[StageId] = set()
        self._splits: dict[tuple[StageId, int], deque[Split]] = {
            (stage.id, scan.source): deque(splits(scan.table, scan.filters, scan.columns))
            for stage in graph.stages
            for scan in stage.scans
        }
        self._sealed: set[EdgeId] = set()
        for plan in self.plans.values():
            self._tell_all(OpenEdge(self.job, plan))

    def _on_a_mesh(self, plan, mode):  # type: ignore[no-untyped-def]
        if plan.edge.consumer is None:
            return replace(plan, names=self.graph.names)
        if isinstance(plan.edge.partitioning, Broadcast):
            return replace(plan, retention=Retention.JOB)
        return replace(plan, mode=mode)

    def place(self, stage: Stage, index: int) -> Twin:
        return self.mesh.workers[(index + int(stage.id)) % len(self.mesh.workers)]

    def attempts(self, stage: Stage) -> list[AttemptId]:
        return [AttemptId(TaskId(self.job, stage.id, index), 0) for index in range(stage.tasks)]

    def sources(self, edge: EdgeId) -> tuple[Source, ...]:
        stage = self.graph.stage(self.plans[edge].edge.producer)
        found: dict[int, list[int]] = {}
        for index in range(stage.tasks):
            found.setdefault(self.mesh.workers.index(self.place(stage, index)), []).append(index)
        return tuple(
            Source(self.mesh.workers[number].worker, self.mesh.workers[number].address, tuple(indexes))
            for number, indexes in found.items()
        )

    def readers(self, edge: EdgeId) -> tuple[Reader, ...]:
        consumer = self.plans[edge].edge.consumer
        assert consumer is not None
        stage = self.graph.stage(consumer)
        places = [self.place(stage, attempt.task.index) for attempt in self.attempts(stage)]
        return tuple(
            Reader(attempt, twin.worker, twin.address) for attempt, twin in zip(self.attempts(stage), places, strict=True)
        )

    def start(self, stage: Stage) -> None:
        """Starts a stage's tasks, and says where they are to those at the other end of their edges."""
        self.started.add(stage.id)
        for edge in stage.outputs:
            if self.plans[edge].edge.consumer is not None:
                self._tell_all(NoteSources(self.job, edge, self.sources(edge)))
        for edge in stage.inputs:
            if self.plans[edge].mode is ExchangeMode.PUT:
                self._tell_all(PushTo(self.job, edge, self.readers(edge)))
        inputs, outputs = (tuple(self.plans[e] for e in edges) for edges in (stage.inputs, stage.outputs))
        for attempt in self.attempts(stage):
            plan = PlanStage(self.job, stage, inputs, outputs)
            board = self.place(stage, attempt.task.index).board
            board.carry_out(StartTask(attempt, plan))
            for scan in stage.scans:
                board.carry_out(HandSplits(attempt, scan.source, 0, self._next_split(stage.id, scan.source)))

    def start_all(self, stages: Sequence[Stage]) -> None:
        for stage in stages:
            self.start(stage)

    def step(self, seconds: float = 20.0) -> None:
        """Takes one event of a worker."""
        twin, event = self.mesh.events.get(timeout=seconds)
        match event:
            case SplitsUsedUp(attempt=attempt, source=source, number=number):
                granted = self._next_split(attempt.task.stage, source)
                twin.board.carry_out(HandSplits(attempt, source, number, granted))
            case TaskEnded():
                self.ended[event.attempt] = event
                self._seal_what_is_done()
            case InputClosed():
                self.closed.append(event)
            case _:
                pass

    def _next_split(self, stage: StageId, source: int) -> tuple[Split, ...]:
        left = self._splits[stage, source]
        return (left.popleft(),) if left else ()

    def pump(self, seconds: float = 30.0) -> None:
        """Takes events until every task that was started has ended. Raises the error of one that failed."""
        end = time.monotonic() + seconds
        while missing := self.running():
            try:
                self.step(max(0.01, end - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f"after {seconds} s these still run: {[str(a) for a in missing]}") from None
            self.raise_failure()

    def running(self) -> list[AttemptId]:
        """Attempts that were started and have not ended."""
        expected = [a for stage in self.graph.stages if stage.id in self.started for a in self.attempts(stage)]
        return [attempt for attempt in expected if attempt not in self.ended]

    def raise_failure(self) -> None:
        for ended in self.ended.values():
            if ended.error is not None:
                raise from_wire(ended.error)

    def succeed(self) -> None:
        """Seals the result."""
        self._seal(self.graph.result)

    def read_result(self) -> pa.Table:
        """The whole result, read by tickets. The job has succeeded."""
        stage = self.graph.stage(self.plans[self.graph.result].edge.producer)
        tables = []
        for index in range(stage.tasks):
            twin = self.place(stage, index)
            stream = twin.peers.get(twin.address, sign(ResultTicket(self.job, index, b"nonce"), KEY))
            batches = []
            while (got := stream.next()) is not None:
                batches.append(got[0])
            tables.append(pa.Table.from_batches(batches, stream.schema))
        return pa.concat_tables(tables)

    def cancel(self) -> None:
        for stage in self.graph.stages:
            for attempt in self.attempts(stage):
                if stage.id in self.started and attempt not in self.ended:
                    self.place(stage, attempt.task.index).board.carry_out(CancelThread(attempt))

    def drop(self) -> None:
        self._tell_all(DropJob(self.job))

    def _seal_what_is_done(self) -> None:
        for edge, plan in self.plans.items():
            attempts = self.attempts(self.graph.stage(plan.edge.producer))
            done = all(a in self.ended and self.ended[a].state is TaskState.FINISHED for a in attempts)
            if done and plan.edge.consumer is not None and edge not in self._sealed:
                self._seal(edge)

    def _seal(self, edge: EdgeId) -> None:
        self._sealed.add(edge)
        attempts = tuple(self.attempts(self.graph.stage(self.plans[edge].edge.producer)))
        self._tell_all(SealLog(self.job, edge, attempts, self.sources(edge)))

    def _tell_all(self, effect: WorkerEffect) -> None:
        for twin in self.mesh.workers:
            twin.board.carry_out(effect)  # type: ignore[arg-type]
