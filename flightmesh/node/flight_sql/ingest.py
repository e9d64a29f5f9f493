"""Rows in bulk: a put of Flight SQL that makes a table.

Handed the command and the stream of rows; hands on how many rows it was. What always holds: the table is there as a whole or
not at all; one that is there is replaced only when the command says so, and rows are never added to it.
"""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

from flightmesh.catalog.catalog import DEFAULT_SCHEMA
from flightmesh.errors import InvalidMessage, InvalidQuery, UnsupportedFeature
from flightmesh.frontend.sql.statements import Lifetime
from flightmesh.node.mesh_tables import MeshTables
from flightmesh.node.sessions import MeshSession
from flightmesh.protocol.flight_sql import CommandStatementIngest, TableDefinitionOptions
from flightmesh.transport.service import InStream

_CREATE, _FAIL_IF_MISSING = 1, 2
_FAIL_IF_THERE, _APPEND, _REPLACE = 1, 2, 3


def ingest(asked: CommandStatementIngest, stream: InStream, session: MeshSession, tables: MeshTables) -> int:
    """Makes the table. Raises InvalidQuery where it may not be made, UnsupportedFeature where rows were to be added to one."""
    name = _name(asked)
    options = asked.table_definition_options or TableDefinitionOptions()
    lifetime = Lifetime.SESSION if asked.temporary else Lifetime.MESH
    _check(options, name, session, lifetime)
    counted = _Counted(stream)
    table = tables.put(name[-1], stream.schema, counted)
    try:
        _check(options, name, session, lifetime)  # another client may have been faster
    except InvalidQuery:
        session.engine.drop_table(table.key)
        raise
    session.workspace.register(name, table, lifetime)
    return counted.rows


class _Counted:
    """The batches of a stream, and how many rows they had."""

    def __init__(self, stream: InStream) -> None:
        self._stream = stream
        self.rows = 0

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        for batch, _ in self._stream.batches:
            if batch is not None:
                self.rows += batch.num_rows
                yield batch


def _name(asked: CommandStatementIngest) -> tuple[str, ...]:
    if not asked.table:
        raise InvalidMessage("CommandStatementIngest names no table")
    if asked.catalog:
        return asked.catalog, asked.schema or DEFAULT_SCHEMA, asked.table
    return (asked.schema, asked.table) if asked.schema else (asked.table,)


def _check(options: TableDefinitionOptions, name: tuple[str, ...], session: MeshSession, lifetime: Lifetime) -> None:
    shown = ".".join(name)
    if options.if_not_exist not in (_CREATE, _FAIL_IF_MISSING) or options.if_exists not in (_FAIL_IF_THERE, _APPEND, _REPLACE):
        raise InvalidMessage("CommandStatementIngest does not say what to do about a table that is, or is not, there")
    home = session.workspace.catalog if lifetime is Lifetime.SESSION else session.workspace.catalog.shared
    if not home.owns(name):
        if options.if_not_exist == _FAIL_IF_MISSING:
            raise InvalidQuery(f"there is no table {shown!r}", hint="ingest with the mode `create`")
    elif options.if_exists == _FAIL_IF_THERE:
        raise InvalidQuery(
            f"there is a table or view {shown!r} already", hint="ingest with the mode `replace`, or drop it first"
        )
    elif options.if_exists == _APPEND:
        raise UnsupportedFeature(
            f"rows cannot be added to the table {shown!r}",
            hint="ingest them under another name and read both with UNION ALL, or ingest the whole with the mode `replace`",
        )
    session.workspace.require_free(name, lifetime)
