"""Binds the frames of windows: ROWS, RANGE and GROUPS between bounds, and what is excluded.

Handed a binder, the node of the frame and the window's bound order; hands on the frame and the expressions that its bounds
read. What always holds: a distance below 0 that is written as a constant is refused where DuckDB refuses it (RANGE and
GROUPS); one that is computed is refused when it is met.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import pyarrow as pa
from sqlglot import exp

from flightmesh.errors import DataError, InvalidQuery
from flightmesh.expression.frames import CURRENT, DEFAULT_FRAME, UNBOUNDED, Bound, Exclude, Frame, FrameUnit, Side
from flightmesh.expression.lower import compile_expressions
from flightmesh.expression.nodes import Expression, Literal, SortKey, columns_of
from flightmesh.expression.registry import bind_call, bind_cast, coerce, unify
from flightmesh.expression.types import Family, family, is_numeric, sql_type_name
from flightmesh.frontend.sql.source import Source

Bind: TypeAlias = Callable[[exp.Expr], Expression]
Bounds: TypeAlias = tuple[Expression, ...]

_TURNED = "write PRECEDING for FOLLOWING or the reverse"
_ONE_ROW = pa.RecordBatch.from_pydict({"row": [0]})


def frame(
    spec: exp.Expr | None, node: exp.Expr, order: tuple[SortKey, ...], bind: Bind, source: Source
) -> tuple[Frame, Bounds]:
    """The frame, and what its bounds read: of RANGE the order's key, then the value that each bound is at."""
    if spec is None:
        return DEFAULT_FRAME, ()
    place = spec if source.has_place(spec) else node
    unit = FrameUnit[str(spec.args.get("kind") or "ROWS").upper()]
    start, end = _side(spec, "start", place, source), _side(spec, "end", place, source)
    _refuse_empty(start, end, place, source)
    distances = tuple(
        spec.args[which] for which, side in (("start", start), ("end", end)) if side in (Side.PRECEDING, Side.FOLLOWING)
    )
    exclude = spec.args.get("exclude")
    excluded = Exclude.NO_OTHERS if exclude is None else Exclude(exclude.name.lower())
    if unit is FrameUnit.RANGE:
        sides = tuple(side for side in (start, end) if side in (Side.PRECEDING, Side.FOLLOWING))
        bounds = _values(sides, distances, order, place, bind, source)
        return Frame(unit, _bound(start), _bound(end), excluded), bounds
    rest = iter([_distance(unit, distance, bind, source) for distance in distances])
    made: list[Bound] = []
    read: list[Expression] = []
    for side in (start, end):
        if side in (Side.PRECEDING, Side.FOLLOWING):
            distance = next(rest)
            made.append(Bound(side, distance if isinstance(distance, int) else None))
            read += [] if isinstance(distance, int) else [distance]
        else:
            made.append(_bound(side))
    return Frame(unit, made[0], made[1], excluded), tuple(read)


def _bound(side: Side) -> Bound:
    return {Side.UNBOUNDED: UNBOUNDED, Side.CURRENT: CURRENT}.get(side) or Bound(side)


def _side(spec: exp.Expr, which: str, place: exp.Expr, source: Source) -> Side:
    value, side = spec.args.get(which), str(spec.args.get(f"{which}_side") or "").upper()
    if value is None:
        return Side.CURRENT
    if not isinstance(value, str):
        return Side[side]
    if value.upper() == "CURRENT ROW":
        return Side.CURRENT
    if (side == "FOLLOWING") == (which == "start"):
        raise source.error(f"the frame's {which} cannot be UNBOUNDED {side}", place)
    return Side.UNBOUNDED


def _refuse_empty(start: Side, end: Side, place: exp.Expr, source: Source) -> None:
    order = (Side.PRECEDING, Side.CURRENT, Side.FOLLOWING)
    if start in order and end in order and order.index(start) > order.index(end):
        raise source.error("the frame ends before it starts", place, "write the bound that comes first first")


def _distance(unit: FrameUnit, node: exp.Expr, bind: Bind, source: Source) -> int | Expression:
    """How many rows or groups, or the expression that says it for each row."""
    given = _constant(bind(node))
    if family(given.type) not in (Family.INTEGER, Family.DECIMAL, Family.FLOAT, Family.STRING, Family.NULL):
        raise source.error(
            f"a frame counts {unit.value}, not {sql_type_name(given.type)}", node, "write a whole number, or RANGE for values"
        )
    if not isinstance(given, Literal):
        return coerce(given, pa.int64()) if family(given.type) is Family.INTEGER else bind_cast(given, pa.int64())
    if given.is_null:
        raise source.error("a frame's distance cannot be NULL", node)
    try:
        number = _constant(bind_cast(given, pa.int64()))
    except (DataError, InvalidQuery) as error:
        raise source.error(f"a frame's distance is a number of {unit.value}: {error.message}", node) from None
    assert isinstance(number, Literal)
    distance = int(number.value.as_py())
    if distance < 0 and unit is not FrameUnit.ROWS:
        raise source.error(
            f"a frame's distance in {unit.value} is below 0", node, "write PRECEDING for FOLLOWING or the reverse"
        )
    return distance


def _values(
    sides: tuple[Side, ...],
    distances: tuple[exp.Expr, ...],
    order: tuple[SortKey, ...],
    place: exp.Expr,
    bind: Bind,
    source: Source,
) -> Bounds:
    """The order's key and the values of it where the bounds are, all of one type."""
    if not distances:
        return ()
    if len(order) != 1:
        hint = "write one key in ORDER BY, or ROWS or GROUPS for the frame"
        raise source.error(f"RANGE with a distance needs one ORDER BY key, and here are {len(order)}", distances[0], hint)
    key = order[0].expression
    if family(key.type) is Family.INTEGER and key.type.bit_width < 64:
        key = coerce(key, pa.int64())  # the value of a bound may lie past what the key's own type holds
    values = []
    for side, node in zip(sides, distances, strict=True):
        distance = _constant(bind(node))
        near = node if source.has_place(node) else place
        if isinstance(distance, Literal):
            _check(distance, near, source)
        operator = "subtract" if (side is Side.PRECEDING) != order[0].descending else "add"
        try:
            values.append(bind_call(operator, (key, distance), source.position(near)))
        except InvalidQuery:
            types = f"{sql_type_name(distance.type)} from a key of type {sql_type_name(key.type)}"
            hint = "the key is a number, or a date or time with an INTERVAL; ROWS and GROUPS take any key"
            raise source.error(f"RANGE cannot reach over {types}", near, hint) from None
    return unify((key, *values), "the bounds of a frame")


def _check(distance: Literal, node: exp.Expr, source: Source) -> None:
    """Refuses NULL and what is plainly below 0."""
    if distance.is_null:
        raise source.error("a frame's distance cannot be NULL", node)
    value = distance.value.as_py()
    parts = (value.months, value.days, value.nanoseconds) if pa.types.is_interval(distance.type) else ()
    if (is_numeric(distance.type) and value < 0) or (parts and max(parts) <= 0 and any(parts)):
        raise source.error("a frame's distance in RANGE is below 0", node, _TURNED)


def _constant(bound: Expression) -> Expression:
    """The value of what reads no column."""
    if isinstance(bound, Literal) or columns_of(bound):
        return bound
    return Literal(compile_expressions([bound]).run(_ONE_ROW)[0][0])
