"""Names that a WITH clause gives to queries.

Handed WITH clauses; hands on an environment in which a table name finds its query. What always holds: an entry sees
the entries before it, is bound where it is read, and one that is read twice or more is computed once (unless it reads
columns of a query around it).
"""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import field
from typing import TYPE_CHECKING

from sqlglot import exp

from flightmesh.catalog.table import Table
from flightmesh.dataclass import dataclass
from flightmesh.expression.nodes import Field
from flightmesh.frontend.sql.context import Bound, Context
from flightmesh.ids import RecursionId, SharedId

if TYPE_CHECKING:
    from flightmesh.frontend.sql.scope import Scope


@dataclass(slots=True, eq=False)
class WorkingTable:
    """What a recursive query's own name means in its recursive part: the rows of the turn before. `reads` counts readings."""

    id: RecursionId
    fields: tuple[Field, ...]
    reads: int = 0


@dataclass(frozen=True, slots=True)
class NotYet:
    """What a recursive query's own name means in its first part: nothing that could be read."""


class Reach(enum.Enum):
    """Whether a named query reads itself."""

    OTHERS = "others"
    ITSELF = "itself"


@dataclass(slots=True, eq=False)
class Entry:
    """One named query, or a table that a plan brings along. `shared` is known once a first reading has defined it."""

    name: str
    query: exp.Expr | Table | WorkingTable | NotYet
    columns: tuple[exp.Identifier, ...]
    environment: Environment
    reads: int
    context: Context
    parent: Scope | None
    bound: Bound | None = None
    shared: SharedId | None = None
    correlated: bool = False
    reach: Reach = Reach.OTHERS


@dataclass(frozen=True, slots=True)
class Environment:
    """The named queries that a query may read; inner ones hide outer ones."""

    entries: dict[str, Entry] = field(default_factory=dict)

    def find(self, name: str) -> Entry | None:
        """The entry of this name, in any case."""
        return self.entries.get(name.casefold())

    def names(self) -> tuple[str, ...]:
        """All names."""
        return tuple(entry.name for entry in self.entries.values())

    def extended(self, entry: Entry) -> Environment:
        """With one more entry."""
        return Environment({**self.entries, entry.name.casefold(): entry})


def with_ctes(query: exp.Expr, context: Context, environment: Environment, parent: Scope | None) -> Environment:
    """The environment inside `query`, which may begin with a WITH clause; `parent` is the scope around the query."""
    clause = query.args.get("with_")
    if clause is None:
        return environment
    seen: set[str] = set()
    for cte in clause.expressions:
        name = cte.alias
        if name.casefold() in seen:
            raise context.source.error(f"the WITH clause has {name!r} twice", cte.args["alias"].this)
        seen.add(name.casefold())
        if cte.args.get("key_expressions"):
            raise context.source.unsupported("USING KEY", cte.args["key_expressions"][0])
        entry = _entry(cte, query, context, environment, parent)
        if clause.args.get("recursive") and next(readings(cte.this, name), None) is not None:
            entry.reach = Reach.ITSELF
        environment = environment.extended(entry)
    return environment


def _entry(cte: exp.Expr, query: exp.Expr, context: Context, environment: Environment, parent: Scope | None) -> Entry:
    alias = cte.args["alias"]
    own = sum(1 for _ in readings(cte.this, cte.alias))
    reads = sum(1 for _ in readings(query, cte.alias)) - own
    materialized = cte.args.get("materialized")
    if materialized is not None:
        reads = 2 if materialized else 1
    return Entry(cte.alias, cte.this, tuple(alias.args.get("columns") or ()), environment, reads, context, parent)


def readings(query: exp.Expr, name: str) -> Iterator[exp.Table]:
    """The tables below a query that bear a name. One that an inner WITH hides may be among them, and costs a sharing."""
    wanted = name.casefold()
    for table in query.find_all(exp.Table):
        if table.name.casefold() == wanted and not table.args.get("db"):
            yield table
