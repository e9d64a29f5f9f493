"""Says, from the range of each column alone, whether a predicate can be true for any row.

Handed filters and a way to look up a column's `Range`; hands on False only where no row can match. What always holds: an
expression this module does not understand may match. NaN sorts above every number (as in the engine), and file statistics leave
NaN out, so a float column is never pruned by its maximum.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from decimal import Decimal
from functools import lru_cache
from typing import Any

import pyarrow as pa

from flightmesh.catalog.normalise import drops_only_time
from flightmesh.compute import pc
from flightmesh.dataclass import dataclass
from flightmesh.expression.nodes import Call, Cast, Column, Expression, InList, Literal
from flightmesh.expression.plain import plain
from flightmesh.ids import ColumnId

_FLIPPED = {
    "equal": "equal",
    "less": "greater",
    "less_equal": "greater_equal",
    "greater": "less",
    "greater_equal": "less_equal",
    "not_equal": "not_equal",
    "is_not_distinct_from": "is_not_distinct_from",
}


@dataclass(frozen=True, slots=True)
class Range:
    """Bounds of a column's values in some rows (None: unknown), and whether there may be NULLs, or values, at all."""

    minimum: pa.Scalar | None = None
    maximum: pa.Scalar | None = None
    may_be_null: bool = True
    may_have_values: bool = True

    @classmethod
    def constant(cls, value: pa.Scalar) -> Range:
        """The range of a column that is `value` in every row."""
        if not value.is_valid:
            return NULLS
        return cls(value, value, may_be_null=False)


NULLS = Range(may_have_values=False)
Lookup = Callable[[ColumnId], Range | None]


def may_match(predicate: Expression, lookup: Lookup) -> bool:
    """Whether `predicate` can be true for a row whose columns lie in their ranges."""
    match predicate:
        case Literal(value=value):
            return bool(value.as_py())
        case Column():
            found = lookup(predicate.id)
            return found is None or found.may_have_values
        case InList():
            return _option_may_match(predicate, lookup)
        case Call():
            return _call_may_match(predicate, lookup)
        case _:
            return True


class _Options:
    """An IN list as the key of a cache, by identity: its values are ordered once for all the row groups that are asked."""

    __slots__ = ("options",)

    def __init__(self, options: tuple[Literal, ...]) -> None:
        self.options = options

    def __hash__(self) -> int:
        return id(self.options)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Options) and other.options is self.options


@lru_cache(maxsize=64)
def _sorted_values(options: _Options) -> tuple[Any, ...] | None:
    """The options that are not NULL, in order; None if one of them (NaN) has no place in it."""
    values = [comparable(option.value) for option in options.options if not option.is_null]
    return None if None in values else tuple(sorted(values))


def _option_may_match(predicate: InList, lookup: Lookup) -> bool:
    found = _range_of(predicate.operand, lookup)
    if found is None:
        return True
    if not found.may_have_values:
        return False
    values = _sorted_values(_Options(predicate.options))
    if values is None or any(option.type != predicate.operand.type for option in predicate.options[:1]):
        return True
    first = 0 if found.minimum is None else bisect_left(values, comparable(found.minimum))
    return first < len(values) and (found.maximum is None or bool(values[first] <= comparable(found.maximum)))


def _call_may_match(call: Call, lookup: Lookup) -> bool:
    args = call.args
    match call.function:
        case "and":
            return all(may_match(part, lookup) for part in args)
        case "or":
            return any(may_match(part, lookup) for part in args)
        case "not":
            return _negation_may_match(args[0], lookup)
        case "is_null":
            return _null_may_be(args[0], lookup)
        case "is_not_null":
            return _value_may_be(args[0], lookup)
        case "between":
            low, high = ("greater_equal", args[1]), ("less_equal", args[2])
            return all(_compare(name, args[0], bound, lookup) for name, bound in (low, high))
        case "like" | "starts_with" | "prefix":
            return _prefix_may_match(call, lookup)
        case name if name in _FLIPPED and len(args) == 2:
            if isinstance(args[0], Literal):
                return _compare(_FLIPPED[name], args[1], args[0], lookup)
            return _compare(name, args[0], args[1], lookup)
        case _:
            return True


def _negation_may_match(operand: Expression, lookup: Lookup) -> bool:
    if isinstance(operand, Call) and operand.function == "is_null":
        return _value_may_be(operand.args[0], lookup)
    if isinstance(operand, Call) and operand.function == "is_not_null":
        return _null_may_be(operand.args[0], lookup)
    return True


