"""The catalog of a session as clients list it.

Handed a session; hands on names with what is known of them. What always holds: a table whose files are gone, or a view that
does not bind any more, is listed all the same, with nothing known of it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pyarrow as pa

from flightmesh.catalog.catalog import DEFAULT_CATALOG, DEFAULT_SCHEMA, Listing, View
from flightmesh.catalog.table import FileTable, MemoryTable
from flightmesh.errors import FlightmeshError
from flightmesh.node.commands import quoted
from flightmesh.node.sessions import MeshSession
from flightmesh.protocol.client_messages import TableListing, TablePlace, Tables
from flightmesh.session.session import short_name
from flightmesh.transport.service import Info

LOG = logging.getLogger(__name__)


def tables_of(session: MeshSession) -> Tables:
    """The names that a query of a session can use."""
    return Tables(tuple(_listing(listing, session) for listing in session.workspace.catalog.tables()))


def infos_of(session: MeshSession) -> Iterator[Info]:
    """The same as flight infos without endpoints: GetFlightInfo with the path gives those."""
    for listing in session.workspace.catalog.tables():
        said = _listing(listing, session)
        rows, size = (-1 if count is None else count for count in (said.rows, said.bytes))
        yield Info(schema_of_listing(listing, session), (), False, path=_path(listing), rows=rows, size=size)


def _listing(listing: Listing, session: MeshSession) -> TableListing:
    name, entry = short_name(listing), listing.entry
    if isinstance(entry, View):
        return TableListing(name, "view")
    if isinstance(entry, MemoryTable):
        nodes = {str(node.id): node.name for node in session.engine.mesh.driver.nodes()}
        places = (TablePlace(nodes.get(p.holder, p.holder), "memory", 0, p.rows, p.bytes) for p in entry.parts)
        return TableListing(name, "memory", entry.rows, entry.bytes, tuple(places))
    if entry.is_served:
        return session.engine.mesh.files.served.listing(name)
    size = sum(file.size for file in entry.files)
    try:
        return TableListing(name, "files", session.engine.statistics(entry).rows, size)
    except FlightmeshError as error:
        LOG.info("nothing is known of the rows of %s: %s", name, error.message)
        return TableListing(name, "files", None, size)


def schema_of_listing(listing: Listing, session: MeshSession) -> pa.Schema:
    """The columns of a table or view; none of a view that does not bind any more."""
    entry = listing.entry
    if isinstance(entry, MemoryTable) or (isinstance(entry, FileTable) and not entry.is_served):
        return entry.schema
    try:
        return session.workspace.schema(f"SELECT * FROM {quoted(_path(listing))}", "duckdb")
    except FlightmeshError as error:
        LOG.info("the columns of %s are not known: %s", listing.name, error.message)
        return pa.schema([])


def _path(listing: Listing) -> tuple[str, ...]:
    """The parts of a name that a query has to write."""
    if (listing.catalog, listing.schema) == (DEFAULT_CATALOG, DEFAULT_SCHEMA):
        return (listing.name,)
    return listing.catalog, listing.schema, listing.name
