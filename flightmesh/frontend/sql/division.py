"""Division and remainder as the dialect has them.

Handed bound operands; hands on the registry's call. What always holds: duckdb's division gives DOUBLE and NULL or
infinity at zero; a dialect with typed division keeps integers whole; one with safe division gives NULL at zero, and
any other raises an error there.
"""

from __future__ import annotations

from sqlglot import exp

from flightmesh.errors import Position
from flightmesh.expression.nodes import Expression
from flightmesh.expression.registry import bind_call
from flightmesh.expression.types import Family, family
from flightmesh.frontend.sql import literals
from flightmesh.frontend.sql.context import Context

_NAMES: dict[type[exp.Expr], str] = {exp.Div: "divide", exp.IntDiv: "int_divide", exp.Mod: "modulo"}


def bind_division(node: exp.Expr, operands: tuple[Expression, Expression], context: Context, at: Position | None) -> Expression:
    """`/`, integer division or `%` of two operands."""
    left, right = operands
    name = _NAMES[type(node)]
    if node.args.get("typed") and family(left.type) is family(right.type) is Family.INTEGER:
        name = "int_divide"
    if context.dialect_name == "duckdb" or family(left.type) is Family.INTERVAL:
        return bind_call(name, operands, at)
    if node.args.get("safe", context.dialect.SAFE_DIVISION):
        return bind_call(name, (left, bind_call("nullif", (right, literals.integer(0)), at)), at)
    return bind_call(f"{name}_checked", operands, at)
