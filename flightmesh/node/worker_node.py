"""The worker's process: two listeners, its membership, and the incarnation that it has for the time being.

Handed a configuration, the driver's address, a name, an address to listen at and the roots that may be read; hands on a worker
that joins its mesh and stays in it. What always holds: both listeners are up before it registers; what a former incarnation
held is gone before the next one registers; `close` never hangs.
"""

from __future__ import annotations

import logging
import os
import socket
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import psutil

from flightmesh.config import Config
from flightmesh.dataclass import dataclass
from flightmesh.discovery.opening import Sought, open_source
from flightmesh.discovery.sources import DriverSource
from flightmesh.errors import Fenced, FlightmeshError, InternalError, NodeUnavailable, WorkerLost
from flightmesh.exchange.budget import format_bytes
from flightmesh.exchange.spill import sweep_stale
from flightmesh.kernel.hash import VERSION as HASH_VERSION
from flightmesh.node.announcement import Lan, Self, announcement_of, description
from flightmesh.node.approach import PlainApproach
from flightmesh.node.listeners import ON_THIS_MACHINE, Listeners, Listening
from flightmesh.node.load import ProcessMeter
from flightmesh.node.membership import Membership
from flightmesh.node.offers import Offer, Offers
from flightmesh.node.roots import EVERYWHERE, Roots
from flightmesh.node.table_parts import TableParts
from flightmesh.node.tenure import Incarnation, Tenure
from flightmesh.node.worker_client_service import WorkerClientService
from flightmesh.node.worker_mesh_service import WorkerMeshService
from flightmesh.node.worker_security import WorkerSecurity
from flightmesh.protocol.node_messages import PROTOCOL_VERSION, Load, NodeAddress, Register, Registered
from flightmesh.runtime.idle_memory import IdleMemory
from flightmesh.runtime.machine import memory_limit
from flightmesh.runtime.worker_loop import Means, WorkerLoop
from flightmesh.transport.flight_peers import FlightPeers, plain
from flightmesh.transport.security import host_of

LOG = logging.getLogger(__name__)
CLOSE_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class Place:
    """Where a worker is to be: what people call it, where it listens, what may be read there, what it serves; with `security`
    how it joins, with `lan` that it is announced."""

    name: str
    listening: Listening = ON_THIS_MACHINE
    roots: Roots = EVERYWHERE
    offers: tuple[Offer, ...] = ()
    security: WorkerSecurity | None = None
    lan: Lan | None = None


