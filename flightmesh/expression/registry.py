"""The one registry of functions: binding, type rules and kernels all come from here.

Handed a name and typed argument expressions, hands on a typed expression whose arguments have exactly the types the kernel
takes. What always holds: an unknown name or ill-typed call is an InvalidQuery that names what would have fitted.

Names of the operators: `add subtract multiply divide int_divide modulo negate` (and `divide_checked int_divide_checked
modulo_checked`, where division by zero is an error, and `divide_safe`, where it is NULL), `power`, `concat_operator` (`||`;
`concat` is the function that leaves NULLs out), `equal not_equal less less_equal greater greater_equal between is_distinct_from
is_not_distinct_from`, `and or not`, `is_null is_not_null is_true is_not_true is_false is_not_false`, `like ilike not_like
not_ilike` (with ESCAPE: `like_escape` ..., third argument), `glob`, `regexp_full_match` (`~`, SIMILAR TO), `bit_and bit_or
bit_xor bit_not shift_left shift_right`. The symbols are aliases. Dates and intervals use `add`, `subtract`, `multiply`,
`divide`. EXTRACT(part FROM x) is `date_part('part', x)`, bound as the part's own function (`year(x)`). IN with a list is
`bind_in`, CASE and IF are `bind_case`. A function written by a user goes through `bind_function`.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from decimal import Decimal

import pyarrow as pa

from flightmesh.errors import DataError, InvalidQuery, Position, UnsupportedFeature
from flightmesh.expression import aggregates
from flightmesh.expression.casts import cast_datum, castable
from flightmesh.expression.functions.declare import Request, ScalarFunction
from flightmesh.expression.nodes import (
    AggregateCall,
    Call,
    Case,
    Cast,
    CastMode,
    Expression,
    InList,
    Literal,
    SortKey,
    When,
    require_boolean,
)
from flightmesh.expression.signatures import describe_signatures, is_text_literal, resolve, shared_type
from flightmesh.expression.types import Family, family, is_numeric, sql_type_name
from flightmesh.expression.types import common_type as common_type

_WRITTEN: dict[str, str] = {"divide": "int_divide"}
"""Names that mean something else when a user writes them as a function than as our operator's name."""


COMPARISONS = frozenset(
    {"equal", "not_equal", "less", "less_equal", "greater", "greater_equal", "is_distinct_from", "is_not_distinct_from"}
    | {"between"}
)
"""Functions that compare their arguments: lists by their keys."""

_NOT_YET = frozenset(
    f"{kind}_{name}"
    for kind in ("list", "array")
    for name in (
        *("zip", "resize", "where", "select", "grade_up", "reduce", "transform", "filter", "apply", "median", "mode"),
        *("histogram", "entropy", "kurtosis", "skewness", "sem", "mad", "stddev_pop", "stddev_samp", "var_pop", "var_samp"),
        *("distance", "inner_product", "dot_product", "cosine_similarity", "cosine_distance", "pop_back", "pop_front"),
        *("push_front", "approx_count_distinct"),
    )
)
"""Functions of lists that DuckDB has and this engine not: refused by name."""

_LIST_TWINS = {
    "length": "array_length",
    "concat_operator": "list_joined",
    "concat": "list_concat",
    "contains": "list_contains",
}
"""What functions of texts mean for lists."""

_LISTS_ONCE = frozenset({"count", "approx_count_distinct", "min", "max", "any_value", "entropy"})
"""Aggregates that can be of distinct lists."""

_WITHOUT_MEAN = (Family.STRING, Family.BINARY, Family.BOOLEAN, Family.INTERVAL)
"""Types whose median is one of the values."""


def function_names() -> tuple[str, ...]:
    """Names of all scalar functions, without aliases, sorted."""
    from flightmesh.expression.functions.known import FUNCTIONS

    return tuple(sorted(FUNCTIONS))


def aggregate_names() -> tuple[str, ...]:
    """Names of all aggregates, without aliases, sorted."""
    return aggregates.names()


def is_aggregate(name: str) -> bool:
    """Whether a name, alias or not, is an aggregate's."""
    return aggregates.canonical(name.lower()) is not None


