"""Binds aggregates, with DISTINCT and FILTER.

Handed a binder and an aggregate's node; hands on the column that the Aggregate of the query will give. What always
holds: an aggregate stands only where its clause collects them, and none is computed of another.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING

import pyarrow as pa
from sqlglot import exp

from flightmesh.expression.lower import compile_expressions
from flightmesh.expression.nodes import AggregateCall, Column, Expression, Literal, SortKey, columns_of
from flightmesh.expression.registry import bind_aggregate
from flightmesh.expression.types import is_numeric
from flightmesh.frontend.sql import functions_map
from flightmesh.frontend.sql.clause import Aggregates
from flightmesh.frontend.sql.context import Context
from flightmesh.frontend.sql.fractions import each_fraction, listed, turned
from flightmesh.frontend.sql.rows import is_row
from flightmesh.frontend.sql.titles import title
from flightmesh.logical.expressions import call_expressions

if TYPE_CHECKING:
    from flightmesh.frontend.sql.expressions import ExpressionBinder

_ONE_ROW = pa.RecordBatch.from_pydict({"row": [0]})

MOST_BITS = 63
"""Arguments of grouping() that a bigint has bits for."""

INSIDE = "an aggregate"
"""The name of the clause that an aggregate's arguments are."""

WITHOUT_GROUPS = ("WHERE", "GROUP BY", "ON", INSIDE)
"""Clauses that know no groups, whatever the query has."""


def aggregate(binder: ExpressionBinder, node: exp.Expr, name: str, condition: exp.Expr | None) -> Expression:
    """The aggregate `name`, over the rows where `condition` holds."""
    source, clause = binder.context.source, binder.clause
    if clause.aggregates is None:
        if binder.scope.parent is not None and clause.name != INSIDE:
            inside = binder.within(dataclasses.replace(clause, name=INSIDE, alias=None))
            call = aggregate_call(binder, node, name, condition, inside.bind)
            owner = _owner(binder, call, node)
            if owner is not None:
                return owner.add(call, title(node))
        hint = {INSIDE: "compute the inner aggregate in a subquery", "WHERE": "use HAVING"}.get(clause.name)
        raise source.error(f"the aggregate {name} cannot stand in {clause.name}", node, hint)
    within = dataclasses.replace(
        clause,
        name=INSIDE,
        site=clause.aggregates.site,
        aggregates=None,
        windows=None,
        alias=None,
        grouped=None,
        sets=None,
        unnests=None,
        worded=(),
    )
    inside = binder.within(within)
    state = clause.aggregates

    def result(one: exp.Expr) -> Column:
        held, binder.scope.aggregates = binder.scope.aggregates, None
        try:
            call = aggregate_call(binder, one, name, condition, inside.bind)
        finally:
            binder.scope.aggregates = held
        return (_owner(binder, call, one) or state).add(call, title(one))

    several = each_fraction(node)
    return result(node) if several is None else listed([result(one) for one in several], len(several[:-1]), binder.at(node))


def aggregate_call(
    binder: ExpressionBinder,
    node: exp.Expr,
    name: str,
    condition: exp.Expr | None,
    bind: Callable[[exp.Expr], Expression],
) -> AggregateCall:
    """The aggregate with DISTINCT, FILTER and the order of its rows; `bind` binds what stands in it."""
    bare, ordered = without_order(node)
    parts, distinct = arguments(bare, binder.context)
    args = _constants(name, [bind(part) for part in parts], parts, binder.context)
    if len(args) > 1 and isinstance(bare, exp.Count) and not distinct:
        args = []  # a row value is never NULL
    kept = None if condition is None else bind(condition)
    order = [_sort_key(bind, part, binder.context) for part in ordered]
    if distinct:
        _check_distinct(args, order, node, binder.context)
    return bind_aggregate(name, args, distinct, kept, binder.at(node), order)


def grouping(binder: ExpressionBinder, node: exp.Expr) -> Expression:
    """grouping(key, ...), also spelt grouping_id: which of the keys the row's grouping set leaves out, a bit for each."""
    source, sets = binder.context.source, binder.clause.sets
    name = "grouping_id" if isinstance(node, exp.GroupingId) else "grouping"
    if sets is None:
        hint = "it stands in the select list, HAVING and ORDER BY of a query with GROUP BY"
        where = binder.clause.name if binder.clause.name in WITHOUT_GROUPS else "a query without GROUP BY"
        raise source.error(f"{name} cannot stand in {where}", node, hint)
    if not node.expressions:
        raise source.error(f"{name} takes one or more of the keys of GROUP BY", node)
    if len(node.expressions) > MOST_BITS:
        raise source.error(f"{name} takes at most {MOST_BITS} keys", node)
    known = {item.expression: place for place, item in enumerate(sets.items)}
    known |= {item.field.column(): place for place, item in enumerate(sets.items)}
    places = []
    for part in node.expressions:
        place = known.get(binder.bind(part))
        if place is None:
            raise source.error(f"{name} takes keys of GROUP BY, and this is none", part)
        places.append(place)
    return sets.grouping(tuple(places))


