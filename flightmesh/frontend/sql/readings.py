"""What a name in FROM gives: the columns of a table, or of a named query.

Handed tables and WITH entries; hands on bound rows. What always holds: every reading gives fresh ids, and a named
query that is read more than once is computed once.
"""

from __future__ import annotations

from sqlglot import exp

from flightmesh.catalog.table import FileTable, MemoryTable, Table
from flightmesh.expression.nodes import Field
from flightmesh.frontend.sql.context import Bound, Context
from flightmesh.frontend.sql.ctes import Entry, Reach, WorkingTable
from flightmesh.frontend.sql.names import renamed
from flightmesh.frontend.sql.recursion import bind_recursion, read_working
from flightmesh.logical.expressions import free_columns
from flightmesh.logical.relations import Reference, Scan


def scan(table: Table, context: Context) -> Bound:
    """All columns of a table under fresh ids."""
    fresh = context.state.ids.fresh
    fields = tuple(Field(fresh(), column.name, column.type, column.nullable) for column in table.schema)
    return Bound(Scan(table, fields), fields)


def read_entry(entry: Entry, context: Context) -> Bound:
    """A named query where it is read: its own copy if it is read once, otherwise a reference to the one that is computed."""
    if isinstance(entry.query, FileTable | MemoryTable):
        return scan(entry.query, context)
    if isinstance(entry.query, WorkingTable):
        return read_working(entry.query, entry.name, context)
    if entry.reads < 2 or entry.correlated:
        return _bind_entry(entry)
    if entry.bound is None or entry.shared is None:
        bound = _bind_entry(entry)
        if free_columns(bound.relation):
            entry.correlated = True
            return bound
        entry.bound = bound
        entry.shared = context.state.define(entry.name, bound.relation).id
    fresh = context.state.ids.fresh
    own = {f.id for f in entry.bound.relation.fields}
    read = [f for f in entry.bound.fields if f.id in own]
    fields = tuple(Field(fresh(), f.name, f.type, f.nullable) for f in read)
    return Bound(Reference(entry.shared, entry.name, fields, tuple(f.id for f in read)), fields)


def _bind_entry(entry: Entry) -> Bound:
    if entry.reach is Reach.ITSELF:
        return bind_recursion(entry)
    assert isinstance(entry.query, exp.Expr)
    bound = entry.context.bind_query(entry.query, entry.context, entry.environment, entry.parent)
    return renamed(bound, entry.columns, entry.context, entry.name)
