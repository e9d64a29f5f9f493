"""Carries out what the driver actor asks for: orders sent, splits found, workers probed, waiting clients told.

Handed effects by the event loop; hands events back to it. What always holds: nothing here blocks the loop for more than a few
milliseconds: what takes time runs in threads; each effect that is a question ends in an event, or in the worker's time running
out.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import assert_never

from flightmesh.catalog.table import FileTable
from flightmesh.driver.events import (
    DriverEffect,
    DriverEvent,
    EndJob,
    FenceWorker,
    FindSplits,
    ForgetJob,
    NoteProgress,
    PlaceResult,
    ProbeWorker,
    ReleaseWorker,
    Send,
    SplitsFailed,
    SplitsFound,
    WorkerUnreachable,
)
from flightmesh.driver.record import JobRecord
from flightmesh.errors import Fenced, FlightmeshError, NodeRefused, from_wire
from flightmesh.ids import JobId, WorkerId
from flightmesh.runtime.job_waits import JobWaits, ResultPlace
from flightmesh.runtime.split_search import Asking, SplitSearch, sees
from flightmesh.runtime.subjects import about
from flightmesh.runtime.task_run import wire_error
from flightmesh.runtime.threads import Threads
from flightmesh.runtime.worker_links import WorkerLinks

LOG = logging.getLogger(__name__)
LISTING_THREADS = 4
QUICK_SECONDS = 0.005
"""How long one thread lists splits of files here, whose news then go together, before it has others help; and how long the
orders of the jobs that want them wait for that."""
PROBE_SECONDS = 1.0
PROBE_THREADS = 16


class DriverEffects:
    """What carries them out. `ask` calls a worker, `post` hands an event to the loop."""

    def __init__(self, waits: JobWaits, links: WorkerLinks, ask: Asking, post: Callable[[DriverEvent], None]) -> None:
        self._waits = waits
        self._links = links
        self._ask = ask
        self._post = post
        self._search = SplitSearch(lambda: links.ids, ask)
        self._listing = Threads("flightmesh-splits", LISTING_THREADS)
        self._probes = Threads("flightmesh-probe", PROBE_THREADS)
        self._wanted: list[FindSplits] = []

    def close(self) -> None:
        """Lets the threads end once their work is done."""
        self._listing.end()
        self._search.close()
        self._probes.end()

    def flush(self) -> None:
        """Has splits be listed, and the orders go that were carried out until now: with what was granted of those splits, where
        listing them took no longer than a moment."""
        wanted, self._wanted = self._wanted, []
        if wanted:
            listed = threading.Event()
            self._listing.run(lambda: self._find_together(wanted, listed))
            if listed.wait(QUICK_SECONDS):
                return  # the news are in the loop's queue, and it flushes again when they have been heard
        self._links.flush()

    def carry_out(self, effect: DriverEffect) -> None:
        """Does what the actor asks for."""
        match effect:
            case Send(worker=worker, message=message):
                self._links.send(worker, message)
            case FindSplits():
                self._find(effect)
            case NoteProgress():
                pass  # people ask for it
            case PlaceResult(job=job, places=places):
                self._place(job, places)
            case EndJob(record=record):
                self._log_end(record)
                self._waits.note_end(record)
            case ForgetJob(job=job):
                self._waits.note_forgotten(job)
            case ProbeWorker(worker=worker):
                self._probes.run(lambda: self._probe(worker))
            case FenceWorker(worker=worker, cause=cause):
                LOG.warning("worker %s is fenced: %s", worker, cause)
                self._links.fence(worker)
            case ReleaseWorker(worker=worker):
                self._links.allow_leave(worker)
            case _:
                assert_never(effect)

    def _place(self, job: JobId, places: tuple[WorkerId, ...]) -> None:
        try:
            at = {worker: self._links.address(worker) for worker in set(places)}
        except Fenced:  # after a breakdown the new actor may have heard of a worker that was fenced with the old one
            for worker in set(places) - set(self._links.ids):
                self._post(WorkerUnreachable(worker, "it was fenced"))
            return
        self._waits.note_places(job, tuple(ResultPlace(worker, at[worker].client, at[worker].mesh) for worker in places))

    def _log_end(self, record: JobRecord) -> None:
        why = "" if record.error is None else f": {from_wire(record.error).message}"
        LOG.info("%s after %.3f s%s", record.state.value, record.seconds, why, extra=about(job=record.job))

    def _find(self, wanted: FindSplits) -> None:
        """Lists splits side by side where others are asked, and later all in one thread where files here say."""
        table = wanted.scan.table
        if isinstance(table, FileTable) and (table.is_served or table.storage.scheme != "local"):
            self._listing.run(lambda: self._find_one(wanted))
        else:
            self._wanted.append(wanted)

    def _find_together(self, wanted: list[FindSplits], listed: threading.Event) -> None:
        """Lists what is here one after the other: planning has read the footers. Whatever takes longer, as asking a worker
        does, goes its own way, so that nothing waits for it. `listed` is set once there are news."""
        end, events = time.monotonic() + QUICK_SECONDS, list[DriverEvent]()
        try:
            for one in wanted:
                if time.monotonic() < end and sees(one.scan.table):
                    events.append(self._found(one))
                else:
                    self._listing.run(partial(self._find_one, one))
        finally:
            for event in events:
                self._post(event)
            if events:
                listed.set()

    def _find_one(self, wanted: FindSplits) -> None:
        self._post(self._found(wanted))

    def _found(self, wanted: FindSplits) -> DriverEvent:
        scan, source = wanted.scan, wanted.scan.source
        try:
            return SplitsFound(wanted.job, wanted.stage, source, self._search.find(scan))
        except BaseException as failure:
            return SplitsFailed(wanted.job, wanted.stage, source, wire_error(failure, scan.table.name))

    def _probe(self, worker: WorkerId) -> None:
        try:
            self._ask(worker, "ping", b"", PROBE_SECONDS)
        except NodeRefused as error:
            self._post(WorkerUnreachable(worker, error.message))
        except FlightmeshError as error:  # somebody answers there: its time goes on running out
            LOG.info("worker %s answers a ping with: %s", worker, error.message)
