"""What a clause of a query lets its expressions do, and where its subqueries go.

Handed to the expression binder, which fills it; handed on to `select`, which builds the relation in the order SQL
has. What always holds: a subquery's column is read only above the Apply that makes it, and aggregates are collected
once however often they are written.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field

from sqlglot import exp

from flightmesh.dataclass import dataclass
from flightmesh.errors import Position
from flightmesh.expression.nodes import AggregateCall, Column, Expression, Field, SortKey, columns_of
from flightmesh.expression.windows import NEVER_NULL, WindowCall
from flightmesh.frontend.sql.context import State
from flightmesh.frontend.sql.grouping_sets import GroupingSets
from flightmesh.ids import ColumnId
from flightmesh.logical.relations import AggregateItem, Apply, JoinKind, Relation, UnnestItem


@dataclass(frozen=True, slots=True)
class Dependent:
    """A subquery that a clause's expression reads by a column: the right side of an Apply to come."""

    right: Relation
    kind: JoinKind
    condition: Expression | None = None
    mark: Field | None = None
    at: Position | None = None

    def beside(self, relation: Relation) -> Apply:
        """The Apply, with the relation on its left."""
        return Apply(relation, self.right, self.kind, self.condition, self.mark, self.at)


@dataclass(slots=True)
class Site:
    """The subqueries of one clause, in the order in which they were met."""

    pending: list[Dependent] = field(default_factory=list)

    def attach(self, relation: Relation) -> Relation:
        """The relation with each subquery's column beside its own."""
        for part in self.pending:
            relation = part.beside(relation)
        return relation


@dataclass(slots=True)
class Aggregates:
    """The aggregates of one SELECT, from its list, HAVING and ORDER BY. Subqueries in their arguments go to `site`."""

    state: State
    site: Site = field(default_factory=Site)
    items: list[AggregateItem] = field(default_factory=list)

    def add(self, call: AggregateCall, title: str) -> Column:
        """The column of an aggregate's result; equal calls share one."""
        for item in self.items:
            if item.call == call:
                return item.field.column()
        nullable = call.function not in ("count", "count_star")
        made = Field(self.state.ids.fresh(), title, call.type, nullable)
        self.items.append(AggregateItem(made, call))
        return made.column()

    @property
    def ids(self) -> frozenset[ColumnId]:
        """The columns of the results."""
        return frozenset(item.field.id for item in self.items)


@dataclass(frozen=True, slots=True)
class WindowOver:
    """A window function, the window that it is over, and where it was written."""

    partition: tuple[Expression, ...]
    order: tuple[SortKey, ...]
    call: WindowCall
    field: Field
    node: exp.Expr


@dataclass(slots=True)
class Windows:
    """The window functions of one SELECT, from its list, QUALIFY and ORDER BY. Subqueries within them go to `site`; `named` are
    the windows of the WINDOW clause, by their names in lower case."""

    state: State
    named: dict[str, exp.Expr]
    site: Site = field(default_factory=Site)
    items: list[WindowOver] = field(default_factory=list)

    def add(
        self, partition: tuple[Expression, ...], order: tuple[SortKey, ...], call: WindowCall, title: str, node: exp.Expr
    ) -> Column:
        """The column of a function's result; equal functions over equal windows share one."""
        for item in self.items:
            if (item.partition, item.order, item.call) == (partition, order, call):
                return item.field.column()
        made = Field(self.state.ids.fresh(), title, call.type, call.function not in NEVER_NULL)
        self.items.append(WindowOver(partition, order, call, made, node))
        return made.column()

    @property
    def ids(self) -> frozenset[ColumnId]:
        """The columns of the results."""
        return frozenset(item.field.id for item in self.items)


@dataclass(slots=True)
class Unnests:
    """The lists whose elements one select list gives as rows; `deep`: those of lists of lists at once."""

    state: State
    items: list[UnnestItem] = field(default_factory=list)
    deep: bool = False

    def add(self, expression: Expression, title: str) -> Column:
        """The column of a list's elements; each unnest is its own, however equal."""
        made = Field(self.state.ids.fresh(), title, expression.type.value_type)
        self.items.append(UnnestItem(made, expression))
        return made.column()

    def is_read_by(self, expression: Expression) -> bool:
        """Whether an expression reads elements: it cannot be computed before the lists are unnested."""
        return any(item.field.id in columns_of(expression) for item in self.items)


Alias = Callable[[str], Expression | None]
"""What a bare name means as a name of the select list, if anything."""


@dataclass(slots=True)
class Clause:
    """One clause: its name for errors, where subqueries go, which aggregates and windows may stand in it, what aliases it has.

    A column of the query's own tables wins over an `alias` of the same name; where `grouped` is given (HAVING), only a column
    that the query groups by does. `alias_names` are for suggestions. `sets` is what grouping() may ask of, `unnests` where
    lists to unnest go, where those may stand. `worded`: keys of GROUP BY that are known by their words.
    """

    name: str
    site: Site
    aggregates: Aggregates | None = None
    windows: Windows | None = None
    alias: Alias | None = None
    alias_names: dict[str, str] = field(default_factory=dict)
    grouped: frozenset[ColumnId] | None = None
    sets: GroupingSets | None = None
    unnests: Unnests | None = None
    worded: tuple[tuple[exp.Expr, Column], ...] = ()
