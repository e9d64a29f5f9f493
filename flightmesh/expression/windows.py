"""The window functions: names and type rules. Aggregates are window functions too, by the rules of `aggregates`.

Handed a name, typed arguments and a frame; hands on a typed call. What always holds: a function that sees the whole partition
has the default frame, whatever was written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import field, replace

import pyarrow as pa

from flightmesh.dataclass import dataclass
from flightmesh.errors import InternalError, InvalidQuery, Position
from flightmesh.expression.frames import DEFAULT_FRAME, Frame, format_frame
from flightmesh.expression.functions.declare import Binding
from flightmesh.expression.nodes import AggregateCall, Expression, Literal, SortKey
from flightmesh.expression.registry import coerce
from flightmesh.expression.text import format_aggregate, format_expression, format_sort_key
from flightmesh.expression.types import normal_type, sql_type_name

Rule = Callable[[Sequence[Expression]], Binding | None]


@dataclass(frozen=True, slots=True)
class WindowCall:
    """A window function or an aggregate over a frame. `args` have exactly the types that the kernel takes.

    `bounds`: what the frame's bounds read. `distinct` and `filter` are an aggregate's, `order` its own too or that of
    first_value and its kin, `skips_nulls` that of a function that gives the value of a row.
    """

    function: str
    args: tuple[Expression, ...]
    type: pa.DataType
    frame: Frame = DEFAULT_FRAME
    at: Position | None = field(default=None, compare=False)
    bounds: tuple[Expression, ...] = ()
    distinct: bool = False
    filter: Expression | None = None
    order: tuple[SortKey, ...] = ()
    skips_nulls: bool = False

    def __post_init__(self) -> None:
        if len(self.bounds) != self.frame.varying:
            raise InternalError(
                f"{self.function} has {len(self.bounds)} expressions for bounds, and its frame {self.frame.varying}"
            )

    @property
    def aggregate(self) -> AggregateCall:
        """The same over the rows of a group, where it is an aggregate."""
        return AggregateCall(self.function, self.args, self.type, self.distinct, self.filter, self.at, self.order)

    @property
    def parts(self) -> tuple[Expression, ...]:
        """All expressions that it reads."""
        kept = () if self.filter is None else (self.filter,)
        return (*self.args, *self.bounds, *kept, *(key.expression for key in self.order))

    def with_parts(self, parts: Iterable[Expression]) -> WindowCall:
        """The same call over other expressions, given as `parts` lists them."""
        rest = iter(parts)
        args = tuple(next(rest) for _ in self.args)
        bounds = tuple(next(rest) for _ in self.bounds)
        kept = None if self.filter is None else next(rest)
        order = tuple(replace(key, expression=next(rest)) for key in self.order)
        return replace(self, args=args, bounds=bounds, filter=kept, order=order)


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

NULLS_MATTER = frozenset({"lag", "lead", "first_value", "last_value", "nth_value"})
"""The functions that IGNORE NULLS says something to."""

NEVER_NULL = frozenset({"row_number", "rank", "dense_rank", "percent_rank", "cume_dist", "count", "count_star"})


def bind_window(
    name: str,
    args: Sequence[Expression],
    frame: Frame,
    at: Position | None = None,
    bounds: tuple[Expression, ...] = (),
    skips_nulls: bool = False,
    order: tuple[SortKey, ...] = (),
) -> WindowCall:
    """A typed call of a function of WINDOW_FUNCTIONS."""
    entry = WINDOW_FUNCTIONS[name]
    binding = entry.rule(args)
    if binding is None:
        types = ", ".join(sql_type_name(arg.type) for arg in args)
        raise InvalidQuery(f"no window function {name}({types})", hint=f"accepted: {entry.usage}", position=at)
    cast = tuple(coerce(arg, type, at) for arg, type in zip(args, binding.args, strict=True))
    if name == "ntile" and isinstance(cast[0], Literal) and not cast[0].is_null and cast[0].value.as_py() < 1:
        raise InvalidQuery("ntile takes a number of buckets from 1 up", position=at)
    if not entry.framed:
        frame, bounds = DEFAULT_FRAME, ()
    return WindowCall(name, cast, binding.result, frame, at, bounds, order=order, skips_nulls=skips_nulls)


def over_frame(call: AggregateCall, frame: Frame, bounds: tuple[Expression, ...]) -> WindowCall:
    """An aggregate over frames."""
    order = call.order
    return WindowCall(call.function, call.args, call.type, frame, call.at, bounds, call.distinct, call.filter, order)


def format_window_call(call: WindowCall) -> str:
    """The call as plans show it; the default frame is not said."""
    frame = format_frame(call.frame, [format_expression(part) for part in call.bounds])
    if call.function not in WINDOW_FUNCTIONS:
        return f"{format_aggregate(call.aggregate)}{frame}"
    arguments = ", ".join(format_expression(arg) for arg in call.args)
    order = f" ORDER BY {', '.join(format_sort_key(key) for key in call.order)}" if call.order else ""
    return f"{call.function}({arguments}{order}{' IGNORE NULLS' if call.skips_nulls else ''}){frame}"
