"""What a running attempt may use: the TaskContext of `fragment.task`, over the exchange store, the slots and the memory budget.

Handed orders from the event loop (cancel, stop, splits) and calls from the attempt's own thread. What always holds: while
the thread waits for splits, rows or a shared object it holds no slot, and a cancel wakes it at once; what it has reserved
is given back at its end, apart from what a shared object holds.
"""

from __future__ import annotations

import enum
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import field, replace

import pyarrow as pa

from flightmesh.catalog.metrics import ReadMetrics
from flightmesh.catalog.narrowing import MayMatch, narrowed
from flightmesh.catalog.normalise import Form
from flightmesh.catalog.scan import read_split
from flightmesh.catalog.table import FileSplit, FileTable, Split, Table
from flightmesh.dataclass import dataclass
from flightmesh.errors import Cancelled
from flightmesh.exchange.log import EdgeLog
from flightmesh.exchange.reader import LogReader
from flightmesh.fragment.task import SharedSlot
from flightmesh.ids import AttemptId, EdgeId
from flightmesh.kernel.key_filter import KeyFilter
from flightmesh.protocol.messages import PlanStage, Read, ReadEnd
from flightmesh.runtime.bell import Bell
from flightmesh.runtime.edge_news import EdgeNews
from flightmesh.runtime.feed import Room
from flightmesh.runtime.held_keys import HeldKeys
from flightmesh.runtime.inlet import Doors, Inlet, Intake, Reading
from flightmesh.runtime.local_files import alone
from flightmesh.runtime.part_reader import PartReader, part_elsewhere
from flightmesh.runtime.reach import Reach
from flightmesh.runtime.shared_objects import SharedObjects
from flightmesh.runtime.slots import SlotHold
from flightmesh.runtime.split_draws import SHORT_ROWS, SplitDraws
from flightmesh.runtime.threads import Threads
from flightmesh.runtime.worker_resources import WorkerResources

REPORT_SECONDS = 0.25
"""How often a running attempt says how far it is."""

FLUSH_SECONDS = 0.1
"""How often it looks whether its output has been held back for long."""


class OutputUnread(Exception):
    """Ends an attempt whose output nobody reads any more. It counts as finished."""


class Ending(enum.Enum):
    """Why an attempt is to end before its time."""

    CANCEL = "cancel"
    STOP = "stop"


@dataclass(frozen=True, slots=True)
class MeshSide:
    """What attempts of a worker of a mesh have beside that: the way to other workers, what is known of edges, threads for
    streams, room for what comes by them."""

    reach: Reach
    edges: EdgeNews
    threads: Threads
    room: Room


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What all attempts of a worker share. `mesh` None: there is no other worker."""

    own: WorkerResources
    shared: SharedObjects
    keys: HeldKeys = field(default_factory=HeldKeys)
    mesh: MeshSide | None = None


@dataclass(frozen=True, slots=True)
class News:
    """What an attempt's thread tells its worker while it runs."""

    wants_splits: Callable[[AttemptId, int, int], None]
    closed_input: Callable[[AttemptId, EdgeId], None]
    progressed: Callable[[AttemptId], None]


