"""How many of the rows a predicate keeps, and what that does to the columns.

Handed conjuncts and what is expected of the columns they read; hands on a share between 0 and 1 and the narrowed columns.
Ranges of one column are put together first (`a >= x and a < y` is one range), other conjuncts are taken as independent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from flightmesh.dataclass import dataclass
from flightmesh.expression.nodes import Call, Cast, Column, Expression, InList, Literal
from flightmesh.ids import ColumnId
from flightmesh.optimize.column_estimate import ColumnEstimate, position

Columns = dict[ColumnId, ColumnEstimate]

UNKNOWN = 0.25
UNKNOWN_EQUALITY = 0.1
UNKNOWN_RANGE = 0.35
LIKE_INFIX = 0.08
LIKE_PREFIX = 0.05
BETWEEN_COLUMNS = 0.45

RANGES = frozenset({"less", "less_equal", "greater", "greater_equal"})


@dataclass(slots=True)
class _Range:
    """What the conjuncts seen so far leave of a column."""

    low: float
    high: float


def kept(parts: Sequence[Expression], columns: Columns) -> tuple[float, Columns]:
    """(share of the rows for which all parts hold, the columns narrowed by ranges and equalities)."""
    share = 1.0
    ranges: dict[ColumnId, _Range] = {}
    narrowed: Columns = {}
    for part in parts:
        if _narrow(part, columns, ranges):
            continue
        share *= selectivity(part, columns)
        single = _bound(part)
        if single is not None and single[0] in columns:
            known = columns[single[0]]
            fewer = min(known.distinct, single[1])
            narrowed[single[0]] = replace(known, distinct=fewer, domain=fewer, null_fraction=0.0)
    for id_, left in ranges.items():
        known = columns[id_]
        part_share = _range_share(known, left)
        share *= part_share
        narrowed[id_] = replace(
            known,
            distinct=max(1.0, known.distinct * part_share),
            minimum=left.low,
            maximum=left.high,
            null_fraction=0.0,
            domain=max(1.0, known.domain * part_share),
        )
    return share, narrowed


def _narrow(part: Expression, columns: Columns, ranges: dict[ColumnId, _Range]) -> bool:
    """Takes `column < constant` and its like into the column's range; False for anything else."""
    if not isinstance(part, Call) or part.function not in RANGES:
        return False
    column, constant = part.args
    if not isinstance(column, Column) or not isinstance(constant, Literal):
        return False
    known = columns.get(column.id)
    value = position(constant.value)
    if known is None or value is None or known.minimum is None or known.maximum is None:
        return False
    left = ranges.setdefault(column.id, _Range(known.minimum, known.maximum))
    if part.function.startswith("less"):
        left.high = min(left.high, value)
    else:
        left.low = max(left.low, value)
    return True


def _range_share(known: ColumnEstimate, left: _Range) -> float:
    if known.minimum is None or known.maximum is None:
        return UNKNOWN_RANGE
    if left.low > left.high:
        return 0.0
    width = known.maximum - known.minimum
    if width <= 0:
        return 1.0 - known.null_fraction
    share = (left.high - left.low) / width
    return max(min(1.0, share), 1.0 / max(known.distinct, 1.0) if left.low <= left.high else 0.0) * (1.0 - known.null_fraction)


def _bound(part: Expression) -> tuple[ColumnId, float] | None:
    match part:
        case Call(function="equal", args=(Column(id=id_), Literal())):
            return id_, 1.0
        case InList(operand=Column(id=id_), options=options):
            return id_, float(len(options))
        case _:
            return None


def selectivity(part: Expression, columns: Columns) -> float:
    """The share of rows for which one predicate holds."""
    match part:
        case Literal(value=value):
            return 1.0 if value.as_py() is True else 0.0
        case Call(function="and", args=args):
            share, _ = kept(args, columns)
            return share
        case Call(function="or", args=args):
            missed = 1.0
            for arg in args:
                missed *= 1.0 - selectivity(arg, columns)
            return 1.0 - missed
        case Call(function="not", args=(operand,)):
            return 1.0 - selectivity(operand, columns)
        case InList(operand=operand, options=options):
            known = _column(operand, columns)
            return min(1.0, len(options) / max(known.distinct, 1.0)) if known else min(0.5, UNKNOWN_EQUALITY * len(options))
        case Call():
            return _call(part, columns)
        case Column():
            return 0.5
        case _:
            return UNKNOWN


def _call(part: Call, columns: Columns) -> float:
    match part.function:
        case "equal" | "is_not_distinct_from":
            return _equality(part.args[0], part.args[1], columns)
        case "not_equal" | "is_distinct_from":
            return max(0.05, 1.0 - _equality(part.args[0], part.args[1], columns))
        case "less" | "less_equal" | "greater" | "greater_equal":
            return _range(part, columns)
        case "is_null" | "is_not_null":
            known = _column(part.args[0], columns)
            nulls = known.null_fraction if known else 0.05
            return nulls if part.function == "is_null" else 1.0 - nulls
        case "like" | "ilike" | "contains":
            return LIKE_PREFIX if _is_prefix(part.args[1]) else LIKE_INFIX
        case "starts_with" | "prefix":
            return LIKE_PREFIX
        case "not_like" | "not_ilike":
            return 1.0 - LIKE_INFIX
        case _:
            return UNKNOWN


def _is_prefix(pattern: Expression) -> bool:
    return isinstance(pattern, Literal) and not str(pattern.value.as_py()).startswith("%")


def _column(node: Expression, columns: Columns) -> ColumnEstimate | None:
    while isinstance(node, Cast):
        node = node.operand
    return columns.get(node.id) if isinstance(node, Column) else None


def _equality(left: Expression, right: Expression, columns: Columns) -> float:
    a, b = _column(left, columns), _column(right, columns)
    known = [c.distinct for c in (a, b) if c is not None]
    if not known:
        return UNKNOWN_EQUALITY
    value = _constant_outside(a, right)
    return 0.0001 if value else 1.0 / max(1.0, *known)


def _constant_outside(known: ColumnEstimate | None, constant: Expression) -> bool:
    if known is None or not isinstance(constant, Literal) or known.minimum is None or known.maximum is None:
        return False
    value = position(constant.value)
    return value is not None and not known.minimum <= value <= known.maximum


def _range(part: Call, columns: Columns) -> float:
    left, right = part.args
    if isinstance(right, Literal):
        ranges: dict[ColumnId, _Range] = {}
        if _narrow(part, columns, ranges):
            return next(_range_share(columns[id_], r) for id_, r in ranges.items())
        return UNKNOWN_RANGE
    return BETWEEN_COLUMNS if _column(left, columns) and _column(right, columns) else UNKNOWN_RANGE
