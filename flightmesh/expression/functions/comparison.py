"""Comparisons: `= <> < <= > >=`, IS [NOT] DISTINCT FROM, IS [NOT] NULL, BETWEEN.

Floats are totally ordered as DuckDB orders them: NaN equals NaN and is greater than every other value; -0.0 equals 0.0.
Decimals of different scales are compared exactly. NULL in either operand gives NULL, except for the DISTINCT and NULL tests,
which never give NULL.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from flightmesh.compute import pc
from flightmesh.expression import decimals
from flightmesh.expression.functions.declare import Binding, Datum, DecimalForm, Nulls, Request, ScalarFunction
from flightmesh.expression.intervals import sortable
from flightmesh.expression.listkeys import list_keys
from flightmesh.expression.nodes import Expression
from flightmesh.expression.scaled import Held, arrow
from flightmesh.expression.signatures import comparison_type
from flightmesh.expression.types import Family, common_type, family

_BOOL = pa.bool_()


def _pair(args: Sequence[Expression]) -> Binding | None:
    if len(args) != 2:
        return None
    shared = comparison_type(args[0], args[1])
    if shared is None or family(shared) is Family.OTHER:
        return None
    if family(shared) is Family.NULL:
        shared = pa.int32()
    return Binding((shared, shared), _BOOL)


def _triple(args: Sequence[Expression]) -> Binding | None:
    if len(args) != 3:
        return None
    low, high = _pair((args[0], args[1])), _pair((args[0], args[2]))
    if low is None or high is None:
        return None
    wide = low.args[0]
    if wide != high.args[0]:
        joined = common_type(wide, high.args[0])
        if joined is None:
            return None
        wide = joined
    return Binding((wide, wide, wide), _BOOL)


def _anything(args: Sequence[Expression]) -> Binding | None:
    return Binding((args[0].type,), _BOOL) if len(args) == 1 else None


def _has_nan(datum: Datum) -> bool:
    found = pc.is_nan(datum)
    if isinstance(found, pa.Scalar):
        return bool(found.is_valid and found.as_py())
    return bool(pc.any(found).as_py())


def compare(name: str, left: Held, right: Held) -> Datum:
    """One of pyarrow's six comparisons, by name, with NaN as the greatest value. NULL where either is NULL."""
    if family(left.type) is Family.DECIMAL:
        quick = decimals.compare(name, left, right)
        if quick is not None:
            return quick
        left, right = arrow(left), arrow(right)
    if family(left.type) is Family.INTERVAL:
        left, right = sortable(left), sortable(right)
    if family(left.type) is Family.LIST:
        left, right = list_keys(left), list_keys(right)
    if family(left.type) is not Family.FLOAT or not (_has_nan(left) or _has_nan(right)):
        return pc.call_function(name, [left, right])
    left_nan, right_nan = pc.is_nan(left), pc.is_nan(right)
    match name:
        case "equal":
            return pc.or_(pc.equal(left, right), pc.and_(left_nan, right_nan))
        case "not_equal":
            return pc.invert(compare("equal", left, right))
        case "less":
            return pc.or_(pc.less(left, right), pc.and_(pc.invert(left_nan), right_nan))
        case "less_equal":
            return pc.or_(pc.less_equal(left, right), right_nan)
        case "greater":
            return compare("less", right, left)
    return compare("less_equal", right, left)


def _comparison(name: str) -> Any:
    def kernel(args: tuple[Datum, ...], request: Request) -> Datum:
        return compare(name, args[0], args[1])

    return kernel


def _not_distinct(args: tuple[Datum, ...], request: Request) -> Datum:
    left, right = args
    same = compare("equal", left, right)
    filled = pc.fill_null(same, False) if isinstance(same, pa.Array) else (same if same.is_valid else pa.scalar(False))
    return pc.or_(filled, pc.and_(pc.is_null(left), pc.is_null(right)))


def _distinct(args: tuple[Datum, ...], request: Request) -> Datum:
    return pc.invert(_not_distinct(args, request))


