"""What a client gets to read a result by: endpoints at the workers that hold it, or at the driver.

Handed planned statements; hands on flight infos, and the streams of what the driver itself serves. What always holds: an info
is given once the job is placed, not when it is done; rows pass through the driver only where the client asked for that, and
those are counted; who drops a stream, or leaves before there is an info, cancels the job.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import pyarrow as pa

from flightmesh.driver.events import JobOptions
from flightmesh.errors import FlightmeshError, InvalidTicket, UnknownJob, from_wire
from flightmesh.frontend.yaml.plan import Landing, Target
from flightmesh.ids import JobId
from flightmesh.node.attending import caller_check
from flightmesh.node.held_rows import HeldRows
from flightmesh.node.mesh_engine import Mesh
from flightmesh.node.mesh_job import LOOK_SECONDS, result_tickets, wait_placed
from flightmesh.node.roots import Roots
from flightmesh.node.sessions import MeshSession, RunningJob, Stored
from flightmesh.protocol.client_messages import AskJob, Delivery, Route
from flightmesh.protocol.codec import encode
from flightmesh.protocol.tickets import HeldTicket, ResultTicket, read_ticket
from flightmesh.session.partition_readers import Nothing, Order, PartitionReaders
from flightmesh.session.result import Result
from flightmesh.session.workspace import Prepared
from flightmesh.session.write import FILES, write_files
from flightmesh.transport.service import Call, Endpoint, Info, OutStream


class Results:
    """Any thread may call. `roots`: where plans may write on the driver's machine."""

    def __init__(self, mesh: Mesh, roots: Roots) -> None:
        self._mesh = mesh
        self._roots = roots
        self._held = HeldRows(mesh.driver.key, mesh.driver.config.mesh.result_seconds)
        self._row_bytes = 0
        self._lock = threading.Lock()

    @property
    def row_bytes(self) -> int:
        """Bytes of rows that went from workers through this process to clients."""
        return self._row_bytes

    def of_rows(self, rows: pa.Table) -> Info:
        """The info of rows that are there."""
        ticket = self._held.hold(rows.schema, lambda: rows)
        return Info(rows.schema, (self._here(ticket),), True, rows=rows.num_rows, size=rows.nbytes)

    def check_target(self, prepared: Prepared) -> None:
        """Raises NotAllowed when the driver may not write where a plan wants its files."""
        target = prepared.write
        if target is not None and target.landing is Landing.NODES:
            self._roots.target(target.path)

    def run(self, session: MeshSession, stored: Stored, delivery: Delivery, route: Route) -> Info:
        """Starts a job, and waits until it has its place. Cancels it when the caller goes meanwhile."""
        target = stored.prepared.write
        if target is not None and target.landing is Landing.NODES:
            return self._written(session, stored, target)
        job = self.start(session, stored, delivery)
        return self.of_job(session, job, route)

    def start(self, session: MeshSession, stored: Stored, delivery: Delivery) -> JobId:
        """Starts a job whose result clients read."""
        plan = stored.prepared.plan
        job = session.engine.start(
            plan.graph, JobOptions(delivery=delivery, text=stored.text, planning=stored.prepared.planning, source=plan.source)
        )
        session.note_job(job, RunningJob(stored, plan.schema, plan.graph.ordered))
        return job

    def of_job(self, session: MeshSession, job: JobId, route: Route) -> Info:
        """The info of a job that the session has started. Raises UnknownJob for any other, or one that is over."""
        running = session.jobs.get(job)
        if running is None:
            raise UnknownJob(f"job {job} is not one of this session's, or over", hint="run the statement again")
        places = wait_placed(self._mesh.driver, job, caller_check())
        if not running.tickets:
            running.tickets = result_tickets(job, len(places), self._mesh.driver.key)
        endpoints = tuple(
            self._here(ticket) if route is Route.DRIVER else Endpoint(ticket, place.client, self._expiry())
            for ticket, place in zip(running.tickets, places, strict=True)
        )
        return Info(running.schema, endpoints, running.ordered, metadata=encode(AskJob(job)))

    def get(self, data: bytes, call: Call) -> OutStream:
        """DoGet at the driver. Raises InvalidTicket, UnknownJob."""
        ticket = read_ticket(data, self._mesh.driver.key)
        match ticket:
            case HeldTicket():
                return self._held.read(ticket, call)
            case ResultTicket():
                return self._through(ticket, data, call)
            case _:
                raise InvalidTicket("this ticket is for a worker", hint="use it at the endpoint that it came with")

    def _through(self, ticket: ResultTicket, data: bytes, call: Call) -> OutStream:
        places = self._mesh.driver.try_placed(ticket.job, 0)
        if places is None or ticket.partition >= len(places):
            raise UnknownJob(f"job {ticket.job} has no result partition {ticket.partition}")
        stream = self._mesh.driver.peers.get(places[ticket.partition].mesh, data)
        readers = PartitionReaders([lambda: stream], Order.FREE)
        return OutStream(stream.schema, self._passed_on(ticket.job, readers, call), readers.close)

    def _passed_on(self, job: JobId, readers: PartitionReaders, call: Call) -> Iterator[tuple[pa.RecordBatch, bytes]]:
        try:
            while (got := readers.next(LOOK_SECONDS)) is not Nothing.MORE:
                if isinstance(got, pa.RecordBatch):
                    with self._lock:
                        self._row_bytes += got.nbytes
                    yield got, b""
                elif call.is_cancelled():
                    return
                elif (known := self._mesh.driver.status(job).error) is not None:  # a stream of a lost worker never ends
                    raise from_wire(known)
        except FlightmeshError as error:
            raise self._cause(job, error) from None
        finally:
            readers.close()

    def _cause(self, job: JobId, error: FlightmeshError) -> FlightmeshError:
        known = self._mesh.driver.status(job).error
        return error if known is None else from_wire(known)

    def _written(self, session: MeshSession, stored: Stored, target: Target) -> Info:
        """A plan's files: written by this process, from the workers' rows, when the list of files is read."""
        self._roots.target(target.path)
        plan = stored.prepared.plan
        job = session.engine.submit(
            plan.graph, JobOptions(text=stored.text, planning=stored.prepared.planning, source=plan.source)
        )
        session.note_job(job.job, RunningJob(stored, FILES, True))
        wait_placed(self._mesh.driver, job.job, caller_check())
        ticket = self._held.hold(FILES, partial(self._write, Result(plan.schema, job.attended), target))
        return Info(FILES, (self._here(ticket),), True, metadata=encode(AskJob(job.job)))

    def _write(self, rows: Result, target: Target) -> pa.Table:
        """Writes the files. Whether they may be is looked at when they are: a link may have come since."""
        return write_files(rows, replace(target, path=self._roots.target(target.path)))

    def _here(self, ticket: bytes) -> Endpoint:
        return Endpoint(ticket, None, self._expiry())

    def _expiry(self) -> float:
        return time.time() + self._held.seconds
