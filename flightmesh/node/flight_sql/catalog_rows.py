"""Catalogs, schemas, tables and keys as Flight SQL lists them.

Handed a command and a session; hands on rows of the columns that the protocol fixes. What always holds: names are compared
without regard to case, as queries do; `%` and `_` of a pattern stand for anything, and for any one sign, unless `\\` stands
before them; rows are in the protocol's order; there are no keys.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import pyarrow as pa

from flightmesh.catalog.catalog import DEFAULT_CATALOG, DEFAULT_SCHEMA, Listing, View
from flightmesh.expression.types import Family, family, sql_type_name
from flightmesh.node.listings import schema_of_listing
from flightmesh.node.sessions import MeshSession
from flightmesh.protocol.flight_sql import CommandGetDbSchemas, CommandGetTables

ESCAPE = "\\"
"""Before a sign of a pattern that stands for itself."""
TABLE, VIEW = "TABLE", "VIEW"

CATALOGS = pa.schema([pa.field("catalog_name", pa.string(), nullable=False)])
SCHEMAS = pa.schema([pa.field("catalog_name", pa.string()), pa.field("db_schema_name", pa.string(), nullable=False)])
TABLE_TYPES = pa.schema([pa.field("table_type", pa.string(), nullable=False)])
TABLES = pa.schema(
    [
        pa.field("catalog_name", pa.string()),
        pa.field("db_schema_name", pa.string()),
        pa.field("table_name", pa.string(), nullable=False),
        pa.field("table_type", pa.string(), nullable=False),
    ]
)
TABLES_WITH_SCHEMAS = TABLES.append(pa.field("table_schema", pa.binary(), nullable=False))
PRIMARY_KEYS = pa.schema(
    [
        pa.field("catalog_name", pa.string()),
        pa.field("db_schema_name", pa.string()),
        pa.field("table_name", pa.string(), nullable=False),
        pa.field("column_name", pa.string(), nullable=False),
        pa.field("key_name", pa.string()),
        pa.field("key_sequence", pa.int32(), nullable=False),
    ]
)
FOREIGN_KEYS = pa.schema(
    [
        *(
            pa.field(f"{side}_{name}", pa.string(), nullable=nullable)
            for side in ("pk", "fk")
            for name, nullable in (
                ("catalog_name", True),
                ("db_schema_name", True),
                ("table_name", False),
                ("column_name", False),
            )
        ),
        pa.field("key_sequence", pa.int32(), nullable=False),
        pa.field("fk_key_name", pa.string()),
        pa.field("pk_key_name", pa.string()),
        pa.field("update_rule", pa.uint8(), nullable=False),
        pa.field("delete_rule", pa.uint8(), nullable=False),
    ]
)


def catalogs(session: MeshSession) -> pa.Table:
    """The catalogs that hold a table, and the one of names without any."""
    names = sorted({catalog for catalog, _ in _schemas(session)})
    return pa.table([names], schema=CATALOGS)


def schemas(asked: CommandGetDbSchemas, session: MeshSession) -> pa.Table:
    """The schemas that hold a table, and the one of names without any."""
    found = [
        (catalog, schema)
        for catalog, schema in _schemas(session)
        if _is_named(asked.catalog, catalog) and _fits(asked.db_schema_filter_pattern, schema)
    ]
    return pa.table([[catalog for catalog, _ in found], [schema for _, schema in found]], schema=SCHEMAS)


def table_types() -> pa.Table:
    """Tables and views."""
    return pa.table([[TABLE, VIEW]], schema=TABLE_TYPES)


def tables(asked: CommandGetTables, session: MeshSession) -> pa.Table:
    """The tables and views, with their columns where these are asked for."""
    found = sorted(_tables(asked, session), key=lambda one: (one.catalog, one.schema, one.name, _type(one)))
    columns: list[list[object]] = [
        [listing.catalog for listing in found],
        [listing.schema for listing in found],
        [listing.name for listing in found],
        [_type(listing) for listing in found],
    ]
    if not asked.include_schema:
        return pa.table(columns, schema=TABLES)
    columns.append([_described(schema_of_listing(listing, session)) for listing in found])
    return pa.table(columns, schema=TABLES_WITH_SCHEMAS)


def tables_schema(asked: CommandGetTables) -> pa.Schema:
    """The columns of `tables`."""
    return TABLES_WITH_SCHEMAS if asked.include_schema else TABLES


def _schemas(session: MeshSession) -> list[tuple[str, str]]:
    used = {(listing.catalog, listing.schema) for listing in session.workspace.catalog.tables()}
    return sorted(used | {(DEFAULT_CATALOG, DEFAULT_SCHEMA)})


def _tables(asked: CommandGetTables, session: MeshSession) -> Iterator[Listing]:
    wanted = {kind.upper() for kind in asked.table_types}
    for listing in session.workspace.catalog.tables():
        if wanted and _type(listing) not in wanted:
            continue
        if (
            _is_named(asked.catalog, listing.catalog)
            and _fits(asked.db_schema_filter_pattern, listing.schema)
            and _fits(asked.table_name_filter_pattern, listing.name)
        ):
            yield listing


def _type(listing: Listing) -> str:
    return VIEW if isinstance(listing.entry, View) else TABLE


def _is_named(wanted: str | None, name: str) -> bool:
    return wanted is None or wanted.casefold() == name.casefold()


def _fits(pattern: str | None, name: str) -> bool:
    return pattern is None or _expression(pattern).fullmatch(name.casefold()) is not None


def _expression(pattern: str) -> re.Pattern[str]:
    """The pattern as a regular expression. Runs of `%` are one, so that none takes long."""
    parts: list[str] = []
    signs = iter(pattern.casefold())
    for sign in signs:
        stands_for = {"%": ".*", "_": "."}.get(sign)
        part = stands_for or re.escape(next(signs, ESCAPE) if sign == ESCAPE else sign)
        if not (part == ".*" and parts[-1:] == [".*"]):
            parts.append(part)
    return re.compile("".join(parts), re.DOTALL)


def _described(schema: pa.Schema) -> bytes:
    """A schema (Arrow IPC) whose fields say their SQL types."""
    data: bytes = pa.schema([field.with_metadata(_said(field.type)) for field in schema]).serialize().to_pybytes()
    return data


def _said(type: pa.DataType) -> dict[str, str]:
    said = {"ARROW:FLIGHT:SQL:TYPE_NAME": sql_type_name(type)}
    if family(type) is Family.DECIMAL:
        said |= {"ARROW:FLIGHT:SQL:PRECISION": str(type.precision), "ARROW:FLIGHT:SQL:SCALE": str(type.scale)}
    return said
