"""Which overload fits: argument expressions against signatures and type rules.

Handed a function's declaration and its argument expressions; hands on the `Binding` (types to cast to, result type) of the
cheapest fit. What always holds: NULL and constant text fit any type, an integer literal fits any integer type that holds its
value.
"""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from flightmesh.expression.functions.declare import Binding, ScalarFunction, Signature
from flightmesh.expression.nodes import Expression, Literal
from flightmesh.expression.types import (
    HUGEINT,
    Family,
    common_type,
    family,
    implicit_cost,
    integer_bounds,
    is_string,
    normal_type,
    sql_type_name,
)

_LITERAL_TEXT_COST = 40
_LITERAL_INTEGERS = (pa.int32(), pa.int64())


def resolve(function: ScalarFunction, args: Sequence[Expression]) -> Binding | None:
    """The cheapest way to call `function` with these arguments, or None."""
    if not isinstance(function.types, tuple):
        return function.types(args)
    best: tuple[int, Binding] | None = None
    for signature in function.types:
        targets = _expanded(signature, len(args))
        cost = None if targets is None else _cost(args, targets)
        if cost is not None and targets is not None and (best is None or cost < best[0]):
            best = (cost, Binding(targets, signature.result))
    return None if best is None else best[1]


def _expanded(signature: Signature, count: int) -> tuple[pa.DataType, ...] | None:
    fixed = signature.args
    if len(fixed) == count:
        return fixed
    if signature.variadic and count > len(fixed):
        return (*fixed, *([fixed[-1]] * (count - len(fixed))))
    return None


def _cost(args: Sequence[Expression], targets: tuple[pa.DataType, ...]) -> int | None:
    total = 0
    for arg, target in zip(args, targets, strict=True):
        cost = argument_cost(arg, target)
        if cost is None:
            return None
        total += cost
    return total


def argument_cost(arg: Expression, target: pa.DataType) -> int | None:
    """The cost of passing `arg` where `target` is wanted, or None."""
    if isinstance(arg, Literal) and is_string(arg.type):
        return 0 if is_string(target) else _LITERAL_TEXT_COST
    if family(target) is Family.INTEGER and integer_literal(arg) is not None:
        return 0 if fits_integer(arg, target) else None
    return implicit_cost(arg.type, target)


def integer_literal(arg: Expression) -> int | None:
    """The value of an integer literal as the parser makes it, else None."""
    if isinstance(arg, Literal) and arg.type in _LITERAL_INTEGERS and not arg.is_null:
        return int(arg.value.as_py())
    return None


def is_text_literal(arg: Expression) -> bool:
    """Whether this is constant text, which fits any type it can be read as."""
    return isinstance(arg, Literal) and is_string(arg.type)


def fits_integer(arg: Expression, target: pa.DataType) -> bool:
    """Whether an integer literal's value fits an integer type."""
    value = integer_literal(arg)
    low, high = integer_bounds(target)
    return value is not None and low <= value <= high


def shared_type(args: Sequence[Expression]) -> pa.DataType | None:
    """The one type for operands of CASE, COALESCE, IN, comparisons: integer literals adapt, constant text yields; None if none.

    All NULL gives the null type; all constant text gives text.
    """
    fixed = [arg for arg in args if not (is_text_literal(arg) or integer_literal(arg) is not None)]
    result: pa.DataType = pa.null()
    for arg in fixed:
        step = common_type(result, normal_type(arg.type))
        if step is None:
            return None
        result = step
    for arg in args:
        if integer_literal(arg) is not None:
            step = _with_integer(result, arg)
            if step is None:
                return None
            result = step
    if family(result) is Family.NULL and any(is_text_literal(arg) for arg in args):
        return pa.string()
    return result


def _with_integer(result: pa.DataType, arg: Expression) -> pa.DataType | None:
    if family(result) is Family.INTEGER and fits_integer(arg, result):
        return result
    return common_type(result, arg.type)


def comparison_type(left: Expression, right: Expression) -> pa.DataType | None:
    """The type two operands are compared in: as `shared_type`; a text column is read as the type of the other column."""
    found = shared_type((left, right))
    if found is not None:
        return found
    if is_string(left.type) and not isinstance(right, Literal):
        return normal_type(right.type)
    if is_string(right.type) and not isinstance(left, Literal):
        return normal_type(left.type)
    return None


def describe_signatures(function: ScalarFunction) -> tuple[str, ...]:
    """The accepted calls, as errors and documents print them."""
    if not isinstance(function.types, tuple):
        return function.usage or (f"{function.name}(...)",)
    lines = []
    for signature in function.types:
        args = [_type_label(t) for t in signature.args]
        if signature.variadic:
            args.append("...")
        lines.append(f"{function.name}({', '.join(args)}) -> {_type_label(signature.result)}")
    return tuple(lines)


def _type_label(type: pa.DataType) -> str:
    return "HUGEINT" if type == HUGEINT else sql_type_name(type)
