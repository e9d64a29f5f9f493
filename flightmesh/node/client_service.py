"""What a driver answers to clients: sessions, statements, results, tables, and what people ask about nodes and jobs.

Handed calls of the client listener; hands on answers. What always holds: a text is planned at once and its mistakes come back
with their place; a query's rows come from the workers; nothing here is for nodes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, ClassVar

import pyarrow as pa

from flightmesh.catalog.named_files import named_files
from flightmesh.catalog.names import split_name
from flightmesh.catalog.table import Storage
from flightmesh.errors import InvalidMessage, UnsupportedFeature
from flightmesh.frontend.sql.statements import Lifetime
from flightmesh.node.attending import attending
from flightmesh.node.commands import LONGEST, is_map, quoted, read_params, read_run, read_upload
from flightmesh.node.flight_sql.service import FlightSql
from flightmesh.node.listings import infos_of, tables_of
from flightmesh.node.mesh_engine import Mesh, budget_of
from flightmesh.node.mesh_files import MeshFiles
from flightmesh.node.mesh_tables import MeshTables
from flightmesh.node.people import People
from flightmesh.node.planning import plan_text, schema_of
from flightmesh.node.results import Results
from flightmesh.node.roots import EVERYWHERE, Roots
from flightmesh.node.sessions import HEADER, MeshSession, Sessions
from flightmesh.protocol.client_messages import (
    Done,
    DropTable,
    Explain,
    JobStatus,
    OpenSession,
    Planned,
    RegisterTable,
    Run,
    SessionOpened,
    Statement,
    Text,
)
from flightmesh.protocol.codec import decode, encode
from flightmesh.protocol.flight_sql import is_command
from flightmesh.runtime.mesh_driver import MeshDriver
from flightmesh.session.level import Level
from flightmesh.session.plan import typed_errors
from flightmesh.session.plan_cache import PlanCache
from flightmesh.session.write import FILES
from flightmesh.transport.service import ActionKind, Asked, Call, Info, InStream, OutStream

Answer = Callable[[bytes, MeshSession], Any]


class ClientService:
    """The service of a driver's client listener. `roots`: what the driver's owner allows remote queries to read and write."""

    ACTIONS: ClassVar[tuple[ActionKind, ...]] = (
        ActionKind("open-session", f"Opens a session; its id goes in the header {HEADER}. Body OpenSession, or empty."),
        ActionKind("close-session", "Ends the caller's session: its jobs, views and temporary tables. Answers Done."),
        ActionKind("ping", "Keeps the caller's session. No body; answers Done."),
        ActionKind("statement", "Plans SQL or a YAML plan; CREATE and DROP take effect. Body Statement; answers Planned."),
        ActionKind("explain", "The plan of a query in words. Body Explain; answers Text."),
        ActionKind("submit", "Starts a query and does not wait for its rows. Body Run; answers JobStatus."),
        ActionKind("register-table", "Names files of the nodes, for all sessions. Body RegisterTable; answers Done."),
        ActionKind("drop-table", "Drops a table or a view. Body DropTable; answers Done."),
        ActionKind("tables", "The names that a query of this session can use. No body; answers Tables."),
    )

    def __init__(self, mesh: MeshDriver, people: People, roots: Roots = EVERYWHERE) -> None:
        self.mesh = Mesh(
            mesh, MeshFiles(mesh, roots), MeshTables(mesh), budget_of(mesh.config), PlanCache(mesh.config.planner.plan_cache)
        )
        self.sessions = Sessions(self.mesh)
        self._results = Results(self.mesh, roots)
        self.flight_sql = FlightSql(self.mesh, self.sessions, self._results)
        self._people = people
        self._answers: dict[str, Answer] = {
            "ping": lambda _, session: Done(),
            "statement": self._statement,
            "explain": self._explain,
            "submit": self._submit,
            "register-table": self._register,
            "drop-table": self._drop,
            "tables": lambda _, session: tables_of(session),
        }

    @property
    def row_bytes(self) -> int:
        """Bytes of rows that went from workers through the driver to clients (`results: through-driver`)."""
        return self._results.row_bytes

    def close(self) -> None:
        """Ends every session and what it runs. The mesh itself is whoever's made it."""
        self.sessions.close()
        self.mesh.close()

    def actions(self) -> tuple[ActionKind, ...]:
        """The actions of this listener."""
        return (*self.ACTIONS, *People.ACTIONS, *FlightSql.ACTIONS)

    def act(self, name: str, body: bytes, call: Call) -> Iterable[bytes]:
        """Carries out an action."""
        if len(body) > LONGEST:
            raise InvalidMessage(f"a body of {len(body):,} bytes is too long", hint=f"at most {LONGEST:,} bytes")
        if name == "open-session":
            wanted: OpenSession = decode(body, OpenSession) if body else OpenSession()
            return [encode(SessionOpened(self.sessions.open(wanted), self.sessions.lease_seconds))]
        if name == "close-session":
            self.sessions.end(call.headers)
            return [encode(Done())]
        if self.flight_sql.knows(name):
            return self.flight_sql.act(name, body, call)
        answer = self._answers.get(name)
        if answer is None:
            return self._people.act(name, body)
        with self.sessions.using(call.headers) as session, attending(call), typed_errors():
            return [encode(answer(body, session))]

    def info(self, asked: Asked, call: Call) -> Info:
        """Runs what a descriptor asks for; says where the rows will be."""
        if is_command(asked.command):
            return self.flight_sql.info(asked.command, call)
        run = _run_of(asked)
        with self.sessions.using(call.headers) as session, attending(call), typed_errors():
            if run.job is not None:
                self.sessions.require_own(session, "jobs belong to sessions, and")
                return self._results.of_job(session, run.job, run.results)
            stored = self._stored(run, session)
            if isinstance(stored, pa.Table):
                return self._results.of_rows(stored)
            return self._results.run(session, stored, run.delivery, run.results)

    def schema(self, asked: Asked, call: Call) -> pa.Schema:
        """Plans what a descriptor asks for, and does not run it."""
        if is_command(asked.command):
            return self.flight_sql.schema(asked.command, call)
        run = _run_of(asked)
        with self.sessions.using(call.headers) as session, attending(call), typed_errors():
            return schema_of(run, session)

    def list(self, call: Call) -> Iterable[Info]:
        """The tables and views that the caller can name."""
        with self.sessions.using(call.headers) as session, attending(call), typed_errors():
            return tuple(infos_of(session))

    def get(self, ticket: bytes, call: Call) -> OutStream:
        """Rows that the driver holds, or passes on for clients that reach nobody else."""
        if is_command(ticket):
            return self.flight_sql.get(ticket, call)
        return self._results.get(ticket, call)

    def put(self, asked: Asked, stream: InStream, call: Call) -> None:
        """Uploads a table: its rows go to the workers as they come."""
        if is_command(asked.command):
            return self.flight_sql.put(asked.command, stream, call)
        upload = read_upload(asked.command, asked.path)
        with self.sessions.using(call.headers) as session, attending(call), typed_errors():
            name = split_name(upload.name)
            if upload.temporary:
                self.sessions.require_own(session, "a temporary table is a session's, and")
            lifetime = Lifetime.SESSION if upload.temporary else Lifetime.MESH
            session.workspace.require_free(name, lifetime)
            batches = (batch for batch, _ in stream.batches if batch is not None)
            table = self.mesh.tables.put(name[-1], stream.schema, batches)
            session.workspace.register(name, table, lifetime)
            stream.acknowledge(encode(Done()))

    def _stored(self, run: Run, session: MeshSession) -> Any:
        """What a command runs: a stored statement, or the rows of what has been done at once."""
        if run.statement is not None:
            return session.statement(run.statement)
        asked = Statement(run.sql, run.plan, None, run.dialect, run.params)
        planned = plan_text(asked, session)
        return planned if isinstance(planned, pa.Table) else session.stored(planned, asked.sql or "a plan")

    def _statement(self, body: bytes, session: MeshSession) -> Planned:
        asked: Statement = decode(body, Statement)
        planned = plan_text(asked, session)
        if isinstance(planned, pa.Table):
            return Planned(planned.schema.serialize().to_pybytes(), rows=_stream_of(planned))
        self._results.check_target(planned)
        name, stored = session.store(planned, asked.sql or asked.source or "a plan")
        return Planned(stored.schema.serialize().to_pybytes(), name, write=stored.write)

    def _explain(self, body: bytes, session: MeshSession) -> Text:
        asked: Explain = decode(body, Explain)
        params = read_params(asked.params)
        return Text(session.workspace.explain(asked.sql, Level.named(asked.level), asked.dialect, params))

    def _submit(self, body: bytes, session: MeshSession) -> JobStatus:
        run: Run = read_run(body) if is_map(body) else decode(body, Run)
        self.sessions.require_own(session, "whoever submits a job asks for its rows later, and")
        stored = self._stored(run, session)
        if isinstance(stored, pa.Table) or stored.schema is FILES:
            raise UnsupportedFeature("this statement is not a query", hint="use the action `statement`, or GetFlightInfo")
        return self.mesh.driver.status(self._results.start(session, stored, run.delivery))

    def _register(self, body: bytes, session: MeshSession) -> Done:
        asked: RegisterTable = decode(body, RegisterTable)
        name = split_name(asked.name)
        storage = None if asked.storage is None else Storage("s3", asked.storage)
        table = self.mesh.files.open_files(named_files(name[-1], asked.paths, asked.format, dict(asked.options), storage))
        session.workspace.register(name, table)
        return Done()

    def _drop(self, body: bytes, session: MeshSession) -> Done:
        asked: DropTable = decode(body, DropTable)
        session.workspace.drop(split_name(asked.name))
        return Done()


def _run_of(asked: Asked) -> Run:
    """What a descriptor asks for; a path is the name of a table whose rows are wanted."""
    if asked.command is not None:
        return read_run(asked.command)
    if not 1 <= len(asked.path) <= 3:
        raise InvalidMessage("a descriptor has a command, or a path that names a table")
    return Run(sql=f"SELECT * FROM {quoted(asked.path)}", dialect="duckdb")


def _stream_of(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())