def filtered(binder: ExpressionBinder, node: exp.Expr) -> Expression:
    """sum(x) FILTER (WHERE condition)."""
    inner = node.this
    if isinstance(inner, exp.IgnoreNulls) and isinstance(inner.this, exp.AnyValue):
        inner = inner.this
    if isinstance(inner, exp.WithinGroup):
        inner = over_order(binder, inner)
    name = functions_map.aggregate_name(inner)
    if name is None:
        return binder.call(inner) if isinstance(inner, exp.AggFunc) else _no_aggregate(binder, node)
    return aggregate(binder, inner, name, node.args["expression"].this)


def _no_aggregate(binder: ExpressionBinder, node: exp.Expr) -> Expression:
    raise binder.context.source.error("FILTER belongs to an aggregate", node)


def ignoring_nulls(binder: ExpressionBinder, node: exp.Expr) -> Expression:
    """any_value(x), which the parser marks as ignoring NULLs."""
    if isinstance(node.this, exp.AnyValue):
        return binder.bind(node.this)
    raise binder.context.source.unsupported("IGNORE NULLS", node)


def within_group(binder: ExpressionBinder, node: exp.Expr) -> Expression:
    """percentile_cont(fraction) WITHIN GROUP (ORDER BY x), percentile_disc and mode()."""
    inner = over_order(binder, node)
    return aggregate(binder, inner, functions_map.aggregate_name(inner) or node.key, None)


def over_order(binder: ExpressionBinder, node: exp.Expr) -> exp.Expr:
    """The aggregate of the one key that WITHIN GROUP orders by, as it is written without WITHIN GROUP."""
    inner, keys = node.this, node.args["expression"].expressions
    if not isinstance(inner, exp.PercentileCont | exp.PercentileDisc | exp.Mode):
        hint = "it belongs to percentile_cont, percentile_disc and mode"
        raise binder.context.source.unsupported("WITHIN GROUP of this aggregate", node, hint)
    fraction = None if isinstance(inner, exp.Mode) else inner.this
    if len(keys) != 1 or (isinstance(inner, exp.Mode) and inner.this is not None) or inner.args.get("expression") is not None:
        raise binder.context.source.error("WITHIN GROUP orders by the one column that the aggregate reads", node)
    value = keys[0].this.copy()
    if fraction is None:
        return exp.Mode(this=exp.Order(this=value, expressions=[keys[0].copy()]) if keys[0].args.get("desc") else value)
    _check_percentiles(binder, fraction)
    if keys[0].args.get("desc"):
        fraction = turned(fraction)
    return type(inner)(this=value, expression=fraction.copy())


def _check_percentiles(binder: ExpressionBinder, fraction: exp.Expr) -> None:
    """Refuses a fraction below 0 or above 1, which quantile_cont and quantile_disc count from the end."""
    for part in fraction.expressions if isinstance(fraction, exp.Array) else [fraction]:
        if part.find(exp.Column, exp.AggFunc, exp.Query) is not None:
            continue  # no constant, and refused as that
        value = _computed(binder.bind(part))
        if not value.is_null and is_numeric(value.type) and not 0 <= value.value.as_py() <= 1:
            hint = "quantile_cont(x, -0.25) and quantile_disc count from the end"
            raise binder.context.source.error("the fraction of a percentile is from 0 to 1", part, hint)


def _computed(constant: Expression) -> Literal:
    return constant if isinstance(constant, Literal) else Literal(compile_expressions([constant]).run(_ONE_ROW)[0][0])


def without_order(node: exp.Expr) -> tuple[exp.Expr, list[exp.Expr]]:
    """The aggregate without the ORDER BY in its arguments, and that order's keys."""
    for key, part in node.args.items():
        if isinstance(part, exp.Order):  # the parser puts it around the last argument
            bare = node.copy()
            bare.set(key, bare.args[key].this)
            return bare, list(part.expressions)
    return node, []