def _null_may_be(operand: Expression, lookup: Lookup) -> bool:
    found = _range_of(operand, lookup)
    return found is None or found.may_be_null


def _value_may_be(operand: Expression, lookup: Lookup) -> bool:
    found = _range_of(operand, lookup)
    return found is None or found.may_have_values


def _compare(name: str, operand: Expression, other: Expression, lookup: Lookup) -> bool:
    if not isinstance(other, Literal):
        return True
    found = _range_of(operand, lookup)
    if other.is_null:
        return name == "is_not_distinct_from" and (found is None or found.may_be_null)
    if found is None:
        return True
    if not found.may_have_values:
        return False
    if other.type != operand.type:
        return True
    return _in_bounds(name, found, comparable(other.value))


def _in_bounds(name: str, found: Range, value: Any) -> bool:
    low = None if found.minimum is None else comparable(found.minimum)
    high = None if found.maximum is None else comparable(found.maximum)
    if value is None or _is_nan(value):
        return True
    if high is None or isinstance(high, float):
        above = True if name not in ("equal", "is_not_distinct_from") or high is None else value <= high
    else:
        above = {"greater": high > value, "less": True, "less_equal": True}.get(name, high >= value)
    if low is None:
        return bool(above)
    below = {"less": low < value, "greater": True, "greater_equal": True}.get(name, low <= value)
    if name == "not_equal":
        return not (low == high == value) or isinstance(value, float)
    return bool(above and below)


def _is_nan(value: Any) -> bool:
    return isinstance(value, float) and value != value


def comparable(scalar: pa.Scalar) -> Any:
    """The scalar as a Python value that orders as the engine orders its type; None where there is none (nested types, NaN)."""
    kind = scalar.type
    if not scalar.is_valid:
        return None
    if pa.types.is_nested(kind):
        return None
    value = plain(scalar)
    return None if _is_nan(value) else value


def _prefix_may_match(call: Call, lookup: Lookup) -> bool:
    if len(call.args) < 2 or not isinstance(call.args[1], Literal):
        return True
    found = _range_of(call.args[0], lookup)
    if found is None:
        return True
    if not found.may_have_values or call.args[1].is_null:
        return False
    prefix = call.args[1].value.as_py()
    if call.function == "like":
        # An escape character may make a wildcard literal; a third argument is rare enough to read everything.
        if len(call.args) > 2 or "\\" in prefix:
            return True
        cut = min((prefix.index(mark) for mark in "%_" if mark in prefix), default=None)
        if cut is None:
            return _in_bounds("equal", found, prefix)
        prefix = prefix[:cut]
    if found.minimum is None or found.maximum is None or not prefix:
        return True
    low, high = found.minimum.as_py(), found.maximum.as_py()
    return bool(low[: len(prefix)] <= prefix <= high[: len(prefix)])


def _range_of(operand: Expression, lookup: Lookup) -> Range | None:
    match operand:
        case Column():
            return lookup(operand.id)
        case Cast(operand=Column() as column) if _is_monotone(column.type, operand.type):
            found = lookup(column.id)
            return None if found is None else _cast_range(found, operand.type)
        case _:
            return None


def _is_monotone(source: pa.DataType, target: pa.DataType) -> bool:
    """Whether a cast keeps order and NULLs, so that the cast of a range is the range of the cast."""
    types = pa.types
    exact = types.is_integer(source) or types.is_decimal(source)
    if exact:
        return bool(types.is_integer(target) or types.is_decimal(target) or types.is_floating(target))
    if types.is_floating(source):
        return bool(types.is_float64(target))
    if types.is_date(source) or types.is_timestamp(source):
        zone = getattr(source, "tz", None)
        return bool(zone is None and types.is_timestamp(target) and target.tz is None)
    return False


def _cast_range(found: Range, kind: pa.DataType) -> Range:
    return Range(cast_bound(found.minimum, kind), cast_bound(found.maximum, kind), found.may_be_null, found.may_have_values)


def cast_bound(value: pa.Scalar | None, kind: pa.DataType) -> pa.Scalar | None:
    """A bound as another type, or None (unknown) where it does not fit."""
    if value is None or value.type == kind:
        return value
    try:
        if pa.types.is_integer(value.type) and pa.types.is_decimal128(kind):
            # Arrow's cast asks for digits that no value has.
            return pa.scalar(Decimal(value.as_py()), kind)
        return pc.cast(value, kind, safe=not drops_only_time(value.type))
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return None
