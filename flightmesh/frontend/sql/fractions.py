"""Quantiles at several fractions: `quantile_cont(x, [0.1, 0.5])` is a list of quantiles, one a fraction.

Handed the aggregate's node; hands on one node a fraction, and the list of their results. What always holds: over no values the
list is NULL, as each quantile is.
"""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
from sqlglot import exp

from flightmesh.errors import Position
from flightmesh.expression.nodes import Column, Expression, Literal
from flightmesh.expression.registry import bind_call, bind_case

_QUANTILES = (exp.PercentileCont, exp.PercentileDisc, exp.Quantile, exp.ApproxQuantile)


def each_fraction(node: exp.Expr) -> list[exp.Expr] | None:
    """The aggregate at each fraction of a list, and once more at a half; None where the fraction is no list."""
    key = next((k for k in ("expression", "quantile") if isinstance(node.args.get(k), exp.Array)), None)
    if not isinstance(node, _QUANTILES) or key is None:
        return None
    found: list[exp.Expr] = []
    for fraction in (*node.args[key].expressions, exp.Literal.number("0.5")):
        one = node.copy()
        one.set(key, fraction.copy())
        found.append(one)
    return found


def listed(columns: Sequence[Column], count: int, at: Position | None) -> Expression:
    """The first `count` results as a list, NULL where the last of all is."""
    whole = bind_call("list_value", columns[:count], at)
    if not count:
        whole = Literal(pa.scalar([], pa.list_(columns[-1].type)))
    return bind_case(((bind_call("is_not_null", (columns[-1],)), whole),), None, at)


def turned(fraction: exp.Expr) -> exp.Expr:
    """The fraction, or each of a list, for values in descending order: below zero a fraction counts from the end; zero itself
    has no sign."""
    if isinstance(fraction, exp.Array):
        return exp.Array(expressions=[turned(part) for part in fraction.expressions])
    zero = exp.EQ(this=fraction.copy(), expression=exp.Literal.number(0))
    negative = exp.Neg(this=exp.Paren(this=fraction.copy()))
    return exp.Case(ifs=[exp.If(this=zero, true=exp.Literal.number(1))], default=negative)
