"""Binds one SELECT.

Handed its syntax tree, the scope around it and the names it may read; hands on a relation, from FROM up to LIMIT in
the order that SQL gives the clauses. What always holds: all clauses are bound before the relation is built, since
ORDER BY may still add an aggregate.
"""

from __future__ import annotations

from dataclasses import field

from sqlglot import exp

from flightmesh.dataclass import dataclass
from flightmesh.expression.nodes import Column, Expression
from flightmesh.frontend.sql.clause import Aggregates, Clause, Site, Unnests, Windows
from flightmesh.frontend.sql.context import Bound, Context
from flightmesh.frontend.sql.ctes import Environment
from flightmesh.frontend.sql.expressions import ExpressionBinder
from flightmesh.frontend.sql.from_clause import FromBinder
from flightmesh.frontend.sql.grouping import Grouping, group_item, has_aggregate
from flightmesh.frontend.sql.grouping_sets import GroupingSets, SetBinder, has_sets
from flightmesh.frontend.sql.ordering import Key, bind_keys, limited, ordinal
from flightmesh.frontend.sql.output import Output, project, project_first
from flightmesh.frontend.sql.predicates import predicate
from flightmesh.frontend.sql.refusals import refuse_clauses
from flightmesh.frontend.sql.scope import Scope
from flightmesh.frontend.sql.select_list import Aliases, SelectItem, expand
from flightmesh.frontend.sql.windows import named_windows, over_windows
from flightmesh.ids import ColumnId
from flightmesh.logical.relations import Aggregate, Filter, Item, Relation, Unnest, UnnestItem

_BOUND = (
    *("with_", "expressions", "from_", "joins", "where", "group", "having", "windows", "qualify"),
    *("order", "limit", "offset", "distinct", "hint"),
)
_SITES = ("where", "having", "select", "qualify", "order")


def bind_select(node: exp.Expr, context: Context, environment: Environment, parent: Scope | None) -> Bound:
    """The relation of a SELECT; WITH entries are in `environment` already."""
    refuse_clauses(node, _BOUND, context.source)
    source = FromBinder(context, environment, parent).bind(node)
    scope = Scope(source.tables, parent, environment)
    return _Select(node, context, scope, source.relation, Unnests(context.state)).bind()


