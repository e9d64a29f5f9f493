"""The aggregate functions: names and type rules only. The planner splits them into measures, `fragment` computes those.

Handed a name and argument expressions, hands on the argument types to cast to and the result type. What always holds: sums of
integers are decimal128(38, 0), sums of decimals keep their scale in 38 digits, averages and moments are double.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal

import pyarrow as pa

from flightmesh.dataclass import dataclass
from flightmesh.expression.casts import castable
from flightmesh.expression.functions.declare import Binding
from flightmesh.expression.nodes import Expression, Literal
from flightmesh.expression.types import HUGEINT, MAX_PRECISION, TIMESTAMP, Family, family, normal_type

MIDDLE = Literal(pa.scalar(Decimal("0.5")))
"""The fraction of a median."""

ORDER_SEEN = frozenset({"first", "last", "any_value", "string_agg", "list", "mode"})
"""Aggregates whose result depends on the order of the rows: for others ORDER BY says nothing."""

Rule = Callable[[Sequence[Expression]], Binding | None]


@dataclass(frozen=True, slots=True)
class Aggregate:
    """One aggregate. `usage` says its rule in words."""

    name: str
    doc: str
    rule: Rule
    usage: str
    aliases: tuple[str, ...] = ()


def _no_argument(args: Sequence[Expression]) -> Binding | None:
    return Binding((), pa.int64()) if not args else None


def _count(args: Sequence[Expression]) -> Binding | None:
    """Of one column, its values; of several, which are those of a row value, their rows."""
    return Binding(tuple(arg.type for arg in args), pa.int64()) if args else None


def _any(args: Sequence[Expression]) -> Binding | None:
    return Binding((args[0].type,), pa.int64()) if len(args) == 1 else None


def _same(args: Sequence[Expression]) -> Binding | None:
    if len(args) != 1:
        return None
    type = normal_type(args[0].type)
    return Binding((type,), type)


def _ordered(args: Sequence[Expression]) -> Binding | None:
    return None if len(args) == 1 and family(args[0].type) is Family.OTHER else _same(args)


def _collected(args: Sequence[Expression]) -> Binding | None:
    if len(args) != 1 or family(args[0].type) is Family.OTHER:
        return None
    type = normal_type(args[0].type)
    return Binding((type,), pa.list_(type))


def _flat(args: Sequence[Expression]) -> Binding | None:
    return None if len(args) == 1 and family(args[0].type) is Family.LIST else _ordered(args)


def _sum(args: Sequence[Expression]) -> Binding | None:
    if len(args) != 1:
        return None
    type = args[0].type
    match family(type):
        case Family.INTEGER:
            return Binding((type,), HUGEINT)
        case Family.BOOLEAN:
            return Binding((pa.int32(),), HUGEINT)
        case Family.DECIMAL:
            return Binding((type,), pa.decimal128(MAX_PRECISION, type.scale))
        case Family.FLOAT:
            return Binding((pa.float64(),), pa.float64())
        case Family.NULL:
            return Binding((pa.int32(),), HUGEINT)
    return None


def _avg(args: Sequence[Expression]) -> Binding | None:
    if len(args) != 1:
        return None
    type = args[0].type
    match family(type):
        case Family.INTEGER | Family.DECIMAL:
            return Binding((type,), pa.float64())
        case Family.FLOAT | Family.NULL:
            return Binding((pa.float64(),), pa.float64())
        case Family.BOOLEAN:
            return Binding((pa.int32(),), pa.float64())
        case Family.DATE | Family.TIMESTAMP:
            return Binding((TIMESTAMP,), TIMESTAMP)
    return None


def _doubles(count: int) -> Rule:
    def rule(args: Sequence[Expression]) -> Binding | None:
        numeric = (Family.INTEGER, Family.DECIMAL, Family.FLOAT, Family.NULL)
        if len(args) != count or any(family(arg.type) not in numeric for arg in args):
            return None
        return Binding((pa.float64(),) * count, pa.float64())

    return rule


def _bits(args: Sequence[Expression]) -> Binding | None:
    if len(args) != 1 or family(args[0].type) not in (Family.INTEGER, Family.NULL):
        return None
    type = pa.int32() if pa.types.is_null(args[0].type) else args[0].type
    return Binding((type,), type)


def _at_extreme(args: Sequence[Expression]) -> Binding | None:
    """Any value, and what is compared."""
    if len(args) != 2 or family(args[1].type) is Family.OTHER:
        return None
    value, key = (normal_type(arg.type) for arg in args)
    return Binding((value, key), value)


def _pairs_counted(args: Sequence[Expression]) -> Binding | None:
    found = _doubles(2)(args)
    return None if found is None else Binding(found.args, pa.uint32())


def _continuous(args: Sequence[Expression]) -> Binding | None:
    """A value between two: of doubles for integers, of timestamps for dates."""
    if len(args) != 2 or not _is_constant(args[1]):
        return None
    type = normal_type(args[0].type)
    match family(type):
        case Family.INTEGER | Family.NULL:
            type = pa.float64()
        case Family.DECIMAL:
            type = pa.float64() if type == HUGEINT else type
        case Family.DATE:
            type = TIMESTAMP
        case Family.FLOAT | Family.TIMESTAMP | Family.TIME:
            pass
        case _:
            return None
    return Binding((type, args[1].type), type)


def _discrete(args: Sequence[Expression]) -> Binding | None:
    if len(args) != 2 or not _is_constant(args[1]) or family(args[0].type) in (Family.LIST, Family.OTHER):
        return None
    type = normal_type(args[0].type)
    return Binding((type, args[1].type), type)


def _approximate(args: Sequence[Expression]) -> Binding | None:
    found = _continuous(args)
    if found is None:
        return None
    type = pa.float64() if family(args[0].type) in (Family.FLOAT, Family.NULL) else normal_type(args[0].type)
    return Binding((type, args[1].type), type)


def _median(args: Sequence[Expression]) -> Binding | None:
    half = (*args, MIDDLE)
    found = _continuous(half) or _discrete(half)
    return None if found is None else Binding(found.args[:1], found.result)


def _deviation(args: Sequence[Expression]) -> Binding | None:
    if len(args) != 1 or family(args[0].type) not in (Family.INTEGER, Family.DECIMAL, Family.FLOAT, Family.NULL):
        return None
    return _median(args)


def _is_constant(part: Expression) -> bool:
    return (
        isinstance(part, Literal) and not part.is_null and family(part.type) in (Family.INTEGER, Family.DECIMAL, Family.FLOAT)
    )


def _joined(args: Sequence[Expression]) -> Binding | None:
    separated = len(args) == 2 and isinstance(args[1], Literal) and family(args[1].type) in (Family.STRING, Family.NULL)
    if not (separated or len(args) == 1) or not castable(args[0].type, pa.string()):
        return None
    return Binding((pa.string(),) * len(args), pa.string())


def _entropy(args: Sequence[Expression]) -> Binding | None:
    found = _same(args)
    return None if found is None else Binding(found.args, pa.float64())


def _boolean(args: Sequence[Expression]) -> Binding | None:
    if len(args) != 1 or family(args[0].type) not in (Family.BOOLEAN, Family.NULL):
        return None
    return Binding((pa.bool_(),), pa.bool_())


def _count_if(args: Sequence[Expression]) -> Binding | None:
    found = _boolean(args)
    return None if found is None else Binding(found.args, HUGEINT)


_ALL = (
    Aggregate("count_star", "Rows.", _no_argument, "count(*) -> BIGINT"),
    Aggregate("count", "Rows whose argument is not NULL.", _count, "count(any) -> BIGINT"),
    Aggregate("approx_count_distinct", "About how many distinct values: exactly up to 511, then within some 1.6 %.", _any,
              "approx_count_distinct(any) -> BIGINT"),
    Aggregate("sum", "The sum; NULL over no values.", _sum, "sum(number) -> HUGEINT, DECIMAL(38,s) or DOUBLE"),
    Aggregate("avg", "The mean: a double, of dates and timestamps a timestamp.", _avg,
              "avg(number) -> DOUBLE or avg(DATE or TIMESTAMP) -> TIMESTAMP", ("mean",)),
    Aggregate("min", "The smallest value; NaN is the largest.", _ordered, "min(any) -> any"),
    Aggregate("max", "The largest value; NaN is the largest.", _ordered, "max(any) -> any"),
    Aggregate("any_value", "Some value that is not NULL.", _same, "any_value(any) -> any"),
    Aggregate("first", "The value of some row, possibly NULL.", _same, "first(any) -> any", ("arbitrary",)),
    Aggregate("last", "The value of some row, possibly NULL.", _same, "last(any) -> any"),
    Aggregate("bool_and", "Whether all values are true.", _boolean, "bool_and(BOOLEAN) -> BOOLEAN", ("every", "logical_and")),
    Aggregate("bool_or", "Whether any value is true.", _boolean, "bool_or(BOOLEAN) -> BOOLEAN", ("logical_or",)),
    Aggregate("count_if", "Rows where the argument is true; NULL over no values.", _count_if, "count_if(BOOLEAN) -> HUGEINT",
              ("countif",)),
    Aggregate("stddev_samp", "Sample standard deviation.", _doubles(1), "stddev_samp(DOUBLE) -> DOUBLE", ("stddev",)),
    Aggregate("stddev_pop", "Population standard deviation.", _doubles(1), "stddev_pop(DOUBLE) -> DOUBLE"),
    Aggregate("var_samp", "Sample variance.", _doubles(1), "var_samp(DOUBLE) -> DOUBLE", ("variance",)),
    Aggregate("var_pop", "Population variance.", _doubles(1), "var_pop(DOUBLE) -> DOUBLE"),
    Aggregate("sem", "Standard error of the mean, of a population.", _doubles(1), "sem(DOUBLE) -> DOUBLE"),
    Aggregate("skewness", "Skewness of a sample; NULL for fewer than three values.", _doubles(1), "skewness(DOUBLE) -> DOUBLE"),
    Aggregate("kurtosis", "Excess kurtosis of a sample; NULL for fewer than four values, and where they do not vary.",
              _doubles(1), "kurtosis(DOUBLE) -> DOUBLE"),
    Aggregate("kurtosis_pop", "Excess kurtosis of a population; NULL where the values do not vary.", _doubles(1),
              "kurtosis_pop(DOUBLE) -> DOUBLE"),
    Aggregate("fsum", "The sum as a double, in which roundings do not add up.", _doubles(1), "fsum(DOUBLE) -> DOUBLE",
              ("kahan_sum", "sumkahan")),
    Aggregate("favg", "The mean by way of fsum.", _doubles(1), "favg(DOUBLE) -> DOUBLE"),
    Aggregate("mad", "The median of the absolute distances from the median.", _deviation, "mad(number) -> DOUBLE or DECIMAL"),
    *(
        Aggregate(name, doc + "; pairs with a NULL do not count.", _doubles(2), f"{name}(y DOUBLE, x DOUBLE) -> DOUBLE")
        for name, doc in (
            ("covar_pop", "Population covariance"), ("covar_samp", "Sample covariance"), ("corr", "Pearson's correlation"),
            ("regr_slope", "Slope of the least squares line"), ("regr_intercept", "Where the least squares line meets x = 0"),
            ("regr_r2", "Square of the correlation"), ("regr_avgx", "Mean of x"), ("regr_avgy", "Mean of y"),
            ("regr_sxx", "Sum of squares of x about its mean"), ("regr_syy", "Sum of squares of y about its mean"),
            ("regr_sxy", "Sum of products about the means"),
        )
    ),
    Aggregate("regr_count", "Pairs without a NULL.", _pairs_counted, "regr_count(y DOUBLE, x DOUBLE) -> UINTEGER"),
    Aggregate("arg_min", "The value, not NULL, where the key is smallest.", _at_extreme, "arg_min(any, key any) -> any",
              ("argmin", "min_by")),
    Aggregate("arg_max", "The value, not NULL, where the key is largest.", _at_extreme, "arg_max(any, key any) -> any",
              ("argmax", "max_by")),
    Aggregate("arg_min_null", "The value, possibly NULL, where the key is smallest.", _at_extreme,
              "arg_min_null(any, key any) -> any"),
    Aggregate("arg_max_null", "The value, possibly NULL, where the key is largest.", _at_extreme,
              "arg_max_null(any, key any) -> any"),
    Aggregate("median", "The middle value, or the mean of the two in the middle; of text the lower of them.", _median,
              "median(any) -> DOUBLE or any"),
    Aggregate("quantile_cont", "The value at a fraction of the values in order, between two where it falls there.", _continuous,
              "quantile_cont(number or time, fraction) -> DOUBLE or any", ("percentile_cont",)),
    Aggregate("quantile_disc", "The first value at or past a fraction of the values in order.", _discrete,
              "quantile_disc(any, fraction) -> any", ("quantile", "percentile_disc")),
    Aggregate("approx_quantile", "About quantile_disc: exactly for up to 1024 distinct values, then a value close to it.",
              _approximate, "approx_quantile(number or time, fraction) -> number or time"),
    Aggregate("mode", "The most frequent value; of equally frequent ones the smallest, with ORDER BY the first.", _flat,
              "mode(any) -> any"),
    Aggregate("entropy", "Shannon's entropy of the values in bits; 0 over no values.", _entropy, "entropy(any) -> DOUBLE"),
    Aggregate("list", "The values in a list, NULLs among them; NULL over no rows.", _collected, "list(any) -> any[]",
              ("array_agg",)),
    Aggregate("string_agg", "The values as text, one after the other, with a separator (',') between.", _joined,
              "string_agg(any, separator VARCHAR) -> VARCHAR", ("group_concat", "listagg")),
    Aggregate("bit_and", "The bits that all values have.", _bits, "bit_and(integer) -> integer"),
    Aggregate("bit_or", "The bits that any value has.", _bits, "bit_or(integer) -> integer"),
    Aggregate("bit_xor", "The bits that an odd number of values has.", _bits, "bit_xor(integer) -> integer"),
    Aggregate("product", "The product as a double.", _doubles(1), "product(DOUBLE) -> DOUBLE"),
    Aggregate("geomean", "The geometric mean.", _doubles(1), "geomean(DOUBLE) -> DOUBLE", ("geometric_mean",)),
)  # fmt: skip

AGGREGATES: dict[str, Aggregate] = {entry.name: entry for entry in _ALL}
"""Every aggregate by its one name."""

_ALIASES = {alias: entry.name for entry in _ALL for alias in entry.aliases}


def names() -> tuple[str, ...]:
    """Names without aliases, sorted."""
    return tuple(sorted(AGGREGATES))


def all_names() -> tuple[str, ...]:
    """Names and aliases."""
    return (*AGGREGATES, *_ALIASES)


def canonical(name: str) -> str | None:
    """The one name of an aggregate, or None."""
    found = _ALIASES.get(name, name)
    return found if found in AGGREGATES else None


def resolve(name: str, args: Sequence[Expression]) -> Binding | None:
    """Argument and result types of a call, or None where the arguments do not fit."""
    return AGGREGATES[name].rule(args)


def usage(name: str) -> tuple[str, ...]:
    """The accepted calls in words."""
    return (AGGREGATES[name].usage,)
