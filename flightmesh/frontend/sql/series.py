"""Binds `range` and `generate_series` in FROM: a table of whole numbers.

Handed the call; hands on one BIGINT column, named for the function. What always holds: the plan stays small however many
numbers there are: past one block they are the digits of a number in base 4096, joined and cut at the count.
"""

from __future__ import annotations

import pyarrow as pa
from sqlglot import exp

from flightmesh.expression.nodes import Call, Column, Expression, Field, Literal
from flightmesh.expression.types import sql_type_name
from flightmesh.frontend.sql.constants import constant_value
from flightmesh.frontend.sql.context import Bound, Context
from flightmesh.logical.relations import Filter, Item, Join, JoinKind, Project, Relation, Values

BLOCK = 4096
MOST_ROWS = BLOCK**4
INT = pa.int64()
_ARGUMENTS = (("start", 0), ("end", None), ("step", 1))


def bind_series(call: exp.GenerateSeries, node: exp.Expr, context: Context) -> tuple[Bound, str]:
    """The numbers from the start on; `range` ends before its end, `generate_series` may reach it. A NULL makes no rows."""
    name = "range" if call.args.get("is_end_exclusive") else "generate_series"
    given = [_argument(call.args.get(key), default, name, node, context) for key, default in _ARGUMENTS]
    field = Field(context.state.ids.fresh(), name, INT, False)
    start, end, step = given
    if start is None or end is None or step is None:
        return Bound(_values(field, []), (field,)), name
    if step == 0:
        raise context.source.error(f"the step of {name} is 0", node)
    last = end - (1 if step > 0 else -1) if name == "range" else end
    count = max((last - start) // step + 1, 0)
    if count > MOST_ROWS:
        raise context.source.error(f"{name} would give {count} rows", node, f"it gives at most {MOST_ROWS}")
    if count <= BLOCK:
        return Bound(_values(field, [start + i * step for i in range(count)]), (field,)), name
    numbers, number = _numbers(count, context)
    value = _plus(Literal(pa.scalar(start, INT)), Call("multiply", (number, Literal(pa.scalar(step, INT))), INT))
    return Bound(Project(numbers, (Item(field, value),)), (field,)), name


def is_of_numbers(call: exp.GenerateSeries) -> bool:
    """Whether its arguments are constants that are no dates: those of a table that `bind_series` makes of digits."""
    parts = [part for key, _ in _ARGUMENTS if (part := call.args.get(key)) is not None]
    return not any(isinstance(node, _OTHER) or _is_moment(node) for part in parts for node in part.walk())


_OTHER = (exp.Column, exp.Query, exp.Interval, exp.CurrentDate, exp.CurrentTimestamp)


def _is_moment(node: exp.Expr) -> bool:
    return isinstance(node, exp.Cast) and node.args["to"].this in exp.DataType.TEMPORAL_TYPES


def _numbers(count: int, context: Context) -> tuple[Relation, Column]:
    """The numbers from 0 to below `count`, highest digit first, so that the first join has the fewest rows."""
    place = BLOCK
    while place * BLOCK < count:
        place *= BLOCK
    column = Field(context.state.ids.fresh(), "number", INT, False)
    relation: Relation = _values(column, range(0, count, place))
    while place > 1:
        digit = Field(context.state.ids.fresh(), "digit", INT, False)
        pairs = Join(relation, _values(digit, range(0, place, place // BLOCK)), JoinKind.INNER)
        wider = Field(context.state.ids.fresh(), "number", INT, False)
        summed = Project(pairs, (Item(wider, _plus(column.column(), digit.column())),))
        relation = Filter(summed, Call("less", (wider.column(), Literal(pa.scalar(count, INT))), pa.bool_()))
        column, place = wider, place // BLOCK
    return relation, column.column()


def _plus(a: Expression, b: Expression) -> Call:
    return Call("add", (a, b), INT)


def _values(field: Field, numbers: list[int] | range) -> Values:
    return Values((field,), pa.RecordBatch.from_arrays([pa.array(numbers, INT)], names=[field.key]))


def _argument(node: exp.Expr | None, default: int | None, name: str, call: exp.Expr, context: Context) -> int | None:
    if node is None:
        if default is None:
            raise context.source.error(f"{name} needs an end", call, f"{name}(1, 10)")
        return default
    if any(isinstance(part, exp.Column | exp.Query) for part in node.walk()):
        raise context.source.unsupported(f"{name} of what is not constant", node)
    value = constant_value(node, name, context)
    if value is None:
        raise context.source.unsupported(f"{name} of what is not constant", node)
    if not value.is_valid:
        return None
    if pa.types.is_temporal(value.type) or pa.types.is_interval(value.type):
        raise context.source.unsupported(f"{name} of {sql_type_name(value.type)}", node)
    if not pa.types.is_integer(value.type):
        raise context.source.error(f"{name} takes whole numbers, not {sql_type_name(value.type)}", node, "cast it to BIGINT")
    return int(value.as_py())