class WorkerNode:
    """A worker. `start` returns at once; `on_ready` is told name, id and the driver's address whenever it has registered,
    `on_lost` why it is no member any more. `driver`: its client listener, or what finds it."""

    def __init__(
        self,
        config: Config,
        driver: str | DriverSource,
        place: Place,
        on_ready: Callable[[str, str, str], None] = lambda *_: None,
        on_lost: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._disk = _disk_limit(config)
        self.config = replace(config, exchange=replace(config.exchange, disk=self._disk))
        self._on_ready = on_ready
        self._on_lost = on_lost
        self._place = place
        self._name = place.name
        self._roots = place.roots
        self._offers = Offers(place.offers)
        self._security = security = place.security
        self._memory = config.memory or memory_limit()
        self._meter = ProcessMeter()
        self._peers = FlightPeers(config.exchange.window, trust=security.trust if security else plain)
        self._idle_memory = IdleMemory(config.idle_seconds)
        self._tenure = Tenure()
        mesh_service = WorkerMeshService(self._tenure, place.roots, self._offers)
        self._listeners = Listeners(mesh_service, WorkerClientService(self._tenure), place.listening, security)
        self._announcement = announcement_of(place.lan, place.listening.clients)
        where = open_source(Sought(driver)) if isinstance(driver, str) else driver
        self._membership = Membership(self, self._peers, where, security or PlainApproach(self._peers))
        self._failure: FlightmeshError | None = None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._be_member, name="flightmesh-membership", daemon=True)

    def start(self) -> None:
        """Listens, and looks for the driver from now on."""
        for folder in sweep_stale(self.config.exchange.directory):
            LOG.info("removed %s, which a killed process had left", folder)
        self._listeners.start()
        if self._security is not None:
            self._security.start(self._renew)
        self._thread.start()

    def run_until_stopped(self) -> None:
        """Waits until the worker has left its mesh. Raises what only people can set right."""
        while not self._ended.wait(0.5):  # in steps: a signal is looked at between them
            pass
        if self._failure is not None:
            raise self._failure

    def drain(self) -> None:
        """Takes no new tasks, and leaves when no job needs anything that is here."""
        here = self._tenure.now
        if here is not None and here.parts.count:
            tables = f"{here.parts.count} table{'s' if here.parts.count > 1 else ''}"
            LOG.warning("the rows of %s in memory that lie here go with this worker", tables)
        self._membership.leave()

    def close(self) -> None:
        """Leaves now. Repeating it is harmless."""
        self._membership.stop()
        if self._announcement is not None:
            self._announcement.close()
        if self._thread.ident is not None:
            self._thread.join(CLOSE_SECONDS * 2)
        if self._security is not None:
            self._security.close()
        self._end(NodeUnavailable(f"worker {self._name} went down"))
        self._listeners.close(CLOSE_SECONDS)
        self._peers.close()

    def discard(self) -> None:
        """What has to be done before the process ends at once: nothing of it stays on the disk."""
        here = self._tenure.now
        if here is not None:
            here.loop.store.shut()

    @property
    def address(self) -> NodeAddress:
        """Where it listens, as others are told it."""
        return self._listeners.address()

    def _renew(self) -> None:
        """Takes a new certificate: streams that are open go on."""
        self._listeners.renew()
        self._peers.renew()

    @property
    def id(self) -> str | None:
        """Its id, while it has one."""
        here = self._tenure.now
        return here.loop.worker if here else None

    def answers(self, seconds: float) -> bool:
        """Whether its event loop, while it has one, comes to a question within so long."""
        here = self._tenure.now
        return self._thread.is_alive() and (here is None or here.loop.answers(seconds))

    def description(self, driver: str) -> Register:
        """What it says of itself when it registers at a driver."""
        return Register(
            name=self._name,
            slots=self.config.threads,
            memory=self._memory,
            disk=self._disk,
            address=self._listeners.address(host_of(driver)),
            host=socket.gethostname(),
            pid=os.getpid(),
            protocol=PROTOCOL_VERSION,
            hash_version=HASH_VERSION,
            serves=self._offers.servings(self._name),
        )

    def joined(self, registered: Registered, driver: str, found_at: str) -> None:
        """It has an id: an incarnation begins."""
        means = Means(
            self.config, self._memory, self._peers, self._roots.check_table, self._membership.expel, self._offers.localise
        )
        loop = WorkerLoop(registered, driver, means)
        self._tenure.begin(Incarnation(loop, TableParts(loop.tables, loop.store.budget)))
        LOG.info("registered as %s at %s", registered.worker, driver)
        self._announce(registered)
        self._on_ready(self._name, registered.worker, found_at)

    def _announce(self, registered: Registered) -> None:
        if self._announcement is None or self._place.lan is None:
            return
        security = self._security
        node = Self(
            role="worker",
            name=self._name,
            node=security.node if security else registered.worker,
            incarnation=registered.worker,
            cores=self.config.threads,
            memory=self._memory,
            ca=security.fingerprint if security else "",
            mesh=security.mesh if security else self._place.lan.mesh,
        )
        there = self._listeners
        self._announcement.say(description(node, there.clients, there.nodes, self._place.listening.advertise))

    def load(self) -> Load:
        """What it carries now."""
        here = self._tenure.now
        assert here is not None, "heartbeats are an incarnation's"
        self._idle_memory.look(len(here.loop.jobs), time.monotonic())
        figures = here.loop.store.figures()
        return Load(
            free_slots=here.loop.slots.free,
            running_tasks=here.loop.running_tasks,
            exchange_bytes=figures.memory,
            spilled_bytes=figures.spilled,
            cpu=self._meter.cores(),
            rss=self._meter.resident(),
            streams=self._listeners.streams,
            channels=figures.channels,
            spill_files=figures.files,
            threads=self._meter.threads(),
            row_bytes=self._listeners.nodes.bytes_in + self._listeners.nodes.bytes_out,
        )

    def dropped(self, cause: FlightmeshError) -> None:
        """Its id is worth nothing any more: everything under it goes."""
        self._on_lost(cause.message)
        if isinstance(cause, Fenced):
            cause = WorkerLost(f"worker {self.id} was declared lost: {cause.message}", hint="run the query again")
        self._end(cause)

    def waits_for(self) -> str:
        """What a draining worker still has that a job needs."""
        here = self._tenure.now
        if here is None or not here.loop.jobs:
            return ""
        jobs = ", ".join(str(job) for job in here.loop.jobs)
        held = format_bytes(sum(here.loop.store.held().values()))
        plural = "s" if len(here.loop.jobs) > 1 else ""
        return f"job{plural} {jobs} ({here.loop.running_tasks} tasks running, {held} of rows not read yet)"

    def _be_member(self) -> None:
        try:
            self._membership.run()
        except FlightmeshError as error:
            self._failure = error
        except Exception as failure:
            LOG.debug("the membership broke down", exc_info=failure)
            self._failure = InternalError(f"the worker broke down: {type(failure).__name__}: {failure}")
        finally:
            self._ended.set()

    def _end(self, cause: FlightmeshError) -> None:
        ended = self._tenure.end()
        if ended is not None:
            ended.loop.close(cause)
            ended.parts.drop_all()


def _disk_limit(config: Config) -> int:
    """Bytes that may be spilled."""
    if config.exchange.disk is not None:
        return config.exchange.disk
    folder = Path(config.exchange.directory or tempfile.gettempdir()).absolute()
    existing = next(parent for parent in (folder, *folder.parents) if parent.exists())
    return int(psutil.disk_usage(str(existing)).free) // 2
