"""sqlglot's classes of operators and functions to the names and argument orders of our registry.

Handed a node; hands on the registry's name with the nodes of the arguments, in order. What always holds: sqlglot has
already translated the dialect's spelling, so one class means one thing; a class without an entry is found by its SQL
names.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from sqlglot import exp

from flightmesh.expression.registry import find_function, is_aggregate
from flightmesh.expression.windows import WINDOW_FUNCTIONS

Call: TypeAlias = tuple[str, list[exp.Expr]]

OPERATORS: dict[type[exp.Expr], str] = {
    exp.Add: "add",
    exp.Sub: "subtract",
    exp.Mul: "multiply",
    exp.Pow: "power",
    exp.EQ: "equal",
    exp.NEQ: "not_equal",
    exp.LT: "less",
    exp.LTE: "less_equal",
    exp.GT: "greater",
    exp.GTE: "greater_equal",
    exp.NullSafeEQ: "is_not_distinct_from",
    exp.NullSafeNEQ: "is_distinct_from",
    exp.DPipe: "concat_operator",
    exp.Glob: "glob",
    exp.BitwiseAnd: "bit_and",
    exp.BitwiseOr: "bit_or",
    exp.BitwiseXor: "bit_xor",
    exp.BitwiseLeftShift: "shift_left",
    exp.BitwiseRightShift: "shift_right",
}
"""Operators with two operands, in `this` and `expression`."""

_FUNCTIONS: dict[type[exp.Expr], str] = {
    exp.TimeToUnix: "epoch",
    exp.DayOfMonth: "day",
    exp.DayOfYear: "dayofyear",
    exp.DayOfWeek: "dayofweek",
    exp.DayOfWeekIso: "isodow",
    exp.WeekOfYear: "week",
    exp.DateFromParts: "make_date",
    exp.Ceil: "ceil",
    exp.BitwiseNot: "bit_not",
    exp.RegexpLike: "regexp_matches",
    exp.Rand: "random",
    exp.StartsWith: "starts_with",
    exp.EndsWith: "ends_with",
    exp.SHA: "sha1",
    exp.Levenshtein: "levenshtein",
    exp.TimeToStr: "strftime",
    exp.TimestampTrunc: "date_trunc",
    exp.DateTrunc: "date_trunc",
    exp.DateDiff: "date_diff",
    exp.TimestampDiff: "date_diff",
    exp.StrPosition: "instr",
    exp.JarowinklerSimilarity: "jaro_winkler_similarity",
    exp.TimeFromParts: "make_time",
    exp.TimestampFromParts: "make_timestamp",
    exp.StrToTime: "strptime",
    exp.UnixToTime: "to_timestamp",
    exp.UnixMillis: "epoch_ms",
    exp.UnixMicros: "epoch_us",
    exp.Unicode: "unicode",
    exp.Chr: "chr",
    exp.ByteLength: "octet_length",
    exp.RegexpFullMatch: "regexp_full_match",
    exp.ArraySize: "array_length",
    exp.ArrayContains: "list_contains",
    exp.ArrayPosition: "list_position",
    exp.ArrayConcat: "list_concat",
    exp.ArrayAppend: "list_append",
    exp.ArrayDistinct: "list_distinct",
    exp.ArrayReverse: "list_reverse",
    exp.ArrayOverlaps: "list_has_any",
    exp.ArrayContainsAll: "list_has_all",
    exp.ArrayIntersect: "list_intersect",
    exp.ArrayMin: "list_min",
    exp.ArrayMax: "list_max",
    exp.ArrayToString: "array_to_string",
    exp.ArraySlice: "list_slice",
    exp.Split: "string_split",
    exp.RegexpSplit: "regexp_split_to_array",
    exp.RegexpExtractAll: "regexp_extract_all",
}
"""Functions that the registry knows by another name than sqlglot."""

_AGGREGATES: dict[type[exp.Expr], str] = {
    exp.BitwiseAndAgg: "bit_and",
    exp.BitwiseOrAgg: "bit_or",
    exp.BitwiseXorAgg: "bit_xor",
    exp.LogicalAnd: "bool_and",
    exp.LogicalOr: "bool_or",
    exp.ApproxDistinct: "approx_count_distinct",
    exp.PercentileCont: "quantile_cont",
    exp.PercentileDisc: "quantile_disc",
    exp.Quantile: "quantile_disc",
    exp.GroupConcat: "string_agg",
}
"""Aggregates that the registry knows by another name than sqlglot."""

_ARGUMENTS: dict[type[exp.Expr], tuple[str, ...]] = {
    exp.StrPosition: ("this", "substr"),
    exp.Substring: ("this", "start", "length"),
    exp.Left: ("this", "expression"),
    exp.Right: ("this", "expression"),
    exp.Round: ("this", "decimals"),
    exp.Concat: ("expressions",),
    exp.ConcatWs: ("expressions",),
    exp.SplitPart: ("this", "delimiter", "part_index"),
    exp.TimeToStr: ("this", "format"),
    exp.StrToTime: ("this", "format"),
    exp.TimestampTrunc: ("unit", "this"),
    exp.DateTrunc: ("unit", "this"),
    exp.DateDiff: ("unit", "expression", "this"),
    exp.TimestampDiff: ("unit", "expression", "this"),
    exp.Length: ("this",),
    exp.Greatest: ("this", "expressions"),
    exp.Least: ("this", "expressions"),
    exp.Coalesce: ("this", "expressions"),
    exp.RegexpLike: ("this", "expression", "flag"),
    exp.RegexpReplace: ("this", "expression", "replacement", "modifiers"),
    exp.RegexpExtract: ("this", "expression", "group", "parameters"),
    exp.LastDay: ("this",),
    exp.TimeFromParts: ("hour", "min", "sec"),
    exp.TimestampFromParts: ("year", "month", "day", "hour", "min", "sec"),
    exp.Encode: ("this",),
    exp.Decode: ("this",),
    exp.Lower: ("this",),
    exp.ArraySize: ("this", "expression"),
    exp.ArrayContains: ("this", "expression"),
    exp.ArrayPosition: ("this", "expression"),
    exp.ArrayConcat: ("this", "expressions"),
    exp.ArrayAppend: ("this", "expression"),
    exp.ArrayDistinct: ("this",),
    exp.ArrayToString: ("this", "expression"),
    exp.ArraySlice: ("this", "start", "end", "step"),
    exp.ArrayOverlaps: ("this", "expression"),
    exp.ArrayContainsAll: ("this", "expression"),
    exp.Split: ("this", "expression"),
    exp.RegexpExtractAll: ("this", "expression", "group"),
    exp.Upper: ("this",),
}
"""Arguments where their order, or what is one, is not that of sqlglot's class."""


