"""A session on a mesh: what `Session` is in one process, for a client that reaches the driver and its workers by Flight.

Handed SQL texts, plan files, data; hands on Results. What always holds: a mistake in a query is raised at once, by `sql`,
with its place; paths in queries and `register` are the nodes', what lies at the client is uploaded; rows come straight from
the workers that hold them; closing ends the session's jobs, views and temporary tables.
"""

from __future__ import annotations

import logging
import os
import secrets
import weakref
from collections.abc import Mapping
from dataclasses import replace
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

import pyarrow as pa

from flightmesh.catalog.table import Format, Storage
from flightmesh.config import Config
from flightmesh.errors import Cancelled, FlightmeshError, InvalidQuery
from flightmesh.exchange.budget import MemoryBudget
from flightmesh.protocol.client_messages import (
    CloseSession,
    Done,
    DropTable,
    Explain,
    ListTables,
    OpenSession,
    Planned,
    RegisterTable,
    Run,
    Statement,
    Tables,
    Text,
    UploadTable,
)
from flightmesh.runtime.machine import memory_limit
from flightmesh.session.driver_link import PATIENT_SECONDS, DriverLink
from flightmesh.session.engine import Job
from flightmesh.session.lease import Lease
from flightmesh.session.level import Level
from flightmesh.session.patience import patiently
from flightmesh.session.plan import typed_errors
from flightmesh.session.remote_job import RemoteJob
from flightmesh.session.remote_params import pack_params
from flightmesh.session.result import Result
from flightmesh.session.session import is_path, option_text, text_pairs
from flightmesh.session.upload import rows_of_data, rows_of_files
from flightmesh.session.workspace import Params

if TYPE_CHECKING:
    from flightmesh.frontend.yaml.plan import PlanFile

LOG = logging.getLogger(__name__)
CLOSE_SECONDS = 3.0
Answer = TypeVar("Answer")


