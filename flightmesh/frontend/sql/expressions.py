"""Binds scalar expressions: syntax trees to typed expressions over columns.

Handed a sqlglot expression, the scope whose names it may read and the clause it stands in; hands on a typed
Expression, and leaves subqueries and aggregates with the clause. What always holds: types are settled by the
registry, and errors name the place in the text.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import InvalidOperation

from sqlglot import exp

from flightmesh.errors import InvalidQuery, Position
from flightmesh.expression.nodes import Expression
from flightmesh.expression.registry import bind_call, bind_function, find_function
from flightmesh.frontend.sql import (
    aggregate_calls,
    functions_map,
    lists,
    literals,
    operators,
    subquery,
    temporal,
    unnests,
    window_calls,
)
from flightmesh.frontend.sql.clause import Clause
from flightmesh.frontend.sql.context import Context
from flightmesh.frontend.sql.parameters import parameter_name
from flightmesh.frontend.sql.refusals import refuse_expression
from flightmesh.frontend.sql.scope import Scope, resolve_qualified, unknown_column


class ExpressionBinder:
    """Binds the expressions of one clause of one query."""

    def __init__(self, context: Context, scope: Scope, clause: Clause) -> None:
        self.context = context
        self.scope = scope
        self.clause = clause

    def bind(self, node: exp.Expr) -> Expression:
        """The typed expression of a node. Raises InvalidQuery or UnsupportedFeature at its place."""
        for key, column in self.clause.worded:
            if key == node:
                return column
        method = _METHODS.get(type(node))
        try:
            return self.call(node) if method is None else method(self, node)
        except InvalidQuery as error:
            raise self.context.source.complete(error) from None

    def within(self, clause: Clause) -> ExpressionBinder:
        """A binder over the same names for another clause."""
        return ExpressionBinder(self.context, self.scope, clause)

    def at(self, node: exp.Expr) -> Position | None:
        """Where a node stands."""
        return self.context.source.position(node)

    def call(self, node: exp.Expr) -> Expression:
        """A function or operator of the registry, or an aggregate."""
        aggregate = functions_map.aggregate_name(node)
        if aggregate is not None:
            return aggregate_calls.aggregate(self, node, aggregate, None)
        if functions_map.window_name(node) is not None:
            raise window_calls.without_over(self, node)
        refuse_expression(node, self.context.source)
        translated = functions_map.translate(node, self.context.dialect_name)
        if translated is None:
            name = node.sql_name().lower() if isinstance(node, exp.Func) else node.key.upper()
            word = self.context.source.word(node)
            raise self.context.source.unsupported(f"the function {word.lower() if word else name}", node)
        name, parts = translated
        clock = _clock(name)
        if clock is not None and not parts:
            return clock(self, node)
        if not isinstance(node, exp.Anonymous):
            return bind_call(name, [self.bind(part) for part in parts], self.at(node))
        return bind_function(name, [self.bind(part) for part in parts], self.at(node))

    def name(self, name: str, node: exp.Expr) -> Expression:
        """What a bare name means: a column here, an alias of the select list, a column of a query around."""
        clause = self.clause
        for level in self.scope.around():
            found = level.find(name)
            if isinstance(found, list):
                raise self.context.source.error(f"the column {name!r} is ambiguous", node, f"write {' or '.join(found)}")
            hidden = clause.grouped is not None and found is not None and found.id not in clause.grouped
            alias = clause.alias if level is self.scope and (found is None or hidden) else None
            meant = (None if alias is None else alias(name)) or found
            if meant is not None:
                return meant
        raise unknown_column(self.scope, name, node, self.context.source, clause.alias_names)


def _column(binder: ExpressionBinder, node: exp.Expr) -> Expression:
    if isinstance(node.this, exp.Star):
        raise binder.context.source.error("* stands for columns only in a select list and in count(*)", node)
    parts = tuple(part.name for part in node.parts) if isinstance(node, exp.Column) else (node.name,)
    if len(parts) == 1:
        return binder.name(parts[0], node)
    return resolve_qualified(binder.scope, parts, node, binder.context.source)


def _literal(binder: ExpressionBinder, node: exp.Expr) -> Expression:
    if node.args.get("is_string"):
        return literals.text(node.this)
    if parameter_name(node) is not None:
        return _parameter(binder, node)
    try:
        return literals.number(node.this)
    except InvalidQuery as error:
        raise binder.context.source.error(error.message, node, error.hint) from None
    except (ValueError, InvalidOperation):
        raise binder.context.source.error(f"{node.this!r} is not a number", node) from None


def _parameter(binder: ExpressionBinder, node: exp.Expr) -> Expression:
    return binder.context.parameters.literal(node, binder.context.source)


def _null(binder: ExpressionBinder, node: exp.Expr) -> Expression:
    return literals.NULL


def _boolean(binder: ExpressionBinder, node: exp.Expr) -> Expression:
    return literals.TRUE if node.this else literals.FALSE


def _paren(binder: ExpressionBinder, node: exp.Expr) -> Expression:
    return binder.bind(node.this)


_Method = Callable[[ExpressionBinder, exp.Expr], Expression]

_CLOCKS: dict[str, _Method] = {
    "now": temporal.now,
    "current_date": temporal.today,
    "current_localtimestamp": temporal.local_now,
    "current_localtime": temporal.time_of_day,
    "get_current_time": temporal.time_of_day,
}
"""What reads the query's own instant, by the registry's names: the registry would read the clock anew for each."""


def _clock(name: str) -> _Method | None:
    function = find_function(name)
    return _CLOCKS.get(name.lower() if function is None else function.name)


_METHODS: dict[type[exp.Expr], _Method] = {
    exp.Column: _column,
    exp.Literal: _literal,
    exp.Placeholder: _parameter,
    exp.Parameter: _parameter,
    exp.Null: _null,
    exp.Boolean: _boolean,
    exp.Paren: _paren,
    exp.And: operators.connected,
    exp.Or: operators.connected,
    exp.Not: operators.negated,
    exp.Is: operators.tested,
    exp.Neg: operators.minus,
    exp.Between: operators.between,
    exp.In: operators.in_list,
    exp.EQ: operators.compared,
    exp.NEQ: operators.compared,
    exp.LT: operators.compared,
    exp.LTE: operators.compared,
    exp.GT: operators.compared,
    exp.GTE: operators.compared,
    exp.NullSafeEQ: operators.compared,
    exp.NullSafeNEQ: operators.compared,
    exp.Case: operators.case,
    exp.If: operators.conditional,
    exp.Cast: operators.cast,
    exp.TryCast: operators.cast,
    exp.Array: lists.array,
    exp.Bracket: lists.subscript,
    exp.Explode: unnests.unnest,
    exp.Concat: operators.concatenated,
    exp.Greatest: operators.extreme,
    exp.Least: operators.extreme,
    exp.Div: operators.divided,
    exp.IntDiv: operators.divided,
    exp.Mod: operators.divided,
    exp.TsOrDsToDate: temporal.to_date,
    exp.Date: temporal.to_date,
    exp.Timestamp: temporal.to_timestamp,
    exp.TsOrDsToTimestamp: temporal.to_timestamp,
    exp.Interval: temporal.interval,
    exp.DateAdd: temporal.shifted,
    exp.DateSub: temporal.shifted,
    exp.TsOrDsAdd: temporal.shifted,
    exp.TimestampAdd: temporal.shifted,
    exp.TimestampSub: temporal.shifted,
    exp.DatetimeAdd: temporal.shifted,
    exp.DatetimeSub: temporal.shifted,
    exp.CurrentDate: temporal.today,
    exp.CurrentTimestamp: temporal.now,
    exp.CurrentDatetime: temporal.local_now,
    exp.Localtimestamp: temporal.local_now,
    exp.CurrentTime: temporal.time_of_day,
    exp.Localtime: temporal.time_of_day,
    exp.Grouping: aggregate_calls.grouping,
    exp.GroupingId: aggregate_calls.grouping,
    exp.Filter: aggregate_calls.filtered,
    exp.IgnoreNulls: aggregate_calls.ignoring_nulls,
    exp.Window: window_calls.window,
    exp.WithinGroup: aggregate_calls.within_group,
    exp.Subquery: subquery.bind_scalar,
    exp.Exists: subquery.bind_exists,
}
