"""Variances, covariances, correlations and regressions as expressions over mergeable measures.

Handed a way to get a measure's column, and the columns of the argument; hands on an expression. What always holds: a
division of nothing by nothing is NaN, and what has too few values is NULL, as DuckDB has them.
"""

from __future__ import annotations

from typing import Protocol

import pyarrow as pa

from flightmesh.dataclass import dataclass
from flightmesh.expression.nodes import Case, Cast, Column, Expression, Literal, When
from flightmesh.expression.registry import bind_call

SPREADS = frozenset({"var_pop", "var_samp", "stddev_pop", "stddev_samp", "sem", "skewness", "kurtosis", "kurtosis_pop"})
DOUBLE = pa.float64()


class Measuring(Protocol):
    """Gives the column of a measure of these arguments, merged with the help of `partners`."""

    def __call__(
        self, function: str, columns: tuple[Column, ...], kind: pa.DataType, partners: tuple[Column, ...] = ()
    ) -> Column:
        """The column."""


@dataclass(frozen=True, slots=True)
class _Moments:
    """Of one column: how many values, their mean, the sum of squares about it."""

    count: Column
    mean: Column
    squares: Column


def spread(function: str, column: Column, measure: Measuring) -> Expression:
    """One of `SPREADS`."""
    found = _moments(column, measure)
    if function == "skewness":
        return _skewness(column, found, measure)
    if function.startswith("kurtosis"):
        return _kurtosis(function, column, found, measure)
    if function == "sem":
        variance = bind_call("divide", (found.squares, Cast(found.count, DOUBLE)))
        return bind_call("sqrt", (bind_call("divide", (variance, Cast(found.count, DOUBLE))),))
    variance = _over_count(found.squares, found.count, function)
    return bind_call("sqrt", (variance,)) if function.startswith("stddev") else variance


def _skewness(column: Column, found: _Moments, measure: Measuring) -> Expression:
    """The third moment about the mean beside the variance, made larger for a sample; NaN for values that do not vary."""
    cubes = measure("cubes", (column,), DOUBLE, (found.count, found.mean, found.squares))
    number = Cast(found.count, DOUBLE)
    variance = bind_call("divide", (found.squares, number))
    shape = bind_call("divide", (bind_call("divide", (cubes, number)), bind_call("power", (variance, _number(1.5)))))
    grown = bind_call("sqrt", (bind_call("multiply", (number, bind_call("subtract", (number, _number(1.0))))),))
    scaled = bind_call("divide", (bind_call("multiply", (grown, shape)), bind_call("subtract", (number, _number(2.0)))))
    return Case((When(bind_call("greater", (number, _number(2.0))), scaled),), None, DOUBLE)


def _kurtosis(function: str, column: Column, found: _Moments, measure: Measuring) -> Expression:
    """The fourth moment about the mean beside the squared variance, without that of the normal distribution."""
    cubes = measure("cubes", (column,), DOUBLE, (found.count, found.mean, found.squares))
    fourths = measure("fourths", (column,), DOUBLE, (found.count, found.mean, found.squares, cubes))
    number = Cast(found.count, DOUBLE)
    squared = bind_call("multiply", (found.squares, found.squares))
    shape = bind_call("divide", (bind_call("multiply", (fourths, number)), squared))
    excess, fewest = bind_call("subtract", (shape, _number(3.0))), 1.0
    if function == "kurtosis":
        one, two, three = (bind_call("subtract", (number, _number(n))) for n in (1.0, 2.0, 3.0))
        more = bind_call("add", (number, _number(1.0)))
        grown = bind_call("subtract", (bind_call("multiply", (more, shape)), bind_call("multiply", (_number(3.0), one))))
        excess, fewest = bind_call("multiply", (grown, bind_call("divide", (one, bind_call("multiply", (two, three)))))), 3.0
    enough = bind_call("greater", (number, _number(fewest)))
    varies = bind_call("greater", (found.squares, _number(0.0)))
    return Case((When(bind_call("and", (enough, varies)), excess),), None, DOUBLE)


def paired(function: str, y: Column, x: Column, measure: Measuring) -> Expression:
    """An aggregate of pairs; both columns are NULL in the same rows."""
    count = measure("count", (x,), pa.int64())
    if function == "regr_count":
        return Cast(count, pa.uint32())
    if function in ("regr_avgx", "regr_avgy"):
        total = measure("sum", (x if function == "regr_avgx" else y,), DOUBLE)
        return bind_call("divide", (total, Cast(count, DOUBLE)))
    if function in ("regr_sxx", "regr_syy"):
        return _moments(x if function == "regr_sxx" else y, measure).squares
    together = _together(y, x, measure)
    if function == "regr_sxy":
        return together
    if function.startswith("covar"):
        return _over_count(together, count, function)
    return _fitted(function, together, _moments(y, measure), _moments(x, measure))


def _fitted(function: str, together: Expression, y: _Moments, x: _Moments) -> Expression:
    """Correlation, slope, intercept and determination."""
    if function == "corr":
        roots = tuple(bind_call("sqrt", (part.squares,)) for part in (x, y))
        return bind_call("divide", (together, bind_call("multiply", roots)))
    slope = bind_call("divide", (together, x.squares))
    if function == "regr_slope":
        return slope
    varies = bind_call("greater", (x.squares, _number(0.0)))
    if function == "regr_intercept":
        line = bind_call("subtract", (y.mean, bind_call("multiply", (slope, x.mean))))
        return Case((When(varies, line),), None, DOUBLE)
    level = bind_call("and", (varies, bind_call("equal", (y.squares, _number(0.0)))))
    explained = bind_call("multiply", (slope, bind_call("divide", (together, y.squares))))
    return Case((When(level, _number(1.0)), When(varies, explained)), None, DOUBLE)


def _moments(column: Column, measure: Measuring) -> _Moments:
    count = measure("count", (column,), pa.int64())
    mean = measure("mean", (column,), DOUBLE, (count,))
    return _Moments(count, mean, measure("squares", (column,), DOUBLE, (count, mean)))


def _together(y: Column, x: Column, measure: Measuring) -> Column:
    first, second = _mean(y, measure), _mean(x, measure)
    return measure("products", (y, x), DOUBLE, (measure("count", (x,), pa.int64()), first, second))


def _mean(column: Column, measure: Measuring) -> Column:
    return measure("mean", (column,), DOUBLE, (measure("count", (column,), pa.int64()),))


def _over_count(total: Expression, count: Column, function: str) -> Expression:
    """The mean of a population, or of a sample: NULL for fewer than two values."""
    number = Cast(count, DOUBLE)
    if not function.endswith("samp"):
        return bind_call("divide", (total, number))
    fewer = bind_call("subtract", (number, _number(1.0)))
    enough = bind_call("greater", (number, _number(1.0)))
    return Case((When(enough, bind_call("divide", (total, fewer))),), None, DOUBLE)


def _number(value: float) -> Literal:
    return Literal(pa.scalar(value))
