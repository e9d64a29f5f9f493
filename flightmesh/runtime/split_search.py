"""Finds the splits of a scan for the driver: here, where the driver sees the same files as the workers, else at a worker; of
tables that nodes serve, at those.

Handed a scan; hands on its splits. What always holds: files are taken for the same when path, size and time of change are; an
object store is the same seen from everywhere; rows in memory need no look at all.
"""

from __future__ import annotations

import queue
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TypeAlias

from flightmesh.catalog.scan import splits as table_splits
from flightmesh.catalog.table import FileTable, Split, Table
from flightmesh.errors import Fenced, FlightmeshError, NodeUnavailable, WorkerLost
from flightmesh.ids import WorkerId
from flightmesh.physical.operators import TableScan
from flightmesh.protocol.codec import decode, encode
from flightmesh.protocol.node_messages import ListSplits, SplitList
from flightmesh.runtime.served_parts import COME_BACK, Part, parts_of
from flightmesh.runtime.threads import Threads

ASK_SECONDS = 60.0

Asking: TypeAlias = Callable[[WorkerId, str, bytes, float], list[bytes]]
"""Calls a worker: which one, the action, its body, the deadline; the answers."""


class SplitSearch:
    """Where splits are looked for. `workers` gives those that are alive, `ask` calls one (worker, action, body, seconds)."""

    def __init__(self, workers: Callable[[], tuple[WorkerId, ...]], ask: Asking) -> None:
        self._workers = workers
        self._ask = ask
        self._threads = Threads("flightmesh-splits-at")

    def find(self, scan: TableScan) -> tuple[Split, ...]:
        """The splits of a scan. Raises InvalidInput when a file cannot be read, NodeUnavailable when no worker answers."""
        if isinstance(scan.table, FileTable) and scan.table.is_served:
            return self._at_holders(scan, scan.table)
        if sees(scan.table):
            return table_splits(scan.table, scan.filters, scan.columns, scan.promise)
        return self._at_a_worker(scan)

    def _at_a_worker(self, scan: TableScan) -> tuple[Split, ...]:
        body = encode(ListSplits(scan))
        workers = self._workers()
        failure: FlightmeshError = NodeUnavailable(
            f"the files of table {scan.table.name} are not here, and there is no worker to ask"
        )
        for worker in sorted(workers, key=lambda worker: hash((worker, scan.table.name)))[:3]:
            try:
                (answer,) = self._ask(worker, "find-splits", body, ASK_SECONDS)
            except (NodeUnavailable, Fenced) as error:
                failure = error
                continue
            found: SplitList = decode(answer, SplitList)
            return found.splits
        raise failure

    def _at_holders(self, scan: TableScan, table: FileTable) -> tuple[Split, ...]:
        """Each holder's splits, asked for side by side."""
        parts = parts_of(table, self._workers())
        answers: queue.SimpleQueue[tuple[int, tuple[Split, ...] | BaseException]] = queue.SimpleQueue()

        def ask(place: int, part: Part) -> None:
            try:
                answers.put((place, self._at_holder(scan, part)))
            except BaseException as failure:
                answers.put((place, failure))

        for place, part in enumerate(parts[1:], start=1):
            self._threads.run(partial(ask, place, part))
        if parts:
            ask(0, parts[0])
        found = dict(answers.get() for _ in parts)
        splits: list[Split] = []
        for _, answer in sorted(found.items()):
            if isinstance(answer, BaseException):
                raise answer
            splits.extend(answer)
        return tuple(splits)

    def _at_holder(self, scan: TableScan, part: Part) -> tuple[Split, ...]:
        name = f"{part.holder.name} ({part.holder.worker})"
        try:
            (answer,) = self._ask(
                WorkerId(part.holder.worker), "find-splits", encode(ListSplits(replace(scan, table=part.alone))), ASK_SECONDS
            )
        except (NodeUnavailable, Fenced) as error:
            message = f"{name}, which serves files of table {scan.table.name}, cannot be asked: {error.message}"
            raise WorkerLost(message, hint=COME_BACK) from None
        found: SplitList = decode(answer, SplitList)
        return tuple(part.of_whole(split) for split in found.splits)

    def close(self) -> None:
        """Lets its threads end."""
        self._threads.end()


def sees(table: Table) -> bool:
    """Whether this process finds the files of a table as the table has them pinned."""
    if isinstance(table, FileTable) and table.is_served:
        return False
    if not isinstance(table, FileTable) or table.storage.scheme != "local":
        return True
    for file in table.files:
        try:
            found = Path(file.path).stat()
        except OSError:
            return False
        if (found.st_size, found.st_mtime_ns) != (file.size, file.mtime_ns):
            return False
    return True