def translate(node: exp.Expr, dialect: str = "duckdb") -> Call | None:
    """The call that a function or operator node is; None for one that the registry does not have."""
    if isinstance(node, exp.RegexpLike) and dialect == "duckdb" and not node._meta:
        # duckdb's `~` must match the whole text, its function regexp_matches a part; only the function has a place of its own.
        return "regexp_full_match", [node.this, node.args["expression"]]
    special = _SPECIAL.get(type(node))
    if special is not None:
        return special(node)
    operator = OPERATORS.get(type(node))
    if operator is not None:
        return operator, [node.this, node.args["expression"]]
    if isinstance(node, exp.Anonymous):
        return node.name, list(node.expressions)
    name = scalar_name(type(node))
    return None if name is None or _drops_an_argument(node) else (name, arguments(node))


def _drops_an_argument(node: exp.Expr) -> bool:
    """Whether the call has an argument that our function does not take; the character set of ENCODE is always UTF-8."""
    keys = _ARGUMENTS.get(type(node))
    if keys is None or isinstance(node, exp.Encode | exp.Decode):
        return False
    return any(isinstance(value, exp.Expr) and key not in keys for key, value in node.args.items())


def scalar_name(kind: type[exp.Expr]) -> str | None:
    """The registry's name of a class of functions."""
    found = _FUNCTIONS.get(kind)
    if found is not None:
        return found
    return next((name for name in _sql_names(kind) if find_function(name) is not None), None)


def aggregate_name(node: exp.Expr) -> str | None:
    """The registry's name of an aggregate; None for what is none, or one that the registry does not have."""
    if isinstance(node, exp.Anonymous):
        return node.name if is_aggregate(node.name) else None
    if not isinstance(node, exp.AggFunc):
        return None
    found = _AGGREGATES.get(type(node))
    return found or next((name for name in _sql_names(type(node)) if is_aggregate(name)), None)


def window_name(node: exp.Expr) -> str | None:
    """The name of a function that is nothing but a window function; None for any other."""
    if isinstance(node, exp.Anonymous):
        return node.name.lower() if node.name.lower() in WINDOW_FUNCTIONS else None
    if not isinstance(node, exp.Func):
        return None
    return next((name for name in _sql_names(type(node)) if name in WINDOW_FUNCTIONS), None)


def arguments(node: exp.Expr) -> list[exp.Expr]:
    """The argument nodes in the order of the registry's function."""
    keys = _ARGUMENTS.get(type(node)) or tuple(node.arg_types)
    found: list[exp.Expr] = []
    for key in keys:
        value = node.args.get(key)
        if isinstance(value, list):
            found.extend(part for part in value if isinstance(part, exp.Expr))
        elif isinstance(value, exp.Expr):
            found.append(_unit(value))
    return found