def find_function(name: str) -> ScalarFunction | None:
    """The scalar function of this name, alias or operator symbol."""
    from flightmesh.expression.functions.known import ALIASES, FUNCTIONS

    lowered = name.lower()
    return FUNCTIONS.get(ALIASES.get(lowered, lowered))


def scalar_function(name: str) -> ScalarFunction:
    """The function that a bound Call names."""
    from flightmesh.expression.functions.known import FUNCTIONS

    return FUNCTIONS[name]


def bind_call(name: str, args: Sequence[Expression], at: Position | None = None) -> Expression:
    """A typed call of an operator or function. Picks the overload, casts the arguments, types the result.

    `name` is a registry name, an alias or an operator symbol, in any case. Raises InvalidQuery for an unknown name or
    arguments that fit no signature.
    """
    from flightmesh.expression.functions.known import NOW, OF_UNITS

    function = find_function(name)
    if function is None:
        raise _unknown_function(name, at)
    args = tuple(args)
    if function.name == "negate" and len(args) == 1:
        folded = _negated_literal(args[0])
        if folded is not None:
            return folded
    if function.name in ("and", "or"):
        args = tuple(part for arg in args for part in _operands(function.name, arg))
    if function.name == "list_aggregate":
        return _bind_fold(args, at)
    twin = _LIST_TWINS.get(function.name)
    if twin is not None and any(family(arg.type) is Family.LIST for arg in args):
        return bind_call(twin, args, at)
    if function.name == "if" and len(args) == 3:
        return bind_case(((args[0], args[1]),), args[2], at)
    if function.name == "date_part" and len(args) == 2 and is_text_literal(args[0]):
        return _bind_part(args[0], args[1], at)
    if function.name in OF_UNITS and args and is_text_literal(args[0]):
        _check_unit(args[0], at)
    binding = resolve(function, args)
    if binding is None:
        raise _ill_typed(function, args, at)
    cast = tuple(coerce(arg, type, at) for arg, type in zip(args, binding.args, strict=True))
    if function.name in COMPARISONS:
        cast = tuple(as_key(arg) for arg in cast)
    call = Call(function.name, cast, binding.result, at)
    return Literal(function.kernel((), Request(binding.result, 1))) if function.name in NOW else call


def as_key(expr: Expression) -> Expression:
    """What the values of an expression are compared, grouped and sorted by: of a list its key, else the expression itself."""
    if family(expr.type) is not Family.LIST:
        return expr
    call = Call("list_key", (expr,), pa.binary())
    return call if not isinstance(expr, Literal) else Literal(scalar_function("list_key").kernel((expr.value,), _KEY))


_KEY = Request(pa.binary(), 1)


def _bind_fold(args: tuple[Expression, ...], at: Position | None) -> Expression:
    """list_aggregate(list, 'sum'): the function of lists that is called so."""
    named = args[1].value.as_py() if len(args) > 1 and isinstance(args[1], Literal) and is_text_literal(args[1]) else None
    if named is None:
        raise InvalidQuery("list_aggregate takes a list and the name of an aggregate as constant text", position=at)
    known = sorted(name.removeprefix("list_") for name in function_names() if name in _FOLDS)
    canonical = aggregates.canonical(named.lower()) or named.lower()
    if canonical not in known:
        if aggregates.canonical(named.lower()) is None:
            raise _unknown_function(named, at)
        raise UnsupportedFeature(
            f"not supported yet: the aggregate {named} of a list", hint=f"there are {', '.join(known)}", position=at
        )
    return bind_call(f"list_{canonical}", (args[0], *args[2:]), at)


_FOLDS = frozenset(
    {"list_min", "list_max", "list_first", "list_last", "list_any_value", "list_count", "list_sum", "list_avg", "list_product"}
    | {"list_bool_and", "list_bool_or", "list_string_agg"}
)
"""Functions of lists that are called by the name of an aggregate too."""


def _operands(name: str, arg: Expression) -> tuple[Expression, ...]:
    """The operands of an AND within an AND, an OR within an OR: long conditions stay flat."""
    return arg.args if isinstance(arg, Call) and arg.function == name else (arg,)