class RunningTask:
    """One attempt. `cancel`, `stop` and `hand_splits` are called by the event loop, the rest by the attempt's thread."""

    def __init__(self, attempt: AttemptId, plan: PlanStage, around: Surroundings, hold: SlotHold, news: News) -> None:
        self.attempt = attempt
        self.morsel_rows = around.own.morsel_rows
        self.plan = plan
        self._around = around
        self._own = around.own
        self._hold = hold
        self._news = news
        self._ending: Ending | None = None
        self.flush_output: Callable[[], None] = _no_output
        self._changed = threading.Condition()
        self._draws: dict[int, SplitDraws] = {}
        self._bell = Bell()
        self._readers: dict[EdgeId, list[LogReader | Inlet]] = {}
        self._parts: PartReader | None = None
        self._ended: dict[EdgeId, int] = {}
        self._reserved: dict[str, int] = {}
        self._filling = False
        self._shared_purpose = ""
        self._report_at = time.monotonic() + REPORT_SECONDS
        self._flush_at = time.monotonic() + FLUSH_SECONDS

    def cancel(self) -> None:
        """Makes the attempt end, as cancelled, at its next check."""
        self._end(Ending.CANCEL)

    def stop(self) -> None:
        """Makes the attempt end, as finished, at its next check."""
        self._end(Ending.STOP)

    def hand_splits(self, source: int, number: int, splits: tuple[Split, ...]) -> None:
        """Gives the thread what it asked for; an answer that comes again is dropped."""
        with self._changed:
            self._draws_of(source).hand(number, splits)
            self._changed.notify_all()

    def check(self) -> None:
        """Raises when the attempt is to end; lets others have their turn; now and then reports progress and has
        the output hand on what it has staged for long."""
        self.raise_if_ending()
        self._hold.take_turns()
        now = time.monotonic()
        if now >= self._report_at:
            self._report_at = now + REPORT_SECONDS
            self._news.progressed(self.attempt)
        if now >= self._flush_at:
            self._flush_at = now + FLUSH_SECONDS
            self.flush_output()

    def next_split(self, source: int) -> Split | None:
        """The next split of a scan, or None when there are none left."""
        self.raise_if_ending()
        with self._changed:
            draws = self._draws_of(source)
        self._ask_splits(source, draws)
        if not draws.is_ready:
            with self._hold.given_up(), self._changed:
                while not draws.is_ready:
                    self.raise_if_ending()
                    self._changed.wait()
        with self._changed:
            split = draws.take()
        if draws.asks_ahead:
            self._ask_splits(source, draws)
        self.raise_if_ending()
        return split

    def _draws_of(self, source: int) -> SplitDraws:
        draws = self._draws.get(source)
        if draws is None:
            has_limit = any(scan.source == source and scan.limit is not None for scan in self.plan.stage.scans)
            draws = self._draws[source] = SplitDraws(0 if has_limit else SHORT_ROWS)
        return draws

    def _ask_splits(self, source: int, draws: SplitDraws) -> None:
        """Asks for more splits of a scan if that is due."""
        with self._changed:
            number = draws.request()
        if number is not None:
            self._news.wants_splits(self.attempt, source, number)

    def key_filter(self, number: int) -> KeyFilter | None:
        """A dynamic filter whose keys came from another stage, once they have."""
        return self._around.keys.key_filter(self.attempt.task.job, number)

    def await_keys(self, numbers: Collection[int], seconds: float) -> None:
        """Waits for these, without a slot, but for no longer than so."""
        job, held, until = self.attempt.task.job, self._around.keys, time.monotonic() + seconds
        if held.has(job, numbers):
            return
        with self._hold.given_up(), held.following(job, self._wake), self._changed:
            while not held.has(job, numbers) and (left := until - time.monotonic()) > 0:
                self.raise_if_ending()
                self._changed.wait(left)
        self.raise_if_ending()

    def _wake(self) -> None:
        with self._changed:
            self._changed.notify_all()

    def narrowed(self, table: Table, split: Split, columns: Mapping[str, MayMatch]) -> Split | None:
        """The part of a split that may have wanted values, told by the footer where the file is here."""
        if not isinstance(table, FileTable) or not isinstance(split, FileSplit):
            return split
        mesh = self._around.mesh
        if mesh is not None and part_elsewhere(mesh.reach.worker, table, split, ()) is not None:
            return split
        if not table.is_served:
            return narrowed(table, split, columns)
        here, mine = alone(table, split)
        left = narrowed(self._own.files(here), mine, columns)
        return None if left is None else replace(left, file=split.file)

    def read_table(
        self, table: Table, split: Split, columns: tuple[str, ...], metrics: ReadMetrics | None = None
    ) -> Iterator[pa.RecordBatch]:
        """The rows of a split: read here, or fetched from the worker where they lie."""
        mesh = self._around.mesh
        part = None if mesh is None else part_elsewhere(mesh.reach.worker, table, split, columns)
        if mesh is not None and part is not None:
            self._parts = PartReader(mesh.reach, part)
            return self._parts.batches(self.raise_if_ending, self._hold.given_up)
        if isinstance(table, FileTable) and isinstance(split, FileSplit) and table.is_served:
            table, split = alone(table, split)
            table = self._own.files(table)
        return read_split(
            table,
            split,
            columns,
            morsel_rows=self.morsel_rows,
            check=self.check,
            memory=self._own.tables,
            metrics=metrics,
            form=Form.COMPACT,
            kept=self._own.columns,
        )

    def read_edge(self, edge: EdgeId) -> Iterator[pa.RecordBatch]:
        """The batches of this task's buckets as they come."""
        return self._read(edge, None)

    def read_edge_runs(self, edge: EdgeId) -> list[Iterator[pa.RecordBatch]]:
        """The same, one iterator a producer task."""
        producers = self._own.store.log(self.attempt.task.job, edge).plan.producers
        return [self._read(edge, producer) for producer in range(producers)]

    def _read(self, edge: EdgeId, producer: int | None) -> Iterator[pa.RecordBatch]:
        log = self._own.store.log(self.attempt.task.job, edge)
        reader = self._reader(log, producer)
        self._readers.setdefault(edge, []).append(reader)
        return self._drain(edge, reader)

    def _reader(self, log: EdgeLog, producer: int | None) -> LogReader | Inlet:
        mesh = self._around.mesh
        if mesh is None:
            return log.reader(log.plan.range_of(self.attempt.task.index), producer)
        state = mesh.edges.open(self.attempt.task.job, log.plan)
        return Inlet(Reading(self.attempt, producer), log, state, Doors(mesh.reach, mesh.threads, self._bell, mesh.room))

    def intakes(self, edge: EdgeId) -> list[Intake]:
        """What came in by each reader of an edge, on a mesh."""
        return [reader.intake for reader in list(self._readers.get(edge, [])) if isinstance(reader, Inlet)]

    def _drain(self, edge: EdgeId, reader: LogReader | Inlet) -> Iterator[pa.RecordBatch]:
        ended = False
        try:
            check = self.raise_if_ending if isinstance(reader, LogReader) else self.check_waiting
            while (batch := reader.next(check, self._hold.given_up)) is not None:
                yield batch
            ended = True
            self._ended[edge] = self._ended.get(edge, 0) + 1
        finally:
            reader.close()
            if not ended:
                self._news.closed_input(self.attempt, edge)

    def read(self) -> tuple[Read, ...]:
        """What the attempt has read of each of its inputs."""
        return tuple(self._read_of(plan.edge.id) for plan in self.plan.inputs)

    def _read_of(self, edge: EdgeId) -> Read:
        readers = self._readers.get(edge, [])
        whole = bool(readers) and self._ended.get(edge, 0) == len(readers)
        return Read(edge, sum(r.rows for r in readers), ReadEnd.COMPLETE if whole else ReadEnd.CLOSED)

    def shared(self, key: object) -> AbstractContextManager[SharedSlot]:
        """The job's object under `key`; what is reserved while it is being filled belongs to the job."""
        return self._entered(key)

    @contextmanager
    def _entered(self, key: object) -> Iterator[SharedSlot]:
        entry = self._around.shared.entry(self.attempt.task.job, key)
        if not entry.lock.acquire(blocking=False):
            with self._hold.given_up():
                entry.lock.acquire()
        try:
            self.raise_if_ending()
            if entry.unread:
                raise OutputUnread  # a stage is stopped as a whole, so the order to stop this task is on its way
            self._filling = entry.slot.value is None
            yield entry.slot
        except OutputUnread:
            entry.unread = entry.slot.value is None
            raise
        finally:
            self._filling = False
            entry.lock.release()

    def reserve(self, bytes_wanted: int, purpose: str) -> None:
        """Accounts for more bytes. Raises ResourceExhausted past the budget."""
        self._own.budget.take(self.attempt.task.job, purpose, bytes_wanted)
        if not self._filling:
            self._reserved[purpose] = self._reserved.get(purpose, 0) + bytes_wanted
        else:
            self._shared_purpose = purpose

    def release(self, bytes_given_back: int) -> None:
        """Gives accounted bytes back: those of the purpose that holds most."""
        job = self.attempt.task.job
        if self._filling:
            self._own.budget.give(job, self._shared_purpose, bytes_given_back)
            return
        left = bytes_given_back
        for purpose in sorted(self._reserved, key=lambda p: -self._reserved[p]):
            part = min(left, self._reserved[purpose])
            self._reserved[purpose] -= part
            self._own.budget.give(job, purpose, part)
            left -= part

    def release_all(self) -> None:
        """Gives back what the attempt has reserved and lets go of what it reads. Called at its end."""
        for readers in self._readers.values():
            for reader in readers:
                reader.close()
        for purpose, held in self._reserved.items():
            self._own.budget.give(self.attempt.task.job, purpose, held)
        self._reserved.clear()

    def _end(self, ending: Ending) -> None:
        with self._changed:
            if self._ending is not Ending.CANCEL:
                self._ending = ending
            self._changed.notify_all()
        self._own.store.wake(self.attempt.task.job)
        self._bell.ring()
        parts = self._parts
        if parts is not None:
            parts.cancel()

    def check_waiting(self) -> None:
        """What is looked at while the attempt waits for rows of other workers: whether it is to end, and whether its own rows
        have been held back for long enough."""
        self.raise_if_ending()
        self.flush_output()

    def raise_if_ending(self) -> None:
        """The part of `check` that ends an attempt; all that may be called while it waits."""
        if self._ending is Ending.CANCEL:
            raise Cancelled(f"attempt {self.attempt} was cancelled")
        if self._ending is Ending.STOP:
            raise OutputUnread


def _no_output() -> None:
    """What a task without a sink has to hand on."""