def _unit(node: exp.Expr) -> exp.Expr:
    """A date part, which SQL writes as a word and the registry takes as text."""
    if not isinstance(node, exp.Var | exp.WeekStart):
        return node
    return exp.Literal.string(node.name.lower()).update_positions(node)


def _sql_names(kind: type[exp.Expr]) -> list[str]:
    names = kind.sql_names() if issubclass(kind, exp.Func) else []
    return [*(name.lower() for name in names), kind.key]


def _like(name: str) -> Callable[[exp.Expr], Call]:
    def call(node: exp.Expr) -> Call:
        return (f"not_{name}" if node.args.get("negate") else name), [node.this, node.args["expression"]]

    return call


def _escape(node: exp.Expr) -> Call:
    inner = node.this
    name, args = _like("ilike" if isinstance(inner, exp.ILike) else "like")(inner)
    return f"{name}_escape", [*args, node.args["expression"]]


def _extract(node: exp.Expr) -> Call:
    return "date_part", [_unit(node.this), node.args["expression"]]


def _trim(node: exp.Expr) -> Call:
    position = str(node.args.get("position") or "").upper()
    name = {"LEADING": "ltrim", "TRAILING": "rtrim"}.get(position, "trim")
    characters = node.args.get("expression")
    return name, [node.this] if characters is None else [node.this, characters]


def _pad(node: exp.Expr) -> Call:
    fill = node.args.get("fill_pattern") or exp.Literal.string(" ")
    return ("lpad" if node.args.get("is_left") else "rpad"), [node.this, node.args["expression"], fill]


def _log(node: exp.Expr) -> Call:
    base, other = node.this, node.args.get("expression")
    if other is None:
        return "log", [base]
    exact = {"2": "log2", "10": "log10"}.get(base.name) if isinstance(base, exp.Literal) else None
    return ("log", [base, other]) if exact is None else (exact, [other])


def _sha2(node: exp.Expr) -> Call:
    length = node.args.get("length")
    return f"sha{256 if length is None else length.name}", [node.this]


def _unix_to_time(node: exp.Expr) -> Call:
    scale = node.args.get("scale")
    names = {"3": "epoch_ms", "6": "make_timestamp"}
    return names.get("" if scale is None else scale.name, "to_timestamp"), [node.this]


def _time_bucket(node: exp.Expr) -> Call | None:
    unit = node.args.get("unit")
    # The parser reads a third argument as a unit: a column's name would be lost in it.
    if isinstance(unit, exp.Var):
        return None
    return "time_bucket", [part for part in (node.this, node.args.get("expression"), unit) if part is not None]


def _similar(node: exp.Expr) -> Call:
    return "regexp_full_match", [node.this, node.args["expression"]]


def _regexp_ilike(node: exp.Expr) -> Call:
    return "regexp_matches", [node.this, node.args["expression"], exp.Literal.string("i")]


def _contains(node: exp.Expr) -> Call:
    return "contains", [node.this, node.args["expression"]]


def _series(node: exp.Expr) -> Call:
    name = "range" if node.args.get("is_end_exclusive") else "generate_series"
    return name, [part for key in ("start", "end", "step") if (part := node.args.get(key)) is not None]


def _sorted_list(node: exp.Expr) -> Call:
    """The parser has turned the words for the order into constants."""
    down, first = (_is_so(node, key, way) for key, way in (("asc", False), ("nulls_first", True)))
    words = ("DESC" if down else "ASC", "NULLS FIRST" if first else "NULLS LAST")
    return "list_sort", [node.this, *(exp.Literal.string(word) for word in words)]


def _is_so(node: exp.Expr, key: str, way: bool) -> bool:
    value = node.args.get(key)
    return isinstance(value, exp.Boolean) and bool(value.this) is way


def _prepended(node: exp.Expr) -> Call:
    return "list_prepend", [node.args["expression"], node.this]


def _contained(node: exp.Expr) -> Call:
    return "list_has_all", [node.args["expression"], node.this]


_SPECIAL: dict[type[exp.Expr], Callable[[exp.Expr], Call | None]] = {
    exp.Like: _like("like"),
    exp.ILike: _like("ilike"),
    exp.Escape: _escape,
    exp.Extract: _extract,
    exp.Trim: _trim,
    exp.Pad: _pad,
    exp.Log: _log,
    exp.SHA2: _sha2,
    exp.UnixToTime: _unix_to_time,
    exp.DateBin: _time_bucket,
    exp.SimilarTo: _similar,
    exp.RegexpILike: _regexp_ilike,
    exp.Contains: _contains,
    exp.GenerateSeries: _series,
    exp.ArraySort: _sorted_list,
    exp.ArrayPrepend: _prepended,
    exp.ArrayContainedBy: _contained,
}