def _bind_part(part: Expression, value: Expression, at: Position | None) -> Expression:
    from flightmesh.expression.dateparts import CALENDAR_PARTS, CLOCK_PARTS, part_name

    text = part.value.as_py() if isinstance(part, Literal) else None
    name = None if text is None else part_name(text)
    if name is None:
        near = difflib.get_close_matches(str(text).lower(), (*CALENDAR_PARTS, *CLOCK_PARTS), n=2)
        raise InvalidQuery(
            f"{text} is no part of a date", hint=f"did you mean {' or '.join(near)}?" if near else None, position=at
        )
    return bind_call(name, (value,), at)


def _check_unit(unit: Expression, at: Position | None) -> None:
    """Refuses constant text that is no unit of time, whether or not a row would have met it."""
    from flightmesh.expression import datespans

    text = unit.value.as_py() if isinstance(unit, Literal) else None
    if text is None:
        return
    try:
        datespans.unit(text)
    except DataError as error:
        near = difflib.get_close_matches(text.strip().lower(), datespans.UNITS, n=2)
        hint = f"did you mean {' or '.join(near)}?" if near else f"units are {', '.join(datespans.UNITS)}"
        raise InvalidQuery(error.message, hint=hint, position=at) from None


def bind_function(name: str, args: Sequence[Expression], at: Position | None = None) -> Expression:
    """`bind_call` for a function call that a user wrote by name: names as DuckDB has them (`divide` is integer division)."""
    return bind_call(_WRITTEN.get(name.lower(), name), args, at)


def bind_case(
    arms: Sequence[tuple[Expression, Expression]], otherwise: Expression | None, at: Position | None = None
) -> Expression:
    """A searched CASE with its arms cast to one type."""
    values = [value for _, value in arms] + ([] if otherwise is None else [otherwise])
    cast = unify(values, "CASE", at)
    whens = []
    for (condition, _), value in zip(arms, cast, strict=False):
        condition = coerce(condition, pa.bool_(), at)
        require_boolean(condition, "a CASE condition")
        whens.append(When(condition, value))
    return Case(tuple(whens), None if otherwise is None else cast[-1], cast[0].type)


def bind_in(operand: Expression, options: Sequence[Expression], at: Position | None = None) -> Expression:
    """`operand IN (options)`: an InList where all options are constants, otherwise a disjunction of equalities."""
    target = shared_type((operand, *options))
    if target is not None and all(isinstance(option, Literal) for option in options):
        literals = [option for option in options if isinstance(option, Literal)]
        keys = [as_key(option) for option in _coerced(literals, target, at)]
        return InList(as_key(coerce(operand, target, at)), tuple(key for key in keys if isinstance(key, Literal)))
    parts = tuple(bind_call("equal", (operand, option), at) for option in options)
    return parts[0] if len(parts) == 1 else bind_call("or", parts, at)


def _coerced(literals: Sequence[Literal], type: pa.DataType, at: Position | None) -> tuple[Literal, ...]:
    """Literals by an implicit cast, those of one type in one go: a list may have thousands."""
    result = list(literals)
    for old in {literal.type for literal in literals} - {type}:
        places = [number for number, literal in enumerate(literals) if literal.type == old]
        try:
            cast = cast_datum(pa.array([literals[number].value for number in places], old), type, CastMode.STRICT)
        except DataError:
            cast = [_coerced_literal(literals[number], type, at).value for number in places]
        for number, value in zip(places, cast, strict=True):
            result[number] = Literal(value)
    return tuple(result)


def unify(parts: Sequence[Expression], what: str, at: Position | None = None) -> tuple[Expression, ...]:
    """The expressions cast to their one common type; `what` names the place in the error when there is none."""
    target = shared_type(parts)
    if target is None:
        names = " and ".join(dict.fromkeys(sql_type_name(part.type) for part in parts))
        raise InvalidQuery(
            f"cannot mix values of types {names} in {what}", hint="cast them to one type: CAST(x AS VARCHAR)", position=at
        )
    return tuple(coerce(part, target, at) for part in parts)


def coerce(expr: Expression, type: pa.DataType, at: Position | None = None) -> Expression:
    """The expression as `type`, by an implicit cast; literals are converted at once, InvalidQuery if they cannot be."""
    if expr.type == type:
        return expr
    if not isinstance(expr, Literal):
        return Cast(expr, type, CastMode.STRICT, at)
    return _coerced_literal(expr, type, at)