class RemoteSession:
    """A session at a driver. A context manager; `connect("grpc+tls://host:port")` makes it."""

    def __init__(self, address: str, config: Config, opening: OpenSession, how: Run, token: str | None = None) -> None:
        """`config`: what counts here is the memory budget, for results gathered in this process. `how` rows are to come."""
        self.config = config
        self._how = how
        self._budget = MemoryBudget(config.memory or memory_limit())
        self._link = DriverLink(address, opening, token)
        self._lease = Lease(self._link)
        self._is_closed = False
        self._finalizer = weakref.finalize(self, _end, self._link, self._lease)

    @property
    def address(self) -> str:
        """The driver's URI."""
        return self._link.uri

    @typed_errors()
    def register(self, name: str, source: Any, **options: Any) -> None:
        """Gives a table a name, which a later one of the same name replaces.

        `source`: files of the nodes or of an object store (absolute paths, globs, s3:// URLs), whose name is then the mesh's,
        for every session; or data of this process (see `Session.register`), which is uploaded as a temporary table of this
        session. Raises InvalidInput when the source cannot be read.
        """
        self._check_open()
        if is_path(source):
            paths = source if isinstance(source, list | tuple) else (source,)
            storage = options.pop("storage", None)
            question = RegisterTable(
                name,
                tuple(os.fspath(path) for path in paths),
                _format(options.pop("format", None)),
                text_pairs(options),
                None if storage is None else text_pairs(storage),
            )
            self._link.ask("register-table", question, Done)
        else:
            self._send(UploadTable(name, temporary=True), source, options)

    @typed_errors()
    def upload(self, name: str, source: Any, **options: Any) -> None:
        """Sends a table to the workers' memory, where every session of the mesh finds it until it is dropped.

        `source`: files of this machine (with `options` as `register` takes them), or data. Raises InvalidInput when it cannot
        be read and ResourceExhausted when it does not fit.
        """
        self._check_open()
        self._send(UploadTable(name), source, options)

    def drop(self, name: str) -> None:
        """Drops a registered or uploaded table, or a view. Raises InvalidQuery for an unknown name."""
        self._check_open()
        self._link.ask("drop-table", DropTable(name), Done)

    @typed_errors()
    def sql(self, text: str, dialect: str | None = None, params: Params | None = None) -> Result:
        """Plans one statement; its rows come when the result is used. CREATE and DROP take effect before this returns.

        `dialect`: any of sqlglot's. `params`: a dict for `:name`, a list for `?` and `$1`. Raises InvalidQuery, with the place
        in the text.
        """
        self._check_open()
        return self._result(self._plan(Statement(sql=text, dialect=dialect, params=pack_params(params))))

    @typed_errors()
    def run_plan(self, path: str | os.PathLike[str], params: Mapping[str, Any] | None = None) -> Result:
        """Plans a YAML plan file (or the text of one) of this machine and gives the rows of its output step.

        Paths in it are the nodes'; inputs with `file: local` are read here and uploaded, `write` with `to: client` lands
        here. A plan with `write` is run at once, and gives one row for each file that it wrote. Raises InvalidPlan, with the
        place in the file.
        """
        from flightmesh.session.write import WrittenFiles

        result = self.open_plan(path, params)
        return Result.of_table(result.to_arrow()) if isinstance(result, WrittenFiles) else result

    @typed_errors()
    def open_plan(self, path: str | os.PathLike[str], params: Mapping[str, Any] | None = None) -> Result:
        """As `run_plan`, but a plan with `write` at the client is run when its result is first used, so that its progress can
        be seen."""
        from flightmesh.frontend.yaml.plan import client_target, load_plan
        from flightmesh.session.remote_plan import sendable

        self._check_open()
        plan = load_plan(path)
        uploads = self._upload_inputs(plan, params)
        statement = Statement(
            plan=plan.document.text,
            source=plan.document.name,
            params=pack_params(sendable(plan, params)),
            uploads=tuple(uploads.items()),
        )
        planned = self._plan(statement)
        result = self._result(planned)
        target = client_target(plan, params)
        if target is None:
            return result
        from flightmesh.session.write import WrittenFiles

        return WrittenFiles(result, target)

    @typed_errors()
    def explain(self, text: str, level: str = "optimized", dialect: str | None = None, params: Params | None = None) -> str:
        """The plan of a query as text. `level`: logical, optimized, physical, stages, or analyze, which runs it and counts."""
        self._check_open()
        question = Explain(text, Level.named(level).value, dialect, pack_params(params))
        return self._patiently("explain", question, Text).text

    def tables(self) -> list[str]:
        """Names of the tables and views of the session and of the mesh, as a query can write them."""
        self._check_open()
        return [table.name for table in self._link.ask("tables", ListTables(), Tables).tables]

    def close(self) -> None:
        """Ends the session and what runs in it. Repeating it is harmless."""
        self._is_closed = True
        self._finalizer()

    def _plan(self, statement: Statement) -> Planned:
        return self._patiently("statement", statement, Planned)

    def _patiently(self, action: str, question: Any, kind: type[Answer]) -> Answer:
        """The answer to what may take as long as a query: CREATE TABLE AS, EXPLAIN ANALYZE."""
        return patiently(lambda: self._link.ask(action, question, kind, PATIENT_SECONDS), self._link.ping)

    def _result(self, planned: Planned) -> Result:
        if planned.statement is None:
            return Result.of_table(pa.ipc.open_stream(planned.rows or b"").read_all())
        run = replace(self._how, statement=planned.statement)

        def submit(_: object = self) -> Job:  # a result keeps its session open
            self._check_open()
            return RemoteJob(self._link, run, self._budget)

        return Result(pa.ipc.read_schema(pa.py_buffer(planned.schema)), submit)

    def _send(self, table: UploadTable, source: Any, options: Mapping[str, Any]) -> None:
        if is_path(source):
            storage = options.get("storage")
            texts = {key: option_text(value) for key, value in options.items() if key not in ("format", "storage")}
            place = None if storage is None else Storage("s3", text_pairs(storage))
            rows = rows_of_files(table.name, source, options.get("format"), texts, place)
        elif options:
            raise InvalidQuery(f"a table in memory takes no options, but got {', '.join(options)}")
        else:
            rows = rows_of_data(source)
        self._link.upload(table, rows.schema, rows.batches)

    def _upload_inputs(self, plan: PlanFile, params: Mapping[str, Any] | None) -> dict[str, str]:
        """Uploads the files of a plan that are this machine's; the table that stands for each input."""
        from flightmesh.frontend.yaml.plan import local_inputs, pointing_at

        uploads = {}
        for entry in local_inputs(plan, params):
            table = UploadTable(f"{entry.name}_{secrets.token_hex(4)}", temporary=True)
            with pointing_at(plan.document, entry.place):
                rows = rows_of_files(entry.name, entry.paths, entry.format, entry.options, entry.storage)
            self._link.upload(table, rows.schema, rows.batches)
            uploads[entry.name] = table.name
        return uploads

    def _check_open(self) -> None:
        if self._is_closed:
            raise Cancelled("the session is closed", hint=f"open another with flightmesh.connect({self._link.uri!r})")

    def __enter__(self) -> RemoteSession:
        return self

    def __exit__(self, kind: type[BaseException] | None, failure: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Session at {self._link.uri}, {'closed' if self._is_closed else 'open'}>"


def _end(link: DriverLink, lease: Lease) -> None:
    """Ends a session at its driver, and the connection."""
    lease.stop()
    try:
        link.ask("close-session", CloseSession(), Done, CLOSE_SECONDS)
    except FlightmeshError as error:  # no driver: there is no session either
        LOG.debug("the session was not closed: %s", error.message)
    link.close()


def _format(format: Format | str | None) -> str | None:
    return format.value if isinstance(format, Format) else format
