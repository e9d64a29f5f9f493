"""What a simulated task reads of one edge: its worker's own log, and a stream from each other worker that holds some.

It follows the rules of `runtime.inlet`: a stream is opened (GET) or awaited (PUT) as soon as its source is known, and the end
is reached when the edge is sealed and the log and the streams of all sealed sources have ended.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pyarrow as pa

from flightmesh.errors import InternalError
from flightmesh.exchange.log import EdgeLog
from flightmesh.ids import AttemptId, WorkerId
from flightmesh.protocol.messages import ExchangeMode, Source
from tests.simulation.streams import Stream, data

if TYPE_CHECKING:
    from tests.simulation.worker import Incarnation


class Inlet:
    """One reader's view of an edge. `rows`: given so far."""

    def __init__(
        self, home: Incarnation, reader: AttemptId, log: EdgeLog, producer: int | None, ring: Callable[[], None]
    ) -> None:
        self.rows = 0
        self._home = home
        self._reader = reader
        self._plan = log.plan
        self._producer = producer
        self._ring = ring
        self._local = log.reader(log.plan.range_of(reader.task.index), producer)
        self._streams: dict[WorkerId, Stream] = {}
        self._seen: set[AttemptId] = set()
        self._unwatch = log.watch(ring)
        self._news = home.news(reader.task.job, log.plan.edge.id)
        self._news.listeners.append(ring)

    def take(self) -> pa.RecordBatch | None:
        """The next batch that is there."""
        self._meet()
        while (entry := self._local.take()) is not None:
            if (batch := data(entry)) is not None:
                return self._given(batch)
        for worker in sorted(self._streams):
            while (entry := self._streams[worker].take()) is not None:
                winners = self._news.winners
                if winners is None or entry.producer in winners:
                    self._seen.add(entry.producer)
                    return self._given(entry.batch)
        return None

    @property
    def ended(self) -> bool:
        """Whether everything was given."""
        winners = self._news.winners
        if winners is None or not self._local.ended:
            return False
        wanted = [source.worker for source in self._sources()]
        if not all(worker in self._streams and self._streams[worker].ended for worker in wanted):
            return False
        if self._seen - set(winners):
            raise InternalError(f"edge {self._plan.edge.id} was read from attempts that did not win")
        return True

    def close(self) -> None:
        """Wants no more. Repeating it is harmless."""
        self._unwatch()
        self._local.close()
        if self._ring in self._news.listeners:
            self._news.listeners.remove(self._ring)
        for stream in self._streams.values():
            stream.close()

    def _given(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        self.rows += batch.num_rows
        return batch

    def _sources(self) -> list[Source]:
        elsewhere = [source for source in self._news.sources if source.worker != self._home.id]
        return [s for s in elsewhere if self._producer is None or self._producer in s.producers]

    def _meet(self) -> None:
        for source in self._sources():
            if source.worker in self._streams:
                continue
            if self._plan.mode is ExchangeMode.GET:
                stream = self._home.fetch(source, self._reader, self._plan, self._producer)
            else:
                stream = self._home.pushed(self._reader, self._plan.edge.id, source.worker, self._producer)
            if stream is not None:
                self._streams[source.worker] = stream
                stream.listen(self._ring)
