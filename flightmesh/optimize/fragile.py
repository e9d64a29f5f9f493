"""Expressions that must not be moved freely, because ordinary data makes them fail."""

from __future__ import annotations

import pyarrow as pa

from flightmesh.expression.functions.declare import Failure
from flightmesh.expression.nodes import Call, Cast, CastMode, Expression, Literal, walk
from flightmesh.expression.registry import scalar_function

ARITHMETIC = frozenset({"add", "subtract", "multiply", "negate", "abs", "divide", "int_divide", "modulo"})
"""These fail only by overflow: moving them is worth more than guarding them."""


def is_fragile(node: Expression) -> bool:
    """Whether ordinary data makes the expression fail, so that the filters and joins below must be kept as its guards."""
    return any(_fails(part) for part in walk(node))


def _fails(part: Expression) -> bool:
    match part:
        case Cast(operand=operand, mode=CastMode.STRICT, type=target):
            return pa.types.is_string(operand.type) and not pa.types.is_string(target) and not isinstance(operand, Literal)
        case Call(function=name):
            return name not in ARITHMETIC and scalar_function(name).failure is Failure.MAY
        case _:
            return False
