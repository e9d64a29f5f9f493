"""Reads the partitions of a result side by side.

Handed a way to open each partition, in order; hands on their batches, in the order of the partitions or as they come. What
always holds: a bounded number of threads, each partition a bounded number of bytes ahead; the first error ends everything;
after `close` every stream is cancelled and every thread ends.
"""

from __future__ import annotations

import enum
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import field

import pyarrow as pa

from flightmesh.dataclass import dataclass
from flightmesh.errors import FlightmeshError, InternalError
from flightmesh.protocol.frames import EntryKind, read_frame
from flightmesh.transport.peers import StreamIn

READERS = 8
"""Streams that are open at a time. Those after them begin when one ends: their workers keep the rows until then."""
AHEAD_BYTES = 16 * 1024 * 1024
"""Bytes of one partition that may wait for the reader; at least one batch may."""
END_SECONDS = 5.0


class Order(enum.Enum):
    """How partitions follow each other: STRICT, one after the other; FREE, as their rows come."""

    STRICT = "strict"
    FREE = "free"


class Nothing(enum.Enum):
    """Why `next` gave no batch: none came in time (YET), or there are no more (MORE)."""

    YET = "yet"
    MORE = "more"


@dataclass(slots=True)
class _Partition:
    open: Callable[[], StreamIn]
    batches: deque[pa.RecordBatch] = field(default_factory=deque)
    bytes: int = 0
    stream: StreamIn | None = None
    has_all_rows: bool = False
    has_ended: bool = False


class PartitionReaders:
    """One result being read. `next` is for one thread; `fail` and `close` for any."""

    def __init__(self, opens: Sequence[Callable[[], StreamIn]], order: Order) -> None:
        self._partitions = [_Partition(open) for open in opens]
        self._order = order
        self._changed = threading.Condition()
        self._unopened = 0
        self._turn = 0
        self._error: FlightmeshError | None = None
        self._is_closed = False
        count = min(READERS, len(opens))
        self._threads = [threading.Thread(target=self._read, name="flightmesh-result", daemon=True) for _ in range(count)]
        for thread in self._threads:
            thread.start()

    def next(self, seconds: float) -> pa.RecordBatch | Nothing:
        """The next batch, waited for so long. Raises the error of whichever stream had one."""
        with self._changed:
            if self._changed.wait_for(self._is_ready, seconds):
                return self._taken()
            return Nothing.YET

    def fail(self, error: FlightmeshError) -> None:
        """Makes `next` raise, now."""
        with self._changed:
            if self._error is None:
                self._error = error
            self._changed.notify_all()

    def close(self) -> None:
        """Ends every stream and thread. Repeating it is harmless."""
        with self._changed:
            self._is_closed = True
            streams = [partition.stream for partition in self._partitions if partition.stream is not None]
            self._changed.notify_all()
        for stream in streams:
            stream.cancel()
        for thread in self._threads:
            thread.join(END_SECONDS)

    def _is_ready(self) -> bool:
        return self._error is not None or self._full() is not None or self._is_over()

    def _full(self) -> _Partition | None:
        """The partition whose batch is next, if it is there."""
        if self._order is Order.STRICT:
            while self._turn < len(self._partitions):
                partition = self._partitions[self._turn]
                if partition.batches:
                    return partition
                if not partition.has_all_rows:
                    return None
                self._turn += 1
            return None
        return max((p for p in self._partitions if p.batches), key=lambda p: p.bytes, default=None)

    def _is_over(self) -> bool:
        return all(partition.has_ended and not partition.batches for partition in self._partitions)

    def _taken(self) -> pa.RecordBatch | Nothing:
        if self._error is not None:
            raise self._error
        partition = self._full()
        if partition is None:
            return Nothing.MORE
        batch = partition.batches.popleft()
        partition.bytes -= batch.nbytes
        self._changed.notify_all()
        return batch

    def _read(self) -> None:
        """A thread's work: partition after partition, each to its end."""
        try:
            while (partition := self._next_unopened()) is not None:
                self._read_partition(partition)
        except FlightmeshError as error:
            self.fail(error)
        except Exception as failure:
            self.fail(InternalError(f"reading a result failed: {type(failure).__name__}: {failure}"))

    def _next_unopened(self) -> _Partition | None:
        with self._changed:
            if self._is_closed or self._unopened == len(self._partitions):
                return None
            self._unopened += 1
            return self._partitions[self._unopened - 1]

    def _read_partition(self, partition: _Partition) -> None:
        stream = partition.open()
        with self._changed:
            partition.stream = stream
            is_closed = self._is_closed
        if is_closed:
            stream.cancel()
            return
        while (got := stream.next()) is not None:
            batch, metadata = got
            if is_end(metadata):
                self._note_end(partition)
            elif not self._offered(partition, batch):
                return
        with self._changed:
            partition.has_all_rows = partition.has_ended = True
            partition.stream = None
            self._changed.notify_all()

    def _note_end(self, partition: _Partition) -> None:
        """The partition has no more rows; its stream ends when the whole job has succeeded."""
        with self._changed:
            partition.has_all_rows = True
            self._changed.notify_all()

    def _offered(self, partition: _Partition, batch: pa.RecordBatch) -> bool:
        """Puts a batch where the reader finds it, once there is room; false when nobody reads any more."""
        with self._changed:
            self._changed.wait_for(lambda: self._is_closed or partition.bytes < AHEAD_BYTES)
            partition.batches.append(batch)
            partition.bytes += batch.nbytes
            self._changed.notify_all()
            return not self._is_closed


def is_end(metadata: bytes) -> bool:
    """Whether what stands beside a batch says that no rows follow."""
    return len(metadata) > 0 and read_frame(metadata).kind is EntryKind.END
