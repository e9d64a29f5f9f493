"""Simulated tasks: they interpret the operators of their stage, a step at a time, over real logs, simulated streams and the
real Sink.

What always holds: a task does nothing but in `_turn`, which its agenda calls; it yields where a thread would wait or work.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator
from contextlib import nullcontext
from typing import TYPE_CHECKING

import pyarrow as pa

from flightmesh.catalog.table import MemorySplit, MemoryTable, Split
from flightmesh.errors import FlightmeshError
from flightmesh.exchange.sink import Sink
from flightmesh.ids import AttemptId, EdgeId
from flightmesh.physical.operators import BuildSide, HashJoin, LimitRows, Operator, ReadExchange, SortRows, TableScan, UnionRows
from flightmesh.protocol.messages import KeyDigest, OperatorReport, PlanStage, Read, ReadEnd, TaskState
from flightmesh.worker.events import InputClosed, SplitsUsedUp, TaskEnded, TaskProgressed
from tests.simulation.agenda import Bell
from tests.simulation.graphs import MODULUS, Row, sum_of
from tests.simulation.inlet import Inlet
from tests.simulation.streams import rows_of

if TYPE_CHECKING:
    from tests.simulation.worker import Incarnation

SCHEMA = pa.schema([("c1", pa.int64()), ("c2", pa.int64())])


class Pause(enum.Enum):
    """Why a task yields: it waits to be rung, or has done some work."""

    WAIT = "wait"
    WORK = "work"


Step = Pause | list[Row]


class _WouldWait(Exception):
    """A thread would now wait for credit."""


class Task:
    """One attempt."""

    def __init__(self, home: Incarnation, attempt: AttemptId, plan: PlanStage) -> None:
        self.attempt = attempt
        self.home = home
        self.bell = Bell(home.agenda, self._turn)
        self.is_over = False
        self._plan = plan
        self._ending: TaskState | None = None
        self._inlets: dict[EdgeId, list[Inlet]] = {}
        self._whole: set[EdgeId] = set()
        self._splits: dict[tuple[int, int], tuple[Split, ...]] = {}
        self._asked: dict[int, int] = {}
        self._rows = 0
        self._keys: tuple[KeyDigest, ...] = ()
        self._logs = [home.store.log(attempt.task.job, out.edge.id) for out in plan.outputs]
        self._sink = Sink(attempt, self._logs, _would_wait, nullcontext)
        self._life = self._live()
        self.bell.ring()

    def end(self, state: TaskState) -> None:
        """Ends it at its next turn: CANCELLED, or FINISHED because nobody reads more of it."""
        if self._ending is not TaskState.CANCELLED:
            self._ending = state
        self.bell.ring()

    def hand_splits(self, source: int, number: int, splits: tuple[Split, ...]) -> None:
        """What it asked for."""
        self._splits[source, number] = splits
        self.bell.ring()

    def vanish(self) -> None:
        """Its process is gone."""
        self.is_over = True
        self._let_go()

    def _turn(self) -> None:
        if self.is_over:
            return
        if self.home.is_frozen():
            self.home.agenda.after(0.5, self._turn)
            return
        try:
            if self._ending is not None:
                self._life.close()
                self._over(self._ending)
                return
            pause = next(self._life)
        except StopIteration:
            self._over(TaskState.FINISHED)
        except FlightmeshError as error:
            self._over(TaskState.FAILED, error)
        else:
            if pause is Pause.WORK:
                self.home.agenda.soon(self._turn, 0.05)

    def _over(self, state: TaskState, error: FlightmeshError | None = None) -> None:
        self.is_over = True
        read = tuple(self._read_of(plan.edge.id) for plan in self._plan.inputs)
        self._let_go()
        written = self._sink.written()
        wire = None if error is None else error.to_wire()
        self.home.task_over(self, TaskEnded(self.attempt, state, self._operators(), written, read, wire, self._keys))

    def _let_go(self) -> None:
        self._sink.close()
        for inlets in self._inlets.values():
            for inlet in inlets:
                inlet.close()
        self.home.let_go_of_builds(self)

    def _operators(self) -> tuple[OperatorReport, ...]:
        return (OperatorReport("Simulated", self._rows, 0, 0, self._rows, 0),)

    def _read_of(self, edge: EdgeId) -> Read:
        inlets = self._inlets.get(edge, [])
        end = ReadEnd.COMPLETE if edge in self._whole else ReadEnd.CLOSED
        return Read(edge, sum(inlet.rows for inlet in inlets), end)

    def _live(self) -> Iterator[Pause]:
        for step in self._run(self._plan.stage.root):
            if isinstance(step, Pause):
                yield step
                continue
            yield from self._put(step)
            if self.home.agenda.chance.random() < 0.1:
                self.home.act(TaskProgressed(self.attempt, self._operators()))
        self._sink.finish()
        self._keys = self._sink.keys()

    def _put(self, rows: list[Row]) -> Iterator[Pause]:
        self._rows += len(rows)
        columns = [pa.array([row[i] for row in rows], pa.int64()) for i in range(2)]
        try:
            self._sink.put(pa.record_batch(columns, schema=SCHEMA))
        except _WouldWait:
            yield Pause.WAIT
            while not self._has_credit():
                yield Pause.WAIT
        yield Pause.WORK

    def _has_credit(self) -> bool:
        try:
            for log in self._logs:
                log.wait_for_credit(self.attempt, _would_wait, nullcontext)
        except _WouldWait:
            self.home.agenda.after(0.05, self.bell.ring)
            return False
        return True

    def _run(self, node: Operator) -> Iterator[Step]:
        match node:
            case TableScan():
                yield from self._scan(node)
            case ReadExchange():
                yield from self._read(node)
            case LimitRows():
                yield from self._limit(node)
            case SortRows():
                yield from self._run(node.input)
            case UnionRows():
                for part in node.inputs:
                    yield from self._run(part)
            case HashJoin(side=BuildSide.OWN):
                yield from self._run(node.build)
                yield from self._run(node.probe)
            case HashJoin():
                yield from self._probe(node)
            case _:
                raise AssertionError(f"no such operator here: {node}")

    def _scan(self, scan: TableScan) -> Iterator[Step]:
        assert isinstance(scan.table, MemoryTable)
        first = self.home.first_id(self.attempt.task.job, scan.table.name)
        while True:
            number = self._asked.get(scan.source, 0)
            self._asked[scan.source] = number + 1
            if number > 0 and (scan.source, number) not in self._splits:
                self.home.act(SplitsUsedUp(self.attempt, scan.source, number))
            while (scan.source, number) not in self._splits:
                yield Pause.WAIT
            splits = self._splits[scan.source, number]
            if not splits:
                return
            for split in splits:
                offset = split.offset if isinstance(split, MemorySplit) else split.pieces[0]
                yield [(first + offset + i, 0) for i in range(split.rows or 0)]

    def _limit(self, node: LimitRows) -> Iterator[Step]:
        left = node.count
        rows = self._run(node.input)
        for step in rows:
            if isinstance(step, Pause) or left is None:
                yield step
                continue
            taken = step[:left]
            left -= len(taken)
            yield taken
            if left == 0:
                rows.close()
                return

    def _probe(self, node: HashJoin) -> Iterator[Step]:
        assert isinstance(node.build, ReadExchange)
        added = yield from self._build(node.build)
        for step in self._run(node.probe):
            yield step if isinstance(step, Pause) else [(k, (v + added) % MODULUS) for k, v in step]

    def _build(self, node: ReadExchange) -> Iterator[Step]:
        """The sum over a broadcast edge, which one task of a worker reads for all."""
        build = self.home.build(self.attempt.task.job, node.edge)
        while build.value is None:
            if build.filler not in (None, self):
                build.waiting.append(self)
                yield Pause.WAIT
                continue
            build.filler = self
            rows: list[Row] = []
            for step in self._read(node):
                if isinstance(step, Pause):
                    yield step
                else:
                    rows.extend(step)
            build.fill(sum_of(rows))
        return build.value

    def _read(self, node: ReadExchange) -> Iterator[Step]:
        log = self.home.store.log(self.attempt.task.job, node.edge)
        producers = list(range(log.plan.producers)) if node.order else [None]
        inlets = [Inlet(self.home, self.attempt, log, producer, self.bell.ring) for producer in producers]
        self._inlets[node.edge] = inlets
        try:
            yield from self._merge(inlets)
            self._whole.add(node.edge)
        finally:
            for inlet in inlets:
                inlet.close()
            if node.edge not in self._whole and not self.is_over:
                self.home.act(InputClosed(self.attempt, node.edge))

    def _merge(self, inlets: list[Inlet]) -> Iterator[Step]:
        """All rows; of runs in order, only while each that has not ended shows its next."""
        heads: dict[int, list[Row]] = {}
        left = list(range(len(inlets)))
        while left:
            for number in list(left):
                if number in heads:
                    continue
                batch = inlets[number].take()
                if batch is not None:
                    heads[number] = rows_of(batch)
                elif inlets[number].ended:
                    left.remove(number)
            if any(number not in heads for number in left):
                yield Pause.WAIT
            elif left:
                yield heads.pop(self.home.agenda.chance.choice(left))


def _would_wait() -> None:
    raise _WouldWait
