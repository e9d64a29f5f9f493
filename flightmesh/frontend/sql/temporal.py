"""Binds what is about time: INTERVAL, DATE(x), DATE_ADD with a unit, and the clock.

Handed a binder and a node; hands on the typed expression. What always holds: the clock is read once a query, so all
of a query's `now()` agree.
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING

import pyarrow as pa
from sqlglot import exp

from flightmesh.errors import Position
from flightmesh.expression.nodes import CastMode, Expression, Literal
from flightmesh.expression.registry import bind_call, bind_cast, coerce
from flightmesh.expression.types import INTERVAL, TIME, TIMESTAMP, TIMESTAMP_TZ, is_string
from flightmesh.frontend.sql import literals
from flightmesh.frontend.sql.operators import converted
from flightmesh.frontend.sql.parse import POSITIONAL

if TYPE_CHECKING:
    from flightmesh.frontend.sql.expressions import ExpressionBinder

_DATES_STAY_DATES = frozenset(
    {
        "athena", "bigquery", "doris", "fabric", "mysql", "presto", "singlestore", "snowflake", "starrocks", "trino", "tsql",
    }
)  # fmt: skip
"""Dialects whose DATE_ADD gives a DATE for a date and a unit of days or longer; in the others it gives a TIMESTAMP."""


def to_date(binder: ExpressionBinder, node: exp.Expr) -> Expression:
    """DATE(x), TO_DATE(x) and the like."""
    if node.this is None or any(node.args.get(key) for key in ("format", "expressions", "zone")):
        raise binder.context.source.unsupported("a date from a format or from parts", node, "use strptime or make_date")
    mode = CastMode.TRY if node.args.get("safe") else CastMode.STRICT
    return converted(binder, binder.bind(node.this), pa.date32(), mode, node)


def to_timestamp(binder: ExpressionBinder, node: exp.Expr) -> Expression:
    """TIMESTAMP(x)."""
    if node.this is None or node.args.get("zone") is not None:
        raise binder.context.source.unsupported("a timestamp from parts", node, "use make_timestamp")
    return converted(binder, binder.bind(node.this), TIMESTAMP, CastMode.STRICT, node)


def interval(binder: ExpressionBinder, node: exp.Expr) -> Expression:
    """INTERVAL '3' MONTH, INTERVAL (x) DAY, INTERVAL '1 day 2 hours'."""
    amount, unit = node.this, node.args.get("unit")
    if isinstance(amount, exp.Literal) and amount.is_string and amount.this.startswith(POSITIONAL):
        amount = exp.Literal(this=amount.this, is_string=False)
    bound = binder.bind(amount)
    if unit is None:
        return coerce(bound, INTERVAL, binder.at(node))
    if not isinstance(unit, exp.Var):
        raise binder.context.source.unsupported(f"INTERVAL with {unit.sql()}", node)
    return _of_units(binder, bound, unit.name, node)


def _of_units(binder: ExpressionBinder, amount: Expression, unit: str, node: exp.Expr) -> Expression:
    if not isinstance(amount, Literal) or amount.is_null:
        one = literals.interval(Decimal(1), unit)
        if one is None:
            raise binder.context.source.error(f"{unit} is not a unit of time", node)
        return bind_call("multiply", (one, amount), binder.at(node))
    try:
        value = Decimal(str(amount.value.as_py()))
    except InvalidOperation:
        shown = repr(amount.value.as_py())
        raise binder.context.source.error(f"{shown} is not a number of {unit.lower()}s", node) from None
    made = literals.interval(value, unit)
    if made is None:
        hint = f"units are {', '.join(literals.INTERVAL_UNITS).lower()}, and days or longer come whole"
        raise binder.context.source.error_at_word(f"INTERVAL {value} {unit} is not an interval", unit, node, hint)
    return made


def shifted(binder: ExpressionBinder, node: exp.Expr) -> Expression:
    """DATE_ADD(date, 3, DAY) and DATE_SUB of the dialects that have units."""
    name = "subtract" if isinstance(node, exp.DateSub | exp.TimestampSub | exp.DatetimeSub) else "add"
    start, amount, unit = binder.bind(node.this), binder.bind(node.args["expression"]), node.args.get("unit")
    at = binder.at(node)
    if isinstance(start, Literal) and is_string(start.type):
        start = coerce(start, TIMESTAMP if ":" in start.value.as_py() else pa.date32(), at)
    if unit is None or amount.type == INTERVAL:
        return _kept_a_date(
            binder, start, bind_call(name, (start, amount), at), unit or node.args["expression"].args.get("unit"), at
        )
    if unit.name.upper() == "DAY" and pa.types.is_date(start.type):
        if isinstance(amount, Literal) and is_string(amount.type):
            amount = coerce(amount, pa.int32(), at)
        return bind_call(name, (start, amount), at)
    return _kept_a_date(binder, start, bind_call(name, (start, _of_units(binder, amount, unit.name, node)), at), unit, at)


def _kept_a_date(
    binder: ExpressionBinder, start: Expression, moved: Expression, unit: exp.Expr | None, at: Position | None
) -> Expression:
    """What a date was moved to: a date, where the dialect has it so and the unit is no part of a day."""
    stays = (
        binder.context.dialect_name in _DATES_STAY_DATES and pa.types.is_date(start.type) and not pa.types.is_date(moved.type)
    )
    if not stays or unit is None or not literals.is_whole_days(unit.name):
        return moved
    return bind_cast(moved, pa.date32(), CastMode.STRICT, at)


def today(binder: ExpressionBinder, node: exp.Expr) -> Expression:
    """CURRENT_DATE."""
    return Literal(pa.scalar(binder.context.state.now.date(), pa.date32()))


def now(binder: ExpressionBinder, node: exp.Expr) -> Expression:
    """CURRENT_TIMESTAMP."""
    return Literal(pa.scalar(binder.context.state.now, TIMESTAMP_TZ))


def local_now(binder: ExpressionBinder, node: exp.Expr) -> Expression:
    """LOCALTIMESTAMP; the engine's zone is UTC."""
    return Literal(pa.scalar(binder.context.state.now.replace(tzinfo=None), TIMESTAMP))


def time_of_day(binder: ExpressionBinder, node: exp.Expr) -> Expression:
    """CURRENT_TIME."""
    return Literal(pa.scalar(binder.context.state.now.time(), TIME))
