"""The sessions of a mesh: each its own names over those of the mesh, its statements, its jobs; kept while they are used.

Handed ids of sessions (a header of every call); hands on sessions. What always holds: an id cannot be guessed; a session that
no call has come from for its lease is closed: its jobs are cancelled, its views and temporary tables dropped. Calls without an
id share one session that is never closed and has no names of its own: what they create is the mesh's.
"""

from __future__ import annotations

import itertools
import logging
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import pyarrow as pa

from flightmesh.catalog.catalog import Catalog
from flightmesh.catalog.table import MemoryTable
from flightmesh.errors import InvalidQuery, ResourceExhausted
from flightmesh.frontend.sql.statements import CreateTableAs, Lifetime
from flightmesh.frontend.yaml.plan import Landing
from flightmesh.ids import JobId
from flightmesh.node.mesh_engine import Mesh, MeshEngine, has_gone
from flightmesh.protocol.client_messages import OpenSession, WireTarget
from flightmesh.session.workspace import BoundStatement, Prepared, Workspace
from flightmesh.session.write import FILES

LOG = logging.getLogger(__name__)
HEADER = "flightmesh-session"
STATEMENTS_KEPT = 1000
"""Statements of a session that wait to be run, the latest ones."""
MOST_SESSIONS = 10_000
TICK_SECONDS = 0.5


@dataclass(slots=True, weakref_slot=True)
class Stored:
    """A query that waits to be run, or runs: for as long as it is there, so are the tables in memory that it reads."""

    prepared: Prepared
    text: str

    @property
    def schema(self) -> pa.Schema:
        """The columns of what running it gives."""
        target = self.prepared.write
        return self.prepared.plan.schema if target is None or target.landing is Landing.CLIENT else FILES

    @property
    def write(self) -> WireTarget | None:
        """Where the client that runs it has to write the rows itself."""
        target = self.prepared.write
        if target is None or target.landing is Landing.NODES:
            return None
        return WireTarget(target.path, target.format.value)


@dataclass(slots=True)
class RunningJob:
    """A job whose result clients read: what its rows look like and how many partitions it has."""

    stored: Stored
    schema: pa.Schema
    ordered: bool
    tickets: tuple[bytes, ...] = ()


class SharedWorkspace(Workspace):
    """The names of the mesh itself, for calls without a session."""

    def _create_table(self, statement: CreateTableAs, read: BoundStatement, text: str) -> pa.Table:
        if statement.lifetime is Lifetime.SESSION:
            raise InvalidQuery(
                "a temporary table needs a session",
                hint=f"open one and send its id in the header {HEADER}, or leave TEMPORARY out",
            )
        return super()._create_table(statement, read, text)


@dataclass(slots=True)
class MeshSession:
    """One session. `label`: what people see of it; its id is a secret between it and its client."""

    label: str
    engine: MeshEngine
    workspace: Workspace
    used: float
    calls: int = 0
    statements: OrderedDict[str, Stored] = field(default_factory=OrderedDict)
    jobs: dict[JobId, RunningJob] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def store(self, prepared: Prepared, text: str) -> tuple[str, Stored]:
        """Keeps a statement until it is run; the id to run it by."""
        stored = self.stored(prepared, text)
        name = secrets.token_hex(16)
        with self.lock:
            self.statements[name] = stored
            while len(self.statements) > STATEMENTS_KEPT:
                self.statements.popitem(last=False)
        return name, stored

    def stored(self, prepared: Prepared, text: str) -> Stored:
        """The same, for a statement that is run at once."""
        stored = Stored(prepared, text)
        self.engine.hold(stored, prepared.plan.memory_keys)
        return stored

    def statement(self, name: str) -> Stored:
        """A statement by its id. Raises InvalidQuery for one that is not there, or not any more."""
        with self.lock:
            found = self.statements.get(name)
            if found is None:
                raise InvalidQuery("this session has no such statement", hint="plan it again with the action `statement`")
            self.statements.move_to_end(name)
        return found

    def note_job(self, job: JobId, running: RunningJob) -> None:
        """A job of this session has been started."""
        with self.lock:
            self.jobs[job] = running

    def tidy(self, mesh: Mesh) -> None:
        """Forgets jobs of which nothing is left."""
        with self.lock:
            jobs = tuple(self.jobs)
        gone = [job for job in jobs if has_gone(mesh.driver, job)]
        with self.lock:
            for job in gone:
                self.jobs.pop(job, None)
        self.engine.forget_ended()

    def close(self) -> None:
        """Cancels its jobs, drops its names."""
        self.engine.close()
        with self.lock:
            self.statements.clear()
            self.jobs.clear()
        for listing in self.workspace.catalog.own():
            if isinstance(listing.entry, MemoryTable):
                self.engine.drop_table(listing.entry.key)


