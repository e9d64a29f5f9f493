"""The listings of Flight SQL: which rows answer which command.

Handed a command and a session; hands on its schema or its rows. What always holds: rows have the schema that is told before.
"""

from __future__ import annotations

from typing import assert_never

import pyarrow as pa

from flightmesh.node.flight_sql import catalog_rows
from flightmesh.node.flight_sql.server_info import SQL_INFO, server_info
from flightmesh.node.flight_sql.type_info import TYPE_INFO, type_info
from flightmesh.node.sessions import MeshSession
from flightmesh.protocol.flight_sql import (
    CommandGetCatalogs,
    CommandGetCrossReference,
    CommandGetDbSchemas,
    CommandGetExportedKeys,
    CommandGetImportedKeys,
    CommandGetPrimaryKeys,
    CommandGetSqlInfo,
    CommandGetTables,
    CommandGetTableTypes,
    CommandGetXdbcTypeInfo,
    Metadata,
)


def metadata_schema(command: Metadata) -> pa.Schema:
    """The columns of a command's rows."""
    match command:
        case CommandGetCatalogs():
            return catalog_rows.CATALOGS
        case CommandGetDbSchemas():
            return catalog_rows.SCHEMAS
        case CommandGetTables():
            return catalog_rows.tables_schema(command)
        case CommandGetTableTypes():
            return catalog_rows.TABLE_TYPES
        case CommandGetPrimaryKeys():
            return catalog_rows.PRIMARY_KEYS
        case CommandGetExportedKeys() | CommandGetImportedKeys() | CommandGetCrossReference():
            return catalog_rows.FOREIGN_KEYS
        case CommandGetSqlInfo():
            return SQL_INFO
        case CommandGetXdbcTypeInfo():
            return TYPE_INFO
        case _:
            assert_never(command)


def metadata_rows(command: Metadata, session: MeshSession, statement_seconds: float) -> pa.Table:
    """A command's rows. `statement_seconds`: how long a prepared statement stays that nobody uses."""
    match command:
        case CommandGetCatalogs():
            return catalog_rows.catalogs(session)
        case CommandGetDbSchemas():
            return catalog_rows.schemas(command, session)
        case CommandGetTables():
            return catalog_rows.tables(command, session)
        case CommandGetTableTypes():
            return catalog_rows.table_types()
        case CommandGetSqlInfo():
            return server_info(command.info, statement_seconds)
        case CommandGetXdbcTypeInfo():
            return type_info(command.data_type)
        case _:
            return metadata_schema(command).empty_table()
