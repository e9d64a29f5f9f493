"""The window functions: names, type rules and frames. Aggregates are window functions too, by the rules of `aggregates`.

Handed a name, typed arguments and a frame; hands on a typed call. What always holds: a frame's bounds are distances from the
row (negative before it, None unbounded); in RANGE only 0 and None occur, and 0 takes in the row's peers.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pyarrow as pa

from flightmesh.errors import InternalError, InvalidQuery, Position
from flightmesh.expression import aggregates
from flightmesh.expression.functions.declare import Binding
from flightmesh.expression.nodes import Expression, Literal
from flightmesh.expression.registry import coerce
from flightmesh.expression.text import format_expression
from flightmesh.expression.types import Family, family, is_numeric, normal_type, sql_type_name

Rule = Callable[[Sequence[Expression]], Binding | None]


class FrameUnit(enum.Enum):
    """ROWS counts rows, RANGE takes peers together."""

    ROWS = "rows"
    RANGE = "range"


@dataclass(frozen=True, slots=True)
class Frame:
    """The rows that a function sees of its partition, from `start` to `end`, both included."""

    unit: FrameUnit
    start: int | None
    end: int | None

    def __post_init__(self) -> None:
        if self.unit is FrameUnit.RANGE and (self.start or self.end):
            raise InternalError("a RANGE frame with an offset")


DEFAULT_FRAME = Frame(FrameUnit.RANGE, None, 0)
"""What SQL takes where no frame is written; without ORDER BY all rows are peers."""


@dataclass(frozen=True, slots=True)
class WindowCall:
    """A window function or an aggregate over a frame. `args` have exactly the types that the kernel takes."""

    function: str
    args: tuple[Expression, ...]
    type: pa.DataType
    frame: Frame = DEFAULT_FRAME
    at: Position | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class WindowFunction:
    """One function that stands only before OVER. `framed`: it looks at its frame; the others see the whole partition."""

    name: str
    doc: str
    rule: Rule
    usage: str
    framed: bool = False


def _rank(result: pa.DataType) -> Rule:
    return lambda args: Binding((), result) if not args else None


def _ntile(args: Sequence[Expression]) -> Binding | None:
    return Binding((pa.int64(),), pa.int64()) if len(args) == 1 and _counts(args[0]) else None


def _counts(arg: Expression) -> bool:
    return bool(pa.types.is_integer(arg.type) or pa.types.is_null(arg.type))


def _one(args: Sequence[Expression]) -> Binding | None:
    if len(args) != 1:
        return None
    type = normal_type(args[0].type)
    return Binding((type,), type)


def _nth(args: Sequence[Expression]) -> Binding | None:
    if len(args) != 2 or not _counts(args[1]):
        return None
    type = normal_type(args[0].type)
    return Binding((type, pa.int64()), type)


def _shifted(args: Sequence[Expression]) -> Binding | None:
    if not 1 <= len(args) <= 3 or (len(args) > 1 and not _counts(args[1])):
        return None
    type = normal_type(args[0].type)
    return Binding((type, pa.int64(), type)[: len(args)], type)


_ALL = (
    WindowFunction("row_number", "The row's number in its partition.", _rank(pa.int64()), "row_number() -> BIGINT"),
    WindowFunction("rank", "1 and the rows before the row's peers.", _rank(pa.int64()), "rank() -> BIGINT"),
    WindowFunction("dense_rank", "1 and the groups of peers before.", _rank(pa.int64()), "dense_rank() -> BIGINT"),
    WindowFunction("percent_rank", "(rank - 1) / (rows - 1).", _rank(pa.float64()), "percent_rank() -> DOUBLE"),
    WindowFunction("cume_dist", "Share of the rows up to the peers.", _rank(pa.float64()), "cume_dist() -> DOUBLE"),
    WindowFunction("ntile", "The row's bucket of n equal ones.", _ntile, "ntile(BIGINT) -> BIGINT"),
    WindowFunction("lag", "The value n rows before, or the default.", _shifted, "lag(any[, BIGINT[, any]]) -> any"),
    WindowFunction("lead", "The value n rows after, or the default.", _shifted, "lead(any[, BIGINT[, any]]) -> any"),
    WindowFunction("first_value", "The value of the frame's first row.", _one, "first_value(any) -> any", framed=True),
    WindowFunction("last_value", "The value of the frame's last row.", _one, "last_value(any) -> any", framed=True),
    WindowFunction("nth_value", "The value of the frame's n-th row.", _nth, "nth_value(any, BIGINT) -> any", framed=True),
)

WINDOW_FUNCTIONS: dict[str, WindowFunction] = {entry.name: entry for entry in _ALL}
"""Every function that is nothing but a window function, by its one name."""

WINDOW_AGGREGATES = frozenset({"count_star", "count", "sum", "avg", "min", "max", "bool_and", "bool_or"})
"""The aggregates that are done over windows."""

NEVER_NULL = frozenset({"row_number", "rank", "dense_rank", "percent_rank", "cume_dist", "count", "count_star"})


def bind_window(name: str, args: Sequence[Expression], frame: Frame, at: Position | None = None) -> WindowCall:
    """A typed call of a function of WINDOW_FUNCTIONS, or of an aggregate of WINDOW_AGGREGATES."""
    entry = WINDOW_FUNCTIONS.get(name)
    if entry is not None:
        binding, usage = entry.rule(args), entry.usage
        frame = frame if entry.framed else DEFAULT_FRAME
    else:
        name = "count_star" if name == "count" and not args else name
        binding, usage = aggregates.resolve(name, args), "; ".join(aggregates.usage(name))
        if name == "avg" and args and not (is_numeric(args[0].type) or pa.types.is_null(args[0].type)):
            binding, usage = None, "avg(number) -> DOUBLE"
    if binding is not None and name in ("min", "max") and family(binding.result) is Family.LIST:
        binding, usage = None, f"{name}(any but lists) -> any"
    if binding is None:
        types = ", ".join(sql_type_name(arg.type) for arg in args)
        raise InvalidQuery(f"no window function {name}({types})", hint=f"accepted: {usage}", position=at)
    cast = tuple(coerce(arg, type, at) for arg, type in zip(args, binding.args, strict=True))
    if name == "ntile" and isinstance(cast[0], Literal) and not cast[0].is_null and cast[0].value.as_py() < 1:
        raise InvalidQuery("ntile takes a number of buckets from 1 up", position=at)
    return WindowCall(name, cast, binding.result, frame, at)


def format_window_call(call: WindowCall) -> str:
    """The call as plans show it; the default frame is not said."""
    arguments = "*" if call.function == "count_star" else ", ".join(format_expression(arg) for arg in call.args)
    name = "count" if call.function == "count_star" else call.function
    return f"{name}({arguments}){format_frame(call.function, call.frame)}"


def format_frame(function: str, frame: Frame) -> str:
    """` rows 2 preceding to current`, or nothing where it is the default or does not matter."""
    entry = WINDOW_FUNCTIONS.get(function)
    if frame == DEFAULT_FRAME or (entry is not None and not entry.framed):
        return ""
    start = "first" if frame.start is None else _bound(frame.start)
    return f" {frame.unit.value} {start} to {'last' if frame.end is None else _bound(frame.end)}"


def _bound(offset: int) -> str:
    return "current" if offset == 0 else f"{abs(offset)} {'preceding' if offset < 0 else 'following'}"