def _between(args: tuple[Datum, ...], request: Request) -> Datum:
    return pc.and_kleene(compare("greater_equal", args[0], args[1]), compare("less_equal", args[0], args[2]))


def _is_null(args: tuple[Datum, ...], request: Request) -> Datum:
    return pc.is_null(args[0])


def _is_not_null(args: tuple[Datum, ...], request: Request) -> Datum:
    return pc.is_valid(args[0])


def _truth(wanted: bool, otherwise: bool) -> Any:
    """IS [NOT] TRUE / FALSE: `wanted` gives true, the other value and NULL give `not otherwise`'s side."""

    def kernel(args: tuple[Datum, ...], request: Request) -> Datum:
        value = args[0] if wanted else pc.invert(args[0])
        known = pc.coalesce(value, pa.scalar(False))
        return pc.invert(known) if otherwise else known

    return kernel


def _boolean(args: Sequence[Expression]) -> Binding | None:
    return Binding((_BOOL,), _BOOL) if len(args) == 1 and family(args[0].type) in (Family.BOOLEAN, Family.NULL) else None


def _entry(name: str, symbol: str, doc: str, *aliases: str) -> ScalarFunction:
    return ScalarFunction(
        name,
        doc,
        "comparison",
        _pair,
        _comparison(name),
        (f"any {symbol} any of a common type -> BOOLEAN",),
        (symbol, *aliases),
        operator=symbol,
        form=DecimalForm.SCALED,
    )


FUNCTIONS: tuple[ScalarFunction, ...] = (
    _entry("equal", "=", "Whether the values are equal; NaN equals NaN.", "=="),
    _entry("not_equal", "<>", "Whether the values differ.", "!="),
    _entry("less", "<", "Whether the first is smaller; NaN is the greatest value."),
    _entry("less_equal", "<=", "Whether the first is smaller or equal."),
    _entry("greater", ">", "Whether the first is greater."),
    _entry("greater_equal", ">=", "Whether the first is greater or equal."),
    ScalarFunction("is_distinct_from", "Whether the values differ; NULL is a value.", "comparison", _pair, _distinct,
                   ("any IS DISTINCT FROM any -> BOOLEAN",), nulls=Nulls.OWN),
    ScalarFunction("is_not_distinct_from", "Whether the values are the same; NULL is a value.", "comparison", _pair,
                   _not_distinct,
                   ("any IS NOT DISTINCT FROM any -> BOOLEAN",), nulls=Nulls.OWN),
    ScalarFunction("between", "Whether the first lies between the others, both included.", "comparison", _triple, _between,
                   ("any BETWEEN any AND any -> BOOLEAN",), nulls=Nulls.OWN, form=DecimalForm.SCALED),
    ScalarFunction("is_null", "Whether the value is NULL.", "comparison", _anything, _is_null, ("any IS NULL -> BOOLEAN",),
                   ("isnull",),
                   nulls=Nulls.OWN),
    ScalarFunction("is_not_null", "Whether the value is not NULL.", "comparison", _anything, _is_not_null,
                   ("any IS NOT NULL -> BOOLEAN",), ("notnull",), nulls=Nulls.OWN),
    ScalarFunction("is_true", "Whether the value is true, not false or NULL.", "comparison", _boolean, _truth(True, False),
                   ("BOOLEAN IS TRUE",), nulls=Nulls.OWN),
    ScalarFunction("is_not_true", "Whether the value is false or NULL.", "comparison", _boolean, _truth(True, True),
                   ("BOOLEAN IS NOT TRUE",), nulls=Nulls.OWN),
    ScalarFunction("is_false", "Whether the value is false, not true or NULL.", "comparison", _boolean, _truth(False, False),
                   ("BOOLEAN IS FALSE",), nulls=Nulls.OWN),
    ScalarFunction("is_not_false", "Whether the value is true or NULL.", "comparison", _boolean, _truth(False, True),
                   ("BOOLEAN IS NOT FALSE",), nulls=Nulls.OWN),
)  # fmt: skip
