"""What the binder carries along: the catalog, the dialect, the text, the parameters, and the state of the one query.

What always holds: column ids come from one source, a definition stands after those it reads, and `now()` is one
instant in a query.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import field, replace
from typing import TYPE_CHECKING, Protocol

from sqlglot import exp
from sqlglot.dialects.dialect import Dialect

from flightmesh.catalog.catalog import View
from flightmesh.catalog.table import Table
from flightmesh.dataclass import dataclass
from flightmesh.expression.nodes import Field
from flightmesh.frontend.sql.parameters import Parameters
from flightmesh.frontend.sql.source import Source
from flightmesh.ids import ColumnIds, RecursionId, SharedId
from flightmesh.logical.relations import Definition, Relation, With

if TYPE_CHECKING:
    from flightmesh.frontend.sql.ctes import Environment
    from flightmesh.frontend.sql.scope import Scope


class Names(Protocol):
    """What the binder asks of a catalog."""

    def lookup(self, parts: tuple[str, ...]) -> Table | View:
        """What a name stands for. Raises InvalidQuery, with the nearest names, for an unknown one."""
        ...

    def open_path(self, path: str | list[str], format: str | None = None, options: Mapping[str, str] | None = None) -> Table:
        """The table in files that a query names itself."""
        ...


@dataclass(slots=True)
class State:
    """What grows while one query is bound. `reads_clock`: whether it has asked for `now`."""

    ids: ColumnIds
    definitions: list[Definition] = field(default_factory=list)
    recursions: int = 0
    begun: datetime.datetime = field(default_factory=lambda: datetime.datetime.now(datetime.UTC))
    reads_clock: bool = False

    @property
    def now(self) -> datetime.datetime:
        """The one instant of the query. What is made of it is right for this run of the query only."""
        self.reads_clock = True
        return self.begun

    def define(self, name: str, relation: Relation) -> Definition:
        """Remembers a relation that is computed once."""
        definition = Definition(SharedId(len(self.definitions)), name, relation)
        self.definitions.append(definition)
        return definition

    def recursion(self) -> RecursionId:
        """A number for one more recursive relation."""
        self.recursions += 1
        return RecursionId(self.recursions - 1)

    def rooted(self, relation: Relation) -> Relation:
        """The relation below a With of what was defined, if anything was."""
        return With(tuple(self.definitions), relation) if self.definitions else relation


class QueryBinder(Protocol):
    """Binds a query of any shape; handed along, so that expressions bind subqueries without knowing what a query is made of."""

    def __call__(self, node: exp.Expr, context: Context, environment: Environment, parent: Scope | None) -> Bound:
        """The relation of a query, within the scope `parent`."""
        ...


@dataclass(frozen=True, slots=True)
class Context:
    """What binding one text needs. Views and plan steps have texts of their own over the same state."""

    catalog: Names
    dialect: Dialect
    dialect_name: str
    source: Source
    parameters: Parameters
    state: State
    bind_query: QueryBinder
    views: tuple[str, ...] = ()

    def with_text(self, source: Source, dialect: Dialect, dialect_name: str, view: str) -> Context:
        """The context in which a view's text is bound: parameters do not reach into it."""
        return replace(
            self,
            source=source,
            dialect=dialect,
            dialect_name=dialect_name,
            parameters=Parameters(None),
            views=(*self.views, view),
        )


@dataclass(frozen=True, slots=True)
class Bound:
    """A bound query: its relation, and its fields under the names that a person sees (ids are the relation's, in its order)."""

    relation: Relation
    fields: tuple[Field, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The columns' names, possibly repeated."""
        return tuple(f.name for f in self.fields)
