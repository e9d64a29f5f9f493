"""GROUP BY: what groups, and expressions over groups instead of rows.

Handed bound group expressions and the columns below the Aggregate; hands on expressions that read its output. What
always holds: after `over`, an expression reads only group columns, aggregates, and columns of a query around it, or
it was refused with a hint.
"""

from __future__ import annotations

from sqlglot import exp

from flightmesh.dataclass import dataclass
from flightmesh.errors import InvalidQuery
from flightmesh.expression.nodes import Column, Expression, Field, children, columns_of, with_children
from flightmesh.frontend.sql.clause import Dependent, Site
from flightmesh.frontend.sql.context import Context
from flightmesh.frontend.sql.functions_map import aggregate_name
from flightmesh.ids import ColumnId
from flightmesh.logical.expressions import free_columns, with_expressions
from flightmesh.logical.relations import Item, Relation
from flightmesh.logical.traversal import rewrite_up


def group_item(expression: Expression, below: frozenset[ColumnId], title: str, context: Context) -> Item:
    """The item of a group expression: a column of the rows `below` keeps its id."""
    if isinstance(expression, Column) and expression.id in below:
        return Item(Field(expression.id, expression.name, expression.type, expression.nullable), expression)
    return Item(Field(context.state.ids.fresh(), title, expression.type), expression)


@dataclass(frozen=True, slots=True)
class Grouping:
    """The groups of a query, the ids of its aggregates, and the ids of the rows below, which are no longer readable."""

    groups: tuple[Item, ...]
    aggregates: frozenset[ColumnId]
    below: frozenset[ColumnId]
    context: Context
    marks: frozenset[Expression] = frozenset()

    def over(self, expression: Expression, node: exp.Expr) -> Expression:
        """The expression over groups. Raises InvalidQuery for a column that has no one value in a group."""
        if expression in self.marks:
            return expression
        for item in self.groups:
            if expression == item.expression:
                return item.field.column()
        if isinstance(expression, Column):
            if expression.id in self.below and not self._kept(expression.id):
                raise self._ungrouped(expression, node)
            return expression
        parts = children(expression)
        if not parts:
            return expression
        return with_children(expression, tuple(self.over(part, node) for part in parts))

    def over_site(self, site: Site, node: exp.Expr) -> Site:
        """The subqueries of a clause, reading groups."""
        return Site([self._over_dependent(part, node) for part in site.pending])

    def _over_dependent(self, part: Dependent, node: exp.Expr) -> Dependent:
        condition = None if part.condition is None else self.over(part.condition, node)
        right = part.right
        if free_columns(right) & self.below:
            right = rewrite_up(right, lambda relation: self._over_relation(relation, node))
        return Dependent(right, part.kind, condition, part.mark, part.at)

    def _over_relation(self, relation: Relation, node: exp.Expr) -> Relation:
        def change(expression: Expression) -> Expression:
            return self.over(expression, node) if columns_of(expression) & self.below else expression

        return with_expressions(relation, change)

    def _kept(self, column: ColumnId) -> bool:
        return column in self.aggregates or any(item.field.id == column for item in self.groups)

    def _ungrouped(self, column: Column, node: exp.Expr) -> InvalidQuery:
        wanted = column.name.casefold()
        # Of a whole SELECT only the parts over groups are meant, not its WHERE.
        parts = [*node.expressions, *filter(None, [node.args.get("order")])] if isinstance(node, exp.Select) else [node]
        found = (part for over in parts for part in over.find_all(exp.Column) if part.name.casefold() == wanted)
        place = next(found, node)
        return self.context.source.error(
            f"the column {column.name!r} is neither grouped by nor inside an aggregate",
            place,
            f"add it to GROUP BY, or write any_value({column.name})",
        )


def has_aggregate(node: exp.Expr) -> bool:
    """Whether an aggregate or a window function stands in an expression, outside its subqueries."""
    return any(
        isinstance(part, exp.Window) or aggregate_name(part) is not None
        for part in node.walk(prune=lambda part: isinstance(part, exp.Query))
    )
