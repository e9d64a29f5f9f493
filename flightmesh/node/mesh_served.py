"""The tables that the nodes of a mesh serve: each the union of what its nodes have of it, or one of several replicas.

Handed names; hands on tables whose files say who holds them, as the files are now, and their statistics. What always holds: a
table is whole or an error that names it and the node that is missing; what nodes say of a table is joined by the rules for
several files of one table; where they do not agree, the error names the nodes.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence

import pyarrow as pa

from flightmesh.catalog.statistics import LazyColumns
from flightmesh.catalog.table import SERVED, ColumnStatistics, Copy, FileTable, Format, TableStatistics
from flightmesh.dataclass import dataclass
from flightmesh.driver.worker_transitions import WorkerState
from flightmesh.errors import (
    Fenced,
    FlightmeshError,
    InvalidInput,
    InvalidQuery,
    NodeSilent,
    NodeUnavailable,
    WorkerLost,
)
from flightmesh.node.served_union import Seen, joined, joined_column
from flightmesh.node.worker_answers import WorkerAnswers
from flightmesh.protocol.asking import AskServed, AskStatistics, Served, Statistics
from flightmesh.protocol.client_messages import NodeStatus, TableListing, TablePlace
from flightmesh.protocol.codec import decode, encode
from flightmesh.protocol.node_messages import Serving
from flightmesh.runtime.mesh_driver import MeshDriver
from flightmesh.runtime.served_parts import COME_BACK, parts_of

LOG = logging.getLogger(__name__)
SERVED_SECONDS = 20.0
LISTING_SECONDS = 3.0
_GONE = (WorkerLost, Fenced, NodeUnavailable)


@dataclass(frozen=True, slots=True)
class _Server:
    """A node, and what it said of the table that it serves."""

    node: NodeStatus
    serving: Serving

    @property
    def is_lost(self) -> bool:
        return self.node.state == WorkerState.LOST.value

    @property
    def is_there(self) -> bool:
        """Whether new queries read there. A node that drains or has left has withdrawn what it served."""
        return self.node.state == WorkerState.ALIVE.value


class MeshServed:
    """Any thread may call."""

    def __init__(self, mesh: MeshDriver, answers: WorkerAnswers) -> None:
        self._mesh = mesh
        self._answers = answers
        self._lock = threading.Lock()
        self._said: dict[tuple[str, str], Served] = {}
        self._tables: dict[str, FileTable] = {}
        self._forgotten: set[tuple[str, str]] = set()

    def names(self) -> tuple[str, ...]:
        """Names of the tables that nodes serve, and of those that lost nodes served."""
        found: dict[str, str] = {}
        for node in self._mesh.nodes():
            for serving in node.serves:
                if self._servers(serving.table, (node,)):
                    found.setdefault(serving.table.casefold(), serving.table)
        return tuple(found[name] for name in sorted(found))

    def find(self, name: str) -> FileTable | None:
        """A table as last seen, or without files if it has never been."""
        servers = self._servers(name, self._mesh.nodes())
        if not servers:
            return None
        with self._lock:
            known = self._tables.get(name.casefold())
        return known or FileTable(name, Format.PARQUET, SERVED, (), pa.schema([]), source=(servers[0].serving.table,))

    def forget(self, name: str) -> FileTable:
        """What lost nodes served is forgotten. Raises InvalidQuery while there are nodes that serve the table."""
        servers = self._servers(name, self._mesh.nodes())
        lost = _missing(servers)
        table = self.find(name)
        if not lost or table is None:
            nodes = ", ".join(server.node.name for server in servers)
            raise InvalidQuery(f"table {name} is served by {nodes}", hint="it goes when they leave, or serve it no more")
        self._forgotten |= {(server.node.id, server.serving.table) for server in lost}
        return table

    def refresh(self, table: FileTable) -> FileTable:
        """The table as its files are now at its nodes; the same object while nothing has changed. Raises WorkerLost when the
        only node with some of it is gone, InvalidInput where nodes do not agree."""
        name = table.source[0]
        servers = self._present(name)
        asked = []
        for server in servers:
            known = self._said.get((server.node.id, name))
            asked.append((server.node, encode(AskServed(name, "" if known is None else known.digest))))
        seen: list[Seen] = []
        gone: list[FlightmeshError] = []
        for server, (node, answer) in zip(servers, self._answers.of_each(asked, "served", SERVED_SECONDS), strict=True):
            if isinstance(answer, FlightmeshError):
                gone.append(self._unanswered(server, answer))
            else:
                seen.append(Seen(node, self._remember(node, name, decode(answer, Served))))
        if not seen:
            raise gone[0]
        return self._kept(name, joined(name, seen, servers[0].serving.copy))

    def statistics(self, table: FileTable) -> TableStatistics:
        """What the footers of all its files say, read by those who hold them."""
        found = self._ask_statistics(table, ())
        rows = [part.rows for part in found]
        known = [count for count in rows if count is not None]

        def column(name: str) -> ColumnStatistics:
            parts = self._ask_statistics(table, (name,))
            return joined_column([(p.rows, p.columns[0].column if p.columns else ColumnStatistics()) for p in parts])

        columns = LazyColumns(tuple(table.schema.names), column)
        return TableStatistics(sum(known) if len(known) == len(rows) else None, sum(part.bytes for part in found), columns)

    def listing(self, name: str) -> TableListing:
        """What people are told of a table: rows and bytes of each node, and which nodes cannot be asked or are lost."""
        servers = self._servers(name, self._mesh.nodes())
        patience = self._mesh.config.mesh.silent_seconds
        asked = [server for server in servers if server.is_there and server.node.seen <= patience]
        questions = [(server.node, encode(AskServed(server.serving.table))) for server in asked]
        answers = self._answers.of_each(questions, "served", LISTING_SECONDS)
        said = {node.id: self._place(server, answer) for server, (node, answer) in zip(asked, answers, strict=True)}
        places = tuple(said.get(server.node.id) or _unasked(server) for server in servers)
        counted = [place for place in places if not place.error]
        if all(server.serving.copy is Copy.REPLICA for server in servers):
            counted = counted[:1]
        elif len(counted) < len(places):
            counted = []
        known = [place.rows for place in counted if place.rows is not None]
        rows = sum(known) if known and len(known) == len(counted) else None
        return TableListing(name, "served", rows, sum(place.bytes or 0 for place in counted) if counted else None, places)

    def _place(self, server: _Server, answer: bytes | FlightmeshError) -> TablePlace:
        """What lies at a node that has answered."""
        node, copy = server.node, server.serving.copy
        try:
            if isinstance(answer, FlightmeshError):
                raise answer
            table = self._remember(node, server.serving.table, decode(answer, Served))
            part = joined(server.serving.table, [Seen(node, table)], copy) if table.files else None
            rows = 0 if part is None else self.statistics(part).rows
        except FlightmeshError as error:
            return TablePlace(node.name, copy.value, error=error.message)
        return TablePlace(node.name, copy.value, len(table.files), rows, sum(file.size for file in table.files))

    def _servers(self, name: str, nodes: Sequence[NodeStatus]) -> list[_Server]:
        """Those who serve a table now, or did so until they were lost and nobody has dropped it since."""
        found = [
            _Server(node, serving) for node in nodes for serving in node.serves if serving.table.casefold() == name.casefold()
        ]
        missing = _missing(found)
        return [
            server
            for server in found
            if server.is_there or (server in missing and (server.node.id, server.serving.table) not in self._forgotten)
        ]

    def _present(self, name: str) -> list[_Server]:
        """The nodes that the table is read at. Raises what keeps it from being whole."""
        servers = self._servers(name, self._mesh.nodes())
        there = [server for server in servers if server.is_there]
        lost = [server for server in servers if not server.is_there]
        copies = {server.serving.copy for server in servers}
        if lost and (not there or Copy.PART in copies):
            nodes = " and ".join(f"{server.node.name} ({server.node.id})" for server in lost)
            raise WorkerLost(
                f"table {name} is not whole: {nodes}, which this mesh has lost, served files of it that nobody else does",
                hint=f"{COME_BACK}; DROP TABLE {name} goes on with what is left",
            )
        if not there:
            raise InvalidQuery(f"no node serves table {name} any more")
        if len({server.serving.copy for server in there}) > 1:
            said = ", ".join(f"{server.node.name}: {server.serving.copy.value}" for server in there)
            raise InvalidInput(
                f"the nodes do not agree whether table {name} is replicated ({said})", hint="use --serve-replica on all of them"
            )
        if copies == {Copy.PART}:
            _refuse_twice(name, there)
        return there

    def _unanswered(self, server: _Server, error: FlightmeshError) -> FlightmeshError:
        """Why a node gives no files. Raised, unless it is gone and others have the same."""
        where = f"table {server.serving.table} at {server.node.name} ({server.node.id})"
        if not isinstance(error, _GONE):
            raise type(error)(f"{where}: {error.message}", hint=error.hint)
        lost = WorkerLost(f"{where} cannot be read, and nobody else serves its files: {error.message}", hint=COME_BACK)
        if server.serving.copy is Copy.PART or isinstance(error, NodeSilent):
            raise lost
        return lost

    def _remember(self, node: NodeStatus, name: str, said: Served) -> FileTable:
        with self._lock:
            known = self._said.get((node.id, name))
            if said.table is None and known is not None and known.digest == said.digest:
                said = known
            there = {worker.id for worker in self._mesh.workers()} | {node.id}
            self._said = {key: served for key, served in self._said.items() if key[0] in there}
            self._said[node.id, name] = said
        if said.table is None:
            raise InvalidInput(f"{node.name} did not say what it serves as {name}", hint="ask again")
        return said.table

    def _kept(self, name: str, table: FileTable) -> FileTable:
        """The table, as the object that it was if it is the same."""
        with self._lock:
            before = self._tables.get(name.casefold())
            if before is not None and before.files == table.files and before.schema == table.schema:
                return before
            self._tables[name.casefold()] = table
            return table

    def _ask_statistics(self, table: FileTable, columns: tuple[str, ...]) -> list[Statistics]:
        workers = {str(worker.id): worker for worker in self._mesh.workers()}
        parts = parts_of(table, workers)
        asked = [(workers[part.holder.worker], encode(AskStatistics(part.alone, columns))) for part in parts]
        found: list[Statistics] = []
        for node, answer in self._answers.of_each(asked, "statistics", SERVED_SECONDS):
            if isinstance(answer, FlightmeshError):
                message = f"table {table.name} at {node.name} ({node.id}): {answer.message}"
                if isinstance(answer, _GONE):
                    raise WorkerLost(message, hint=COME_BACK)
                raise type(answer)(message, hint=answer.hint)
            found.append(decode(answer, Statistics))
        return found


def _unasked(server: _Server) -> TablePlace:
    why = "lost" if server.is_lost else f"silent for {server.node.seen:.1f} s"
    return TablePlace(server.node.name, server.serving.copy.value, error=why)


def _missing(servers: Sequence[_Server]) -> list[_Server]:
    """Lost nodes whose files are not back: nobody serves the same again, and no later incarnation was lost as well."""
    back = {server.serving.home for server in servers if server.is_there}
    lost: dict[str, _Server] = {}
    for server in servers:
        if server.is_lost and server.serving.home not in back:
            lost[server.serving.home or server.node.id] = server
    return list(lost.values())


def _refuse_twice(name: str, there: Sequence[_Server]) -> None:
    """The same folder served by two processes would give each row twice."""
    places: dict[str, _Server] = {}
    for server in there:
        other = places.setdefault(server.serving.place, server)
        if other is not server and server.serving.place:
            raise InvalidInput(
                f"{other.node.name} and {server.node.name} serve the same files as parts of table {name}: "
                "its rows would count twice",
                hint="serve them by one of the two, or use --serve-replica on both",
            )
