"""Binds a WITH RECURSIVE entry that reads itself.

Handed the entry; hands on a Recursion with the columns of its first part. What always holds: the first part does not read the
entry; columns have the first part's types, to which those of the recursive part are cast; an entry that turns out not to read
itself (an inner WITH has the name) is an ordinary query.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
from sqlglot import exp

from flightmesh.errors import Position
from flightmesh.expression.casts import castable
from flightmesh.expression.nodes import Field
from flightmesh.expression.registry import coerce
from flightmesh.expression.types import sql_type_name
from flightmesh.frontend.sql.context import Bound, Context
from flightmesh.frontend.sql.ctes import Entry, Environment, NotYet, WorkingTable, readings, with_ctes
from flightmesh.frontend.sql.names import renamed
from flightmesh.frontend.sql.refusals import refuse_clauses
from flightmesh.ids import ColumnId
from flightmesh.logical.relations import Item, Project, Quantifier, Recursion, Relation, Working, passes

if TYPE_CHECKING:
    pass

_BOUND = ("with_", "this", "expression", "distinct", "by_name")
_ENDS = {"order": "ORDER BY", "limit": "LIMIT", "offset": "OFFSET"}


def bind_recursion(entry: Entry) -> Bound:
    """The rows of a query that reads itself."""
    assert isinstance(entry.query, exp.Expr)
    context, parent = entry.context, entry.parent
    environment = with_ctes(entry.query, context, entry.environment, parent)
    node = _union(entry, entry.query)
    first = _first(entry, node, environment)
    working = WorkingTable(context.state.recursion(), _named(first, context))
    inside = environment.extended(Entry(entry.name, working, (), environment, 0, context, parent))
    step_node = node.args["expression"]
    step = context.bind_query(step_node, context, inside, parent)
    if not working.reads:
        return renamed(context.bind_query(entry.query, context, entry.environment, parent), entry.columns, context, entry.name)
    if len(step.fields) != len(first.fields):
        raise context.source.error(
            f"the recursive part of {entry.name} has {len(step.fields)} columns, its first part {len(first.fields)}",
            step_node,
            "both parts need the same number of columns",
        )
    types = [f.type for f in working.fields]
    seed, seed_columns = _cast(first, types, node.this, entry)
    turn, turn_columns = _cast(step, types, step_node, entry)
    quantifier = Quantifier.DISTINCT if node.args.get("distinct") else Quantifier.ALL
    fields = tuple(Field(context.state.ids.fresh(), f.name, f.type) for f in working.fields)
    return Bound(Recursion(seed, turn, working.id, entry.name, quantifier, fields, seed_columns, turn_columns), fields)


def read_working(working: WorkingTable, name: str, context: Context) -> Bound:
    """The working table under fresh ids."""
    working.reads += 1
    fields = tuple(Field(context.state.ids.fresh(), f.name, f.type) for f in working.fields)
    return Bound(Working(working.id, name, fields, tuple(range(len(fields)))), fields)


def _union(entry: Entry, query: exp.Expr) -> exp.Union:
    """The UNION that the entry is. Raises InvalidQuery where it is none, or more than its two parts."""
    source = entry.context.source
    node = query
    while isinstance(node, exp.Subquery | exp.Paren) and not any(node.args.get(key) for key in _ENDS):
        node = node.this
    for key, word in _ENDS.items():
        if node.args.get(key):
            raise source.error(
                f"{word} in the recursive query {entry.name}",
                node.args[key],
                "put it into the query that reads the whole, or put one of the two parts in parentheses",
            )
    if not isinstance(node, exp.Union):
        own = next(readings(query, entry.name), query)
        hint = f"WITH RECURSIVE {entry.name} AS (SELECT ... UNION ALL SELECT ... FROM {entry.name} ...)"
        raise source.error(f"{entry.name} reads itself, but is not a UNION of a first and a recursive part", own, hint)
    if node.args.get("by_name"):
        raise source.unsupported(f"UNION BY NAME in the recursive query {entry.name}", node)
    refuse_clauses(node, _BOUND, source)
    return node


def _first(entry: Entry, node: exp.Union, environment: Environment) -> Bound:
    blocked = Entry(entry.name, NotYet(), (), environment, 0, entry.context, entry.parent)
    first = entry.context.bind_query(node.this, entry.context, environment.extended(blocked), entry.parent)
    return renamed(first, entry.columns, entry.context, entry.name)


def _named(first: Bound, context: Context) -> tuple[Field, ...]:
    """The columns of the whole: a first part of NULLs is INTEGER, as a query of NULLs is."""
    types = [pa.int32() if pa.types.is_null(f.type) else f.type for f in first.fields]
    return tuple(Field(f.id, f.name, t) for f, t in zip(first.fields, types, strict=True))


def _cast(bound: Bound, types: list[pa.DataType], node: exp.Expr, entry: Entry) -> tuple[Relation, tuple[ColumnId, ...]]:
    """A part with columns of these types, and which of its columns they are."""
    context = entry.context
    items, at = [], context.source.position(node)
    for field, type in zip(bound.fields, types, strict=True):
        if field.type == type:
            items.append(passes(field.column()))
            continue
        if not castable(field.type, type):
            said = f"{sql_type_name(field.type)} in its recursive part, {sql_type_name(type)} in its first"
            raise context.source.error(f"the column {field.name!r} of {entry.name} is {said}", node, "cast one of them")
        items.append(_converted(field, type, at, context))
    columns = tuple(item.field.id for item in items)
    if all(item.field.id == f.id for item, f in zip(items, bound.fields, strict=True)):
        return bound.relation, columns
    return Project(bound.relation, tuple({item.field.id: item for item in items}.values())), columns


def _converted(field: Field, type: pa.DataType, at: Position | None, context: Context) -> Item:
    made = Field(context.state.ids.fresh(), field.name, type)
    return Item(made, coerce(field.column(), type, at))