def _coerced_literal(literal: Literal, type: pa.DataType, at: Position | None) -> Literal:
    try:
        return Literal(cast_datum(literal.value, type, CastMode.STRICT))
    except DataError as error:
        raise InvalidQuery(error.message, hint=error.hint, position=at) from None


def bind_cast(expr: Expression, type: pa.DataType, mode: CastMode = CastMode.STRICT, at: Position | None = None) -> Expression:
    """`CAST(expr AS type)` or TRY_CAST. Not folded: a cast literal has a fixed type, a plain one adapts."""
    if not castable(expr.type, type):
        raise InvalidQuery(f"cannot cast {sql_type_name(expr.type)} to {sql_type_name(type)}", position=at)
    return Cast(expr, type, mode, at)


def bind_aggregate(
    name: str,
    args: Sequence[Expression],
    distinct: bool = False,
    filter: Expression | None = None,
    at: Position | None = None,
    order: Sequence[SortKey] = (),
) -> AggregateCall:
    """A typed aggregate call; `count` without an argument is `count_star`."""
    entry = aggregates.canonical(name.lower())
    if entry is None:
        raise _unknown_function(name, at)
    args = tuple(args)
    if entry == "count" and not args:
        entry = "count_star"
    binding = aggregates.resolve(entry, args)
    if binding is None:
        types = ", ".join(sql_type_name(arg.type) for arg in args)
        raise InvalidQuery(f"no aggregate {name}({types})", hint=f"accepted: {'; '.join(aggregates.usage(entry))}", position=at)
    if filter is not None:
        filter = coerce(filter, pa.bool_(), at)
    cast = tuple(coerce(arg, type, at) for arg, type in zip(args, binding.args, strict=True))
    if distinct and cast and family(cast[0].type) is Family.LIST and entry not in _LISTS_ONCE:
        raise UnsupportedFeature(f"not supported yet: {name} of distinct lists", hint="SELECT DISTINCT first", position=at)
    if entry == "count_if":  # of ones and zeros, and so NULL over no values
        return AggregateCall("sum", (Cast(cast[0], pa.int32()),), binding.result, distinct, filter, at)
    if entry == "median":
        named = (
            "quantile_disc" if binding.result == cast[0].type and family(binding.result) in _WITHOUT_MEAN else "quantile_cont"
        )
        return AggregateCall(named, (*cast, aggregates.MIDDLE), binding.result, distinct, filter, at)
    if entry == "string_agg" and len(cast) == 1:
        cast = (*cast, Literal(pa.scalar(",")))
    seen = tuple(order) if entry in aggregates.ORDER_SEEN else ()
    return AggregateCall(entry, cast, binding.result, distinct, filter, at, seen)


def _negated_literal(arg: Expression) -> Literal | None:
    """-1 is a literal as 1 is, so that it adapts to the types beside it."""
    if not isinstance(arg, Literal) or arg.is_null or not is_numeric(arg.type):
        return None
    if pa.types.is_unsigned_integer(arg.type):
        return None
    held = arg.value.as_py()
    value = held.copy_negate() if isinstance(held, Decimal) else -held
    try:
        return Literal(pa.scalar(value, arg.type))
    except (pa.ArrowInvalid, OverflowError):
        return None


def _unknown_function(name: str, at: Position | None) -> InvalidQuery:
    if name.lower() in _NOT_YET:
        return UnsupportedFeature(f"not supported yet: the function {name.lower()}", position=at)
    from flightmesh.expression.functions.known import ALIASES, FUNCTIONS

    known = [n for n in (*FUNCTIONS, *ALIASES, *aggregates.all_names()) if n.isidentifier()]
    near = difflib.get_close_matches(name.lower(), known, n=3, cutoff=0.6)
    hint = f"did you mean {' or '.join(near)}?" if near else None
    return InvalidQuery(f"there is no function {name}", hint=hint, position=at)


def _ill_typed(function: ScalarFunction, args: tuple[Expression, ...], at: Position | None) -> InvalidQuery:
    types = [sql_type_name(arg.type) for arg in args]
    if function.operator and len(types) == 2:
        what = f"{types[0]} {function.operator} {types[1]}"
    else:
        what = f"{function.name}({', '.join(types)})"
    accepted = "; ".join(describe_signatures(function))
    return InvalidQuery(f"no function fits {what}", hint=f"accepted: {accepted}; cast the arguments", position=at)