def _sort_key(bind: Callable[[exp.Expr], Expression], node: exp.Expr, context: Context) -> SortKey:
    if node.args.get("with_fill"):
        raise context.source.unsupported("WITH FILL", node)
    inner = node.this if isinstance(node, exp.Ordered) else node
    return SortKey(bind(inner), bool(node.args.get("desc")), bool(node.args.get("nulls_first")))


def _constants(name: str, args: list[Expression], parts: list[exp.Expr], context: Context) -> list[Expression]:
    """The arguments, those after the first computed where the aggregate wants a constant: a fraction or a separator."""
    wanted = {"string_agg": "separator", "approx_quantile": "fraction"}
    what = wanted.get(name) or ("fraction" if name.startswith(("quantile", "percentile")) else None)
    if what is None or len(args) < 2:
        return args
    made = args[:1]
    for arg, part in zip(args[1:], parts[1:], strict=True):
        if columns_of(arg):
            raise context.source.error(f"the {what} of {name} is a constant", part)
        constant = _computed(arg)
        if what == "fraction" and not constant.is_null and is_numeric(constant.type):
            least = 0 if name == "approx_quantile" else -1
            if not least <= constant.value.as_py() <= 1:
                raise context.source.error(f"the fraction of {name} is from {least} to 1", part)
        made.append(constant)
    return made


def _check_distinct(args: list[Expression], order: list[SortKey], node: exp.Expr, context: Context) -> None:
    free = isinstance(args[-1], Literal) or isinstance(node, exp.Count | exp.ArgMin | exp.ArgMax)
    if len(args) > 1 and not free:
        raise context.source.unsupported("DISTINCT in an aggregate of several columns", node)
    if any(key.expression != args[0] for key in order):
        raise context.source.error("ORDER BY in a DISTINCT aggregate is by its argument", node)


def _owner(binder: ExpressionBinder, call: AggregateCall, node: exp.Expr) -> Aggregates | None:
    """Where an aggregate belongs that reads only columns of queries around: to the innermost of those that it reads of. None
    for any other."""
    read = frozenset(id for part in call_expressions(call) for id in columns_of(part))
    around = binder.scope.around()
    if not read or read & around[0].ids:
        return None
    for place, scope in enumerate(around[1:], 1):
        if not read & scope.ids:
            continue
        if scope.aggregates is None or not read <= frozenset().union(*(outer.ids for outer in around[place:])):
            raise binder.context.source.unsupported("an aggregate over the columns of the query around it here", node)
        return scope.aggregates
    return None


def _row_values(node: exp.Expr) -> list[exp.Expr]:
    """What a row value is made of; two are the same where all of that is, so rows in it are nothing special."""
    parts = [part.unnest() for part in node.expressions]
    return [value for part in parts for value in (_row_values(part) if is_row(part) else [part])]


def arguments(node: exp.Expr, context: Context) -> tuple[list[exp.Expr], bool]:
    """The arguments of an aggregate, and whether they are taken DISTINCT."""
    most = node.args.get("count")
    if isinstance(node, exp.Max | exp.Min | exp.ArgMax | exp.ArgMin) and most is not None:
        hint = "number the rows with row_number() OVER (PARTITION BY ... ORDER BY ...) and keep the first ones"
        raise context.source.unsupported("the n greatest or smallest values as a list", most, hint)
    parts = functions_map.arguments(node)
    distinct = False
    if parts and isinstance(parts[0], exp.Distinct):
        distinct, parts = True, [*parts[0].expressions, *parts[1:]]
        if not parts:
            raise context.source.error("DISTINCT of nothing", node, "write what has to be distinct, such as count(DISTINCT x)")
    if isinstance(node, exp.Count):
        if distinct and any(isinstance(part, exp.Star) for part in parts):
            raise context.source.unsupported("count(DISTINCT *)", node, "count the rows of a SELECT DISTINCT")
        if len(parts) == 1 and isinstance(parts[0], exp.Star):
            parts = []
        if len(parts) > 1:
            raise context.source.unsupported("count of several columns", node, "count(DISTINCT (a, b)) counts distinct rows")
        if parts and is_row(parts[0].unnest()):
            parts = _row_values(parts[0].unnest())
            parts = [*parts, exp.true()] if len(parts) == 1 else parts
    for part in parts:
        if isinstance(part, exp.Order | exp.Limit):
            raise context.source.unsupported("ORDER BY in an aggregate", part)
    return parts, distinct