class Sessions:
    """All sessions of a driver. Any thread may call."""

    def __init__(self, mesh: Mesh) -> None:
        self.mesh = mesh
        self.catalog = Catalog(files=mesh.files, offered=mesh.files.served)
        self._sessions: dict[str, MeshSession] = {}
        self._numbers = itertools.count(1)
        engine = MeshEngine(mesh, "")
        self.shared = MeshSession("", engine, SharedWorkspace(engine, self.catalog), time.monotonic())
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._ticker = threading.Thread(target=self._tick, name="flightmesh-sessions", daemon=True)
        self._ticker.start()

    @property
    def lease_seconds(self) -> float:
        """How long a session stays without a call."""
        return self.mesh.driver.config.mesh.session_seconds

    def open(self, wanted: OpenSession) -> str:
        """A new session's id. Raises InvalidQuery for settings that cannot be, ResourceExhausted when there are too many."""
        if wanted.partitions is not None and not 1 <= wanted.partitions <= 4096:
            raise InvalidQuery(f"a session has 1 to 4096 partitions, not {wanted.partitions}")
        name = secrets.token_hex(16)
        label = f"s{next(self._numbers)}"
        engine = MeshEngine(self.mesh, label)
        catalog = Catalog(files=self.mesh.files, behind=self.catalog)
        workspace = Workspace(engine, catalog, wanted.dialect, wanted.partitions)
        with self._lock:
            if len(self._sessions) >= MOST_SESSIONS:
                hint = "close those that are not used; the others end with their lease"
                raise ResourceExhausted(f"{MOST_SESSIONS:,} sessions are open at this driver", hint=hint)
            self._sessions[name] = MeshSession(label, engine, workspace, time.monotonic())
        return name

    @contextmanager
    def using(self, headers: Mapping[str, str]) -> Iterator[MeshSession]:
        """The session of a call, which does not run out while the call does. Raises InvalidQuery for an id that is no
        session's, or not any more."""
        name = headers.get(HEADER)
        with self._lock:
            session = self.shared if name is None else self._sessions.get(name)
            if session is None:
                raise InvalidQuery("this session has ended", hint="open another with the action `open-session`")
            session.calls += 1
        try:
            yield session
        finally:
            with self._lock:
                session.calls -= 1
                session.used = time.monotonic()

    def require_own(self, session: MeshSession, why: str) -> None:
        """Raises InvalidQuery for the session that calls without an id share."""
        if session is self.shared:
            hint = f"open one with the action `open-session`, and send its id in the header {HEADER}"
            raise InvalidQuery(f"{why} this call needs a session", hint=hint)

    def end(self, headers: Mapping[str, str]) -> None:
        """Closes the session of a call. Harmless when it has ended; InvalidQuery without one."""
        name = headers.get(HEADER)
        if name is None:
            raise InvalidQuery("a call without a session cannot end one", hint=f"send the session's id in the header {HEADER}")
        with self._lock:
            session = self._sessions.pop(name, None)
        if session is not None:
            session.close()

    def close(self) -> None:
        """Ends all sessions."""
        self._ended.set()
        self._ticker.join()
        with self._lock:
            sessions = [*self._sessions.values(), self.shared]
            self._sessions.clear()
        for session in sessions:
            session.close()

    def __len__(self) -> int:
        return len(self._sessions)

    def _tick(self) -> None:
        while not self._ended.wait(TICK_SECONDS):
            try:
                self._end_unused()
                with self._lock:
                    sessions = [*self._sessions.values(), self.shared]
                for session in sessions:
                    session.tidy(self.mesh)
            except Exception:  # a bug must not end the leases of all sessions
                LOG.exception("looking after the sessions failed")

    def _end_unused(self) -> None:
        now = time.monotonic()
        with self._lock:
            unused = [
                name
                for name, session in self._sessions.items()
                if not session.calls and now - session.used > self.lease_seconds
            ]
            sessions = [self._sessions.pop(name) for name in unused]
        for session in sessions:
            LOG.info("session %s was not used for %.0f s and is closed", session.label, self.lease_seconds)
            session.close()