@dataclass(slots=True)
class _Select:
    """The clauses of one SELECT while it is bound."""

    node: exp.Expr
    context: Context
    scope: Scope
    rows: Relation
    unnests: Unnests
    items: list[SelectItem] = field(default_factory=list)
    sites: dict[str, Site] = field(default_factory=lambda: {name: Site() for name in _SITES})
    groups: list[Item] = field(default_factory=list)
    sets: GroupingSets | None = None
    worded: tuple[tuple[exp.Expr, Column], ...] = ()

    def bind(self) -> Bound:
        """Binds the clauses, then builds the relation."""
        self.items = expand(self.node, self.scope.tables, self.context)
        if not self.items:
            raise self.context.source.error("the select list is empty", self.node)
        aliases = Aliases(self.items, self.context, self.scope)
        aggregates = Aggregates(self.context.state)
        windows = Windows(self.context.state, named_windows(self.node, self.context))
        where = self._where(aliases)
        self._bind_groups(aliases, aggregates)
        self.scope.aggregates = aggregates
        self._bind_items(aliases, aggregates, windows)
        having = self._having(aliases, aggregates)
        qualify = self._qualify(aliases, aggregates, windows)
        keys = self._keys("ORDER BY", self.node.args.get("order"), aliases, aggregates, windows)
        on = self._keys("DISTINCT ON", self._distinct_on(), aliases, aggregates, windows)
        self.scope.aggregates = None
        relation = self.sites["where"].attach(self.rows)
        if where is not None:
            relation = Filter(relation, where)
        grouping = None
        if self.node.args.get("group") is not None or aggregates.items or having is not None:
            relation, grouping = self._aggregated(relation, aggregates)
        relation = self._filtered(relation, "having", having, grouping)
        relation = over_windows(relation, windows, grouping)
        relation = self._filtered(relation, "qualify", qualify, grouping)
        return self._finished(relation, keys, on, grouping)

    def _clause(self, name: str, site: str, aliases: Aliases, aggregates: Aggregates | None) -> Clause:
        clause = Clause(name, self.sites[site], aggregates, alias_names=aliases.names())
        clause.alias = aliases.bound_in(clause)
        return clause

    def _where(self, aliases: Aliases) -> Expression | None:
        where = self.node.args.get("where")
        if where is None:
            return None
        clause = self._clause("WHERE", "where", aliases, None)
        return predicate(ExpressionBinder(self.context, self.scope, clause), where.this, "WHERE")

    def _bind_groups(self, aliases: Aliases, aggregates: Aggregates) -> None:
        group = self.node.args.get("group")
        if group is None:
            return
        clause = Clause("GROUP BY", aggregates.site, None, alias_names=aliases.names())
        clause.alias = aliases.bound_in(clause)
        binder = ExpressionBinder(self.context, self.scope, clause)
        # A key that some set nulls must not be taken for the column of the rows that it is made of.
        below = frozenset() if has_sets(group) else self._below()
        if group.args.get("all"):
            for item in self.items:
                if item.column is not None or not has_aggregate(item.node):
                    self._group_by_item(item, binder, below)
        always = tuple(range(len(self.groups)))
        bind_key = SetBinder(self.context, lambda node: self._group_by(node, binder, aliases, below))
        sets = bind_key.sets(group, always)
        self.sets = GroupingSets.of(self.groups, sets, self.context.state.ids.fresh)

    def _group_by(self, node: exp.Expr, binder: ExpressionBinder, aliases: Aliases, below: frozenset[ColumnId]) -> int:
        """The place of a key."""
        node = node.unnest() if isinstance(node, exp.Paren) else node
        number = ordinal(node, len(self.items), "GROUP BY", self.context)
        if number is None and isinstance(node, exp.Column) and len(node.parts) == 1 and self.scope.find(node.name) is None:
            number = aliases.position(node.name)
        if number is not None:
            return self._group_by_item(self.items[number], binder, below)
        if node.find(exp.Query) is not None:
            return self._group_by_subquery(node, binder, below)
        return self._add_group(binder.bind(node), node.name or "group", below)

    def _group_by_item(self, item: SelectItem, binder: ExpressionBinder, below: frozenset[ColumnId]) -> int:
        bound = item.column if item.column is not None else binder.bind(item.expression_node)
        place = self._add_group(bound, item.name, below)
        item.bound = self.groups[place].field.column()
        return place

    def _group_by_subquery(self, node: exp.Expr, binder: ExpressionBinder, below: frozenset[ColumnId]) -> int:
        """A key that holds a subquery, which is bound anew wherever it stands: known by its words."""
        place = self._add_group(binder.bind(node), "group", below)
        self.worded += ((node, self.groups[place].field.column()),)
        return place

    def _add_group(self, bound: Expression, title: str, below: frozenset[ColumnId]) -> int:
        for place, known in enumerate(self.groups):
            if known.expression == bound:
                return place
        name = bound.name if isinstance(bound, Column) else title
        self.groups.append(group_item(bound, below, name, self.context))
        return len(self.groups) - 1

    def _below(self) -> frozenset[ColumnId]:
        return frozenset(f.id for f in self.rows.fields)

    def _bind_items(self, aliases: Aliases, aggregates: Aggregates, windows: Windows) -> None:
        site = self.sites["select"]
        clause = Clause("the select list", site, aggregates, windows, aliases.earlier(), alias_names=aliases.names())
        clause.sets, clause.unnests, clause.worded = self.sets, self.unnests, self.worded
        binder = ExpressionBinder(self.context, self.scope, clause)
        for item in self.items:
            if item.bound is None:
                item.bound = item.column if item.column is not None else binder.bind(item.expression_node)

    def _having(self, aliases: Aliases, aggregates: Aggregates) -> Expression | None:
        having = self.node.args.get("having")
        if having is None:
            return None
        clause = self._clause("HAVING", "having", aliases, aggregates)
        clause.sets, clause.worded = self.sets, self.worded
        clause.grouped = frozenset(item.expression.id for item in self.groups if isinstance(item.expression, Column))
        return predicate(ExpressionBinder(self.context, self.scope, clause), having.this, "HAVING")

    def _qualify(self, aliases: Aliases, aggregates: Aggregates, windows: Windows) -> Expression | None:
        qualify = self.node.args.get("qualify")
        if qualify is None:
            return None
        clause = self._clause("QUALIFY", "qualify", aliases, aggregates)
        clause.windows, clause.sets, clause.worded = windows, self.sets, self.worded
        condition = predicate(ExpressionBinder(self.context, self.scope, clause), qualify.this, "QUALIFY")
        if not windows.items:
            raise self.context.source.error(
                "QUALIFY needs a window function, there or in the select list", qualify, "use WHERE"
            )
        return condition

    def _distinct_on(self) -> exp.Expr | None:
        """What DISTINCT ON lists, which is read as ORDER BY is: names and numbers of columns, or expressions."""
        distinct = self.node.args.get("distinct")
        on = None if distinct is None else distinct.args.get("on")
        return None if on is None else exp.Order(expressions=on.expressions if isinstance(on, exp.Tuple) else [on])

    def _keys(self, name: str, order: exp.Expr | None, aliases: Aliases, aggregates: Aggregates, windows: Windows) -> list[Key]:
        if order is None:
            return []
        site = self.sites["order"]
        clause = Clause(name, site, aggregates, windows, aliases.earlier(), alias_names=aliases.names())
        clause.sets, clause.worded = self.sets, self.worded
        binder = ExpressionBinder(self.context, self.scope, clause)
        return bind_keys(order, [item.name for item in self.items], binder)

    def _aggregated(self, relation: Relation, aggregates: Aggregates) -> tuple[Relation, Grouping]:
        relation = aggregates.site.attach(relation)
        below = frozenset(f.id for f in relation.fields)
        groups, items, marks = self.groups, aggregates.items, frozenset[Expression]()
        if self.sets is not None:
            relation, groups = self.sets.expand(relation, self.context.state.ids.fresh)
            items, marks = self.sets.over_rows(items), frozenset(self.sets.marks)
        built = Aggregate(relation, tuple(groups), tuple(items))
        return built, Grouping(tuple(self.groups), aggregates.ids, below, self.context, marks)

    def _filtered(self, relation: Relation, clause: str, condition: Expression | None, grouping: Grouping | None) -> Relation:
        node = self.node.args.get(clause)
        if condition is None or node is None:
            return relation
        site = self.sites[clause]
        if grouping is None:
            return Filter(site.attach(relation), condition)
        return Filter(grouping.over_site(site, node).attach(relation), grouping.over(condition, node))

    def _unnested(self, relation: Relation, grouping: Grouping | None) -> Relation:
        """The rows once for each element of the lists that the select list unnests."""
        if not self.unnests.items:
            return relation
        lists = self.unnests.items
        if grouping is not None:
            lists = [UnnestItem(item.field, grouping.over(item.expression, self.node)) for item in lists]
        return Unnest(relation, tuple(lists))

    def _finished(self, relation: Relation, keys: list[Key], on: list[Key], grouping: Grouping | None) -> Bound:
        for name in ("select", "order"):
            site = self.sites[name]
            relation = (grouping.over_site(site, self.node) if grouping is not None else site).attach(relation)
        relation = self._unnested(relation, grouping)
        outputs = []
        for item in self.items:
            bound = item.bound
            assert bound is not None
            outputs.append(Output(item.title, bound if grouping is None else grouping.over(bound, item.node)))
        keys, on = _over_groups(keys, grouping), _over_groups(on, grouping)
        distinct = self.node.args.get("distinct")
        if distinct is not None and distinct.args.get("on") is not None:
            bound_query = project_first(relation, outputs, keys, on, self.context)
        else:
            bound_query = project(relation, outputs, keys, distinct, self.context)
        return limited(self.node, bound_query, self.context)


def _over_groups(keys: list[Key], grouping: Grouping | None) -> list[Key]:
    if grouping is None:
        return keys
    return [key.changed(grouping.over(key.expression, key.node)) if key.expression is not None else key for key in keys]
