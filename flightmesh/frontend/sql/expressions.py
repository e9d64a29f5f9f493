"""Binds scalar expressions: syntax trees to typed expressions over columns.

Handed a sqlglot expression, the scope whose names it may read and the clause it stands in; hands on a typed Expression, and leaves
subqueries and aggregates with the clause. What always holds: types are settled by the registry, and errors name the place in the text.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from decimal import Decimal, InvalidOperation

import pyarrow as pa
from sqlglot import exp

from flightmesh.errors import InvalidQuery
from flightmesh.expression.nodes import CastMode, Expression, Literal
from flightmesh.expression.registry import bind_aggregate, bind_call, bind_case, bind_cast, bind_function, bind_in, coerce
from flightmesh.expression.types import INTERVAL, TIMESTAMP, TIMESTAMP_TZ, Family, family, is_string
from flightmesh.frontend.sql import functions_map, literals, subquery
from flightmesh.frontend.sql.clause import Aggregates, Clause
from flightmesh.frontend.sql.context import Context
from flightmesh.frontend.sql.division import bind_division
from flightmesh.frontend.sql.parameters import parameter_name
from flightmesh.frontend.sql.refusals import refuse_expression
from flightmesh.frontend.sql.scope import Scope, resolve_qualified, unknown_column
from flightmesh.frontend.sql.titles import title
from flightmesh.frontend.sql.type_names import arrow_type

_FOLDED = frozenset({Family.DATE, Family.TIMESTAMP, Family.TIME, Family.INTERVAL})
"""Types whose typed literals (DATE '...') are literals here, not casts of text."""


class ExpressionBinder:
    """Binds the expressions of one clause of one query."""

    def __init__(self, context: Context, scope: Scope, clause: Clause) -> None:
        self.context = context
        self.scope = scope
        self.clause = clause

    def bind(self, node: exp.Expr) -> Expression:
        """The typed expression of a node. Raises InvalidQuery or UnsupportedFeature at its place."""
        method = _METHODS.get(type(node))
        try:
            return self._call(node) if method is None else method(self, node)
        except InvalidQuery as error:
            raise self.context.source.complete(error) from None

    def _column(self, node: exp.Expr) -> Expression:
        parts = tuple(part.name for part in node.parts)
        if isinstance(node.this, exp.Star):
            raise self.context.source.error("* stands for columns only in a select list and in count(*)", node)
        if len(parts) > 1:
            return resolve_qualified(self.scope, parts, node, self.context.source)
        return self._name(parts[0], node)

    def _name(self, name: str, node: exp.Expr) -> Expression:
        clause = self.clause
        if clause.alias_first is not None:
            named = clause.alias_first(name)
            if named is not None:
                return named
        for level in self.scope.around():
            found = level.find(name)
            if isinstance(found, list):
                raise self.context.source.error(f"the column {name!r} is ambiguous", node, f"write {' or '.join(found)}")
            if found is not None:
                return found
            if level is self.scope and clause.alias is not None:
                named = clause.alias(name)
                if named is not None:
                    return named
        raise unknown_column(self.scope, name, node, self.context.source, clause.alias_names)

    def _literal(self, node: exp.Expr) -> Expression:
        if node.args.get("is_string"):
            return literals.text(node.this)
        if parameter_name(node) is not None:
            return self._parameter(node)
        try:
            return literals.number(node.this)
        except (ValueError, InvalidOperation):
            raise self.context.source.error(f"{node.this!r} is not a number", node) from None

    def _parameter(self, node: exp.Expr) -> Expression:
        return self.context.parameters.literal(node, self.context.source)

    def _null(self, node: exp.Expr) -> Expression:
        return literals.NULL

    def _boolean(self, node: exp.Expr) -> Expression:
        return literals.TRUE if node.this else literals.FALSE

    def _paren(self, node: exp.Expr) -> Expression:
        return self.bind(node.this)

    def _connected(self, node: exp.Expr) -> Expression:
        """AND and OR: a chain of one of them is one call of all operands."""
        kind = type(node)
        parts: list[exp.Expr] = []
        rest = [node]
        while rest:
            part = rest.pop()
            if isinstance(part, kind):
                rest += [part.args["expression"], part.this]
            else:
                parts.append(part)
        return bind_call(kind.key, [self.bind(part) for part in parts], self._at(node))

    def _not(self, node: exp.Expr) -> Expression:
        inner = node.this.unnest()
        if isinstance(inner, exp.Is):
            return self._is(inner, negated=True)
        return bind_call("not", (self.bind(inner),), self._at(node))

    def _is(self, node: exp.Expr, negated: bool = False) -> Expression:
        operand, what = self.bind(node.this), node.args["expression"]
        no = "not_" if negated else ""
        if isinstance(what, exp.Null):
            return bind_call(f"is_{no}null", (operand,), self._at(node))
        if isinstance(what, exp.Boolean):
            return bind_call(f"is_{no}{'true' if what.this else 'false'}", (operand,), self._at(node))
        raise self.context.source.unsupported(f"IS {what.sql()}", node)

    def _negate(self, node: exp.Expr) -> Expression:
        return bind_call("negate", (self.bind(node.this),), self._at(node))

    def _between(self, node: exp.Expr) -> Expression:
        at, operand = self._at(node), self.bind(node.this)
        low, high = self.bind(node.args["low"]), self.bind(node.args["high"])
        if node.args.get("symmetric"):
            low, high = bind_call("least", (low, high), at), bind_call("greatest", (low, high), at)
        return bind_call("and", (bind_call("greater_equal", (operand, low), at), bind_call("less_equal", (operand, high), at)), at)

    def _in(self, node: exp.Expr) -> Expression:
        if node.args.get("query") is not None:
            return subquery.bind_in(self, node)
        if node.args.get("unnest") is not None or node.args.get("field") is not None:
            raise self.context.source.unsupported("IN over a list value", node)
        if isinstance(node.this.unnest(), exp.Tuple):
            return self._row_in_list(node)
        return bind_in(self.bind(node.this), [self.bind(option) for option in node.expressions], self._at(node))

    def _row_in_list(self, node: exp.Expr) -> Expression:
        rows = [bind_call("equal", (), None)] if False else [self._row_equal(node.this, option, node) for option in node.expressions]
        return rows[0] if len(rows) == 1 else bind_call("or", rows, self._at(node))

    def _row_equal(self, left: exp.Expr, right: exp.Expr, node: exp.Expr) -> Expression:
        mine, other = left.unnest().expressions, right.unnest().expressions
        if len(mine) != len(other):
            raise self.context.source.error(f"a row of {len(mine)} values is compared with {len(other)}", right)
        at = self._at(node)
        parts = [bind_call("equal", (self.bind(a), self.bind(b)), at) for a, b in zip(mine, other, strict=True)]
        return parts[0] if len(parts) == 1 else bind_call("and", parts, at)

    def _compare(self, node: exp.Expr) -> Expression:
        left, right = node.this, node.args["expression"]
        for side in (left, right):
            if isinstance(side, exp.Any | exp.All):
                raise self.context.source.unsupported(f"comparison with {side.key.upper()}", side, "use IN, EXISTS, min() or max()")
        if isinstance(left.unnest(), exp.Tuple) and isinstance(right.unnest(), exp.Tuple):
            if not isinstance(node, exp.EQ):
                raise self.context.source.unsupported("an order of rows", node, "compare the values one by one")
            return self._row_equal(left, right, node)
        return self._call(node)

    def _case(self, node: exp.Expr) -> Expression:
        operand = node.this
        tested = None if operand is None else self.bind(operand)
        arms = []
        for arm in node.args["ifs"]:
            condition = self.bind(arm.this)
            if tested is not None:
                condition = bind_call("equal", (tested, condition), self._at(arm))
            arms.append((condition, self.bind(arm.args["true"])))
        default = node.args.get("default")
        return bind_case(arms, None if default is None else self.bind(default), self._at(node))

    def _if(self, node: exp.Expr) -> Expression:
        false = node.args.get("false")
        arm = (self.bind(node.this), self.bind(node.args["true"]))
        return bind_case((arm,), None if false is None else self.bind(false), self._at(node))

    def _cast(self, node: exp.Expr) -> Expression:
        target = arrow_type(node.args["to"], self.context.source, node)
        mode = CastMode.TRY if isinstance(node, exp.TryCast) else CastMode.STRICT
        return self._converted(self.bind(node.this), target, mode, node)

    def _converted(self, operand: Expression, target: pa.DataType, mode: CastMode, node: exp.Expr) -> Expression:
        at = self._at(node)
        if isinstance(operand, Literal) and mode is CastMode.STRICT:
            if is_string(operand.type) and family(target) in _FOLDED:
                return coerce(operand, target, at)
            if operand.is_null:
                return coerce(operand, target, at)
        return bind_cast(operand, target, mode, at)

    def _to_date(self, node: exp.Expr) -> Expression:
        """DATE(x), TO_DATE(x) and the like."""
        if node.args.get("format") is not None or node.args.get("expressions") or node.args.get("zone") is not None:
            raise self.context.source.unsupported("a date from a format or from parts", node, "use strptime or make_date")
        mode = CastMode.TRY if node.args.get("safe") else CastMode.STRICT
        return self._converted(self.bind(node.this), pa.date32(), mode, node)

    def _to_timestamp(self, node: exp.Expr) -> Expression:
        if node.args.get("zone") is not None or node.this is None:
            raise self.context.source.unsupported("a timestamp from parts", node, "use make_timestamp")
        return self._converted(self.bind(node.this), TIMESTAMP, CastMode.STRICT, node)

    def _interval(self, node: exp.Expr) -> Expression:
        amount, unit = node.this, node.args.get("unit")
        if unit is None:
            return coerce(self.bind(amount), INTERVAL, self._at(node))
        bound = self.bind(amount)
        if not isinstance(unit, exp.Var):
            raise self.context.source.unsupported(f"INTERVAL with {unit.sql()}", node)
        if not isinstance(bound, Literal) or bound.is_null:
            return self._computed_interval(bound, unit.name, node)
        try:
            value = Decimal(str(bound.value.as_py()))
        except InvalidOperation:
            raise self.context.source.error(f"{bound.value.as_py()!r} is not a number of {unit.name.lower()}s", node) from None
        made = literals.interval(value, unit.name)
        if made is None:
            raise self.context.source.error(
                f"INTERVAL {value} {unit.name} is not an interval", node, f"units are {', '.join(literals.INTERVAL_UNITS).lower()}; whole above hours"
            )
        return made

    def _computed_interval(self, amount: Expression, unit: str, node: exp.Expr) -> Expression:
        one = literals.interval(Decimal(1), unit)
        if one is None:
            raise self.context.source.error(f"{unit} is not a unit of time", node)
        return bind_call("multiply", (one, amount), self._at(node))

    def _shifted(self, node: exp.Expr) -> Expression:
        """DATE_ADD(date, 3, DAY) of the dialects that have units."""
        name = "subtract" if isinstance(node, exp.DateSub | exp.TimestampSub | exp.DatetimeSub) else "add"
        start, amount, unit = self.bind(node.this), node.args["expression"], node.args.get("unit")
        if isinstance(start, Literal) and is_string(start.type):
            start = coerce(start, TIMESTAMP if ":" in start.value.as_py() else pa.date32(), self._at(node))
        if unit is None or isinstance(amount, exp.Interval):
            return bind_call(name, (start, self.bind(amount)), self._at(node))
        if isinstance(node, exp.TsOrDsAdd | exp.DateAdd | exp.DateSub) and unit.name.upper() == "DAY" and pa.types.is_date(start.type):
            bound = self.bind(amount)
            if isinstance(bound, Literal) and is_string(bound.type):
                bound = coerce(bound, pa.int32(), self._at(node))
            return bind_call(name, (start, bound), self._at(node))
        step = self._interval(exp.Interval(this=amount.copy(), unit=unit.copy()))
        return bind_call(name, (start, step), self._at(node))

    def _today(self, node: exp.Expr) -> Expression:
        return Literal(pa.scalar(self.context.state.now.date(), pa.date32()))

    def _now(self, node: exp.Expr) -> Expression:
        return Literal(pa.scalar(self.context.state.now, TIMESTAMP_TZ))

    def _local_now(self, node: exp.Expr) -> Expression:
        return Literal(pa.scalar(self.context.state.now.replace(tzinfo=None), TIMESTAMP))

    def _time_of_day(self, node: exp.Expr) -> Expression:
        return Literal(pa.scalar(self.context.state.now.time(), pa.time64("us")))

    def _divide(self, node: exp.Expr) -> Expression:
        operands = (self.bind(node.this), self.bind(node.args["expression"]))
        return bind_division(node, operands, self.context, self._at(node))

    def _call(self, node: exp.Expr) -> Expression:
        aggregate = functions_map.aggregate_name(node)
        if aggregate is not None:
            return self._aggregate(node, aggregate, None)
        refuse_expression(node, self.context.source)
        translated = functions_map.translate(node)
        if translated is None:
            name = node.sql_name() if isinstance(node, exp.Func) else node.key.upper()
            raise self.context.source.unsupported(f"the function {name}", node)
        name, parts = translated
        if isinstance(node, exp.Anonymous):
            return self._named_call(name, parts, node)
        return bind_call(name, [self.bind(part) for part in parts], self._at(node))

    def _named_call(self, name: str, parts: list[exp.Expr], node: exp.Expr) -> Expression:
        clock = _CLOCKS.get(name.lower())
        if clock is not None and not parts:
            return clock(self, node)
        return bind_function(name, [self.bind(part) for part in parts], self._at(node))

    def _aggregate(self, node: exp.Expr, name: str, condition: exp.Expr | None) -> Expression:
        source, collected = self.context.source, self.clause.aggregates
        if collected is None:
            hint = "use HAVING" if self.clause.name == "WHERE" else None
            if self.clause.name == "an aggregate":
                hint = "compute the inner aggregate in a subquery"
            raise source.error(f"the aggregate {name} cannot stand in {self.clause.name}", node, hint)
        args, distinct = aggregate_arguments(node, self.context)
        inside = self._inside(collected)
        bound = [inside.bind(arg) for arg in args]
        kept = None if condition is None else inside.bind(condition)
        self._refuse_outer_arguments(bound, node)
        call = bind_aggregate(name, bound, distinct, kept, self._at(node))
        return collected.add(call, title(node))

    def _inside(self, collected: Aggregates) -> ExpressionBinder:
        clause = dataclasses.replace(self.clause, name="an aggregate", site=collected.site, aggregates=None)
        return ExpressionBinder(self.context, self.scope, clause)

    def _refuse_outer_arguments(self, args: list[Expression], node: exp.Expr) -> None:
        from flightmesh.expression.nodes import columns_of

        read = frozenset(id for arg in args for id in columns_of(arg))
        if self.clause.aggregates is not None and read & self.clause.aggregates.ids:
            raise self.context.source.error("an aggregate cannot be computed of an aggregate", node, "compute the inner one in a subquery")
        if read and self.scope.parent is not None and not read & self.scope.ids:
            raise self.context.source.unsupported("an aggregate over the columns of the query around it", node)

    def _filtered(self, node: exp.Expr) -> Expression:
        inner = node.this
        name = functions_map.aggregate_name(inner)
        if name is None:
            raise self.context.source.error("FILTER belongs to an aggregate", node)
        return self._aggregate(inner, name, node.args["expression"].this)

    def _ignoring_nulls(self, node: exp.Expr) -> Expression:
        inner = node.this
        if isinstance(inner, exp.AnyValue):
            return self.bind(inner)
        raise self.context.source.unsupported("IGNORE NULLS", node)

    def _scalar_subquery(self, node: exp.Expr) -> Expression:
        return subquery.bind_scalar(self, node)

    def _exists(self, node: exp.Expr) -> Expression:
        return subquery.bind_exists(self, node)

    def _at(self, node: exp.Expr):  # noqa: ANN202
        return self.context.source.position(node)


def aggregate_arguments(node: exp.Expr, context: Context) -> tuple[list[exp.Expr], bool]:
    """The arguments of an aggregate, and whether they are taken DISTINCT."""
    parts = functions_map.arguments(node)
    distinct = False
    if parts and isinstance(parts[0], exp.Distinct):
        distinct, parts = True, [*parts[0].expressions, *parts[1:]]
    if isinstance(node, exp.Count):
        if len(parts) == 1 and isinstance(parts[0], exp.Star):
            parts = []
        if len(parts) > 1:
            raise context.source.unsupported("count of several columns", node, "count the rows of a SELECT DISTINCT")
    for part in parts:
        if isinstance(part, exp.Order | exp.Limit):
            raise context.source.unsupported("ORDER BY in an aggregate", part)
    return parts, distinct


_Method = Callable[[ExpressionBinder, exp.Expr], Expression]

_CLOCKS: dict[str, _Method] = {
    "now": ExpressionBinder._now,
    "transaction_timestamp": ExpressionBinder._now,
    "get_current_timestamp": ExpressionBinder._now,
    "today": ExpressionBinder._today,
    "get_current_time": ExpressionBinder._time_of_day,
}

_METHODS: dict[type[exp.Expr], _Method] = {
    exp.Column: ExpressionBinder._column,
    exp.Literal: ExpressionBinder._literal,
    exp.Placeholder: ExpressionBinder._parameter,
    exp.Parameter: ExpressionBinder._parameter,
    exp.Null: ExpressionBinder._null,
    exp.Boolean: ExpressionBinder._boolean,
    exp.Paren: ExpressionBinder._paren,
    exp.And: ExpressionBinder._connected,
    exp.Or: ExpressionBinder._connected,
    exp.Not: ExpressionBinder._not,
    exp.Is: ExpressionBinder._is,
    exp.Neg: ExpressionBinder._negate,
    exp.Between: ExpressionBinder._between,
    exp.In: ExpressionBinder._in,
    exp.EQ: ExpressionBinder._compare,
    exp.NEQ: ExpressionBinder._compare,
    exp.LT: ExpressionBinder._compare,
    exp.LTE: ExpressionBinder._compare,
    exp.GT: ExpressionBinder._compare,
    exp.GTE: ExpressionBinder._compare,
    exp.Case: ExpressionBinder._case,
    exp.If: ExpressionBinder._if,
    exp.Cast: ExpressionBinder._cast,
    exp.TryCast: ExpressionBinder._cast,
    exp.TsOrDsToDate: ExpressionBinder._to_date,
    exp.Date: ExpressionBinder._to_date,
    exp.Timestamp: ExpressionBinder._to_timestamp,
    exp.TsOrDsToTimestamp: ExpressionBinder._to_timestamp,
    exp.Interval: ExpressionBinder._interval,
    exp.DateAdd: ExpressionBinder._shifted,
    exp.DateSub: ExpressionBinder._shifted,
    exp.TsOrDsAdd: ExpressionBinder._shifted,
    exp.TimestampAdd: ExpressionBinder._shifted,
    exp.TimestampSub: ExpressionBinder._shifted,
    exp.DatetimeAdd: ExpressionBinder._shifted,
    exp.DatetimeSub: ExpressionBinder._shifted,
    exp.CurrentDate: ExpressionBinder._today,
    exp.CurrentTimestamp: ExpressionBinder._now,
    exp.CurrentDatetime: ExpressionBinder._local_now,
    exp.Localtimestamp: ExpressionBinder._local_now,
    exp.CurrentTime: ExpressionBinder._time_of_day,
    exp.Localtime: ExpressionBinder._time_of_day,
    exp.Div: ExpressionBinder._divide,
    exp.IntDiv: ExpressionBinder._divide,
    exp.Mod: ExpressionBinder._divide,
    exp.Filter: ExpressionBinder._filtered,
    exp.IgnoreNulls: ExpressionBinder._ignoring_nulls,
    exp.Subquery: ExpressionBinder._scalar_subquery,
    exp.Exists: ExpressionBinder._exists,
}
