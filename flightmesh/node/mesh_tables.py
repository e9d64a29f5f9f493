"""Tables in a mesh's memory: rows dealt to the workers as they come.

Handed batches; hands on a MemoryTable whose parts say where its rows are. What always holds: no more of a table is in this
process at a time than a batch for each worker; a table whose making fails leaves nothing behind; dropping never waits.
"""

from __future__ import annotations

import itertools
import logging
import queue
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import pyarrow as pa

from flightmesh.catalog.memory import normalised
from flightmesh.catalog.table import MemoryPart, MemoryTable
from flightmesh.dataclass import dataclass
from flightmesh.driver.worker_transitions import WorkerState
from flightmesh.errors import FlightmeshError, NodeUnavailable, WorkerLost
from flightmesh.node.attending import caller_check
from flightmesh.protocol.asking import DropPart
from flightmesh.protocol.client_messages import NodeStatus
from flightmesh.protocol.codec import encode
from flightmesh.protocol.tickets import TableTicket, sign
from flightmesh.runtime.mesh_driver import MeshDriver
from flightmesh.session.leases import Leases
from flightmesh.transport.peers import StreamOut

LOG = logging.getLogger(__name__)
DEAL_ROWS = 131_072
"""Rows that go to one worker before the next gets some, as many as a scan reads at a time: small tables lie at one."""
DROP_SECONDS = 10.0
WATCH_SECONDS = 0.25
CLOSE_SECONDS = 3.0


@dataclass(slots=True)
class _Part:
    worker: NodeStatus
    stream: StreamOut
    rows: int = 0
    bytes: int = 0


class MeshTables:
    """The tables in memory of all sessions of a mesh. Any thread may call."""

    def __init__(self, mesh: MeshDriver) -> None:
        self._mesh = mesh
        self._numbers = itertools.count(1)
        self._parts: dict[str, tuple[MemoryPart, ...]] = {}
        self._drops: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self.leases = Leases(self._drops.put)
        self._dropper = threading.Thread(target=self._drop_parts, name="flightmesh-drop-tables", daemon=True)
        self._dropper.start()

    def put(self, name: str, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> MemoryTable:
        """Deals rows to the workers. Raises InvalidInput for columns that make no table, NodeUnavailable where there is no
        worker, ResourceExhausted where one has no memory left."""
        wanted = normalised(schema.empty_table()).schema
        dealing = _Dealing(self._mesh, self._new_key(name), wanted, next(self._numbers))
        try:
            with dealing.watched():
                for batch in batches:
                    for part in _pieces(batch):
                        dealing.give(part)
                parts = dealing.finish()
        except BaseException:
            dealing.abort()
            self._send_drops(dealing.key, dealing.holders)
            raise
        self._parts[dealing.key] = parts
        rows, size = sum(part.rows for part in parts), sum(part.bytes for part in parts)
        return MemoryTable(name, dealing.key, wanted, rows, size, parts)

    def require_whole(self, table: MemoryTable) -> None:
        """Raises WorkerLost when a worker that held rows of the table is gone."""
        alive = {worker.id for worker in self._mesh.workers()}
        lost = [part.holder for part in table.parts if part.holder not in alive]
        if lost:
            raise WorkerLost(
                f"rows of the table {table.name} were in the memory of {', '.join(lost)}, which this mesh has lost",
                hint="upload or create the table again",
            )

    @property
    def keys(self) -> tuple[str, ...]:
        """Keys of the tables that are there."""
        return tuple(self._parts)

    def close(self) -> None:
        """Ends the thread that drops. Rows that are left go with the workers' incarnations."""
        self._drops.put(None)
        self._dropper.join(CLOSE_SECONDS)

    def _new_key(self, name: str) -> str:
        return f"{name}#{next(self._numbers)}@{self._mesh.incarnation}"

    def _drop_parts(self) -> None:
        while (key := self._drops.get()) is not None:
            self._send_drops(key, [part.holder for part in self._parts.pop(key, ())])

    def _send_drops(self, key: str, holders: Iterable[str]) -> None:
        for holder in holders:
            try:
                alive = {str(worker.id): worker.id for worker in self._mesh.workers()}
                if holder in alive:  # else it dropped everything when it was lost
                    self._mesh.ask(alive[holder], "drop-table", encode(DropPart(key)), DROP_SECONDS)
            except FlightmeshError as error:
                LOG.warning("%s may still hold rows of %s: %s", holder, key, error.message)


class _Dealing:
    """One table on its way to the workers."""

    def __init__(self, mesh: MeshDriver, key: str, schema: pa.Schema, first: int) -> None:
        workers = tuple(worker for worker in mesh.workers() if worker.state == WorkerState.ALIVE.value)
        if not workers:
            raise NodeUnavailable("no worker takes rows", hint="start one: the driver has printed the line that joins")
        self._mesh = mesh
        self.key = key
        self._schema = schema
        start = first % len(workers)
        self._order = itertools.cycle(workers[start:] + workers[:start])  # else every small table would lie at the first
        self._parts: dict[str, _Part] = {}
        self._dealt = DEAL_ROWS
        self._now: _Part | None = None
        self._check = caller_check()
        self._failure: FlightmeshError | None = None

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Ends the dealing when the caller goes or a worker is lost, which may never answer."""
        done = threading.Event()
        watcher = threading.Thread(target=self._watch, args=(done,), name="flightmesh-dealing", daemon=True)
        watcher.start()
        try:
            yield
        except FlightmeshError:
            if self._failure is not None:
                raise self._failure from None
            raise
        finally:
            done.set()
            watcher.join()

    def _watch(self, done: threading.Event) -> None:
        while not done.wait(WATCH_SECONDS):
            try:
                self._check()
                there = {worker.id for worker in self._mesh.workers()}
                lost = [part.worker.name for part in tuple(self._parts.values()) if part.worker.id not in there]
                if lost:
                    raise WorkerLost(f"worker {lost[0]} was lost while it was given rows of a table", hint="try again")
            except FlightmeshError as error:
                self._failure = error
                self.abort()
                return

    @property
    def holders(self) -> tuple[str, ...]:
        return tuple(self._parts)

    def give(self, batch: pa.RecordBatch) -> None:
        """Sends a batch to whose turn it is."""
        part = self._part()
        for normal in normalised(pa.Table.from_batches([batch])).to_batches():
            part.stream.write(normal, b"")
            part.rows += normal.num_rows
            part.bytes += normal.nbytes
            self._dealt += normal.num_rows

    def finish(self) -> tuple[MemoryPart, ...]:
        """Waits until every worker has taken its rows."""
        for part in self._parts.values():
            part.stream.finish()
        return tuple(MemoryPart(part.worker.id, part.worker.mesh, part.rows, part.bytes) for part in self._parts.values())

    def abort(self) -> None:
        """Ends what is under way."""
        for part in tuple(self._parts.values()):
            part.stream.cancel()

    def _part(self) -> _Part:
        if self._now is None or self._dealt >= DEAL_ROWS:
            self._dealt = 0
            worker = next(self._order)
            found = self._parts.get(worker.id)
            if found is None:
                command = sign(TableTicket(worker.id, self.key, 0, 0), self._mesh.key)
                found = _Part(worker, self._mesh.peers.put(worker.mesh, command, self._schema))
                self._parts[worker.id] = found
            self._now = found
        return self._now


def _pieces(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    for offset in range(0, batch.num_rows, DEAL_ROWS):
        yield batch.slice(offset, DEAL_ROWS)
