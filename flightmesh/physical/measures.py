"""Which primitive aggregates there are, how partial results are merged, and what an aggregate call reads.

Handed aggregate calls; hands on the expressions of their arguments, and the measures of a second phase. What always holds: a
row that FILTER leaves out, or an aggregate of pairs that has a NULL in the pair, is NULL to the measures that leave NULLs out.
"""

from __future__ import annotations

import pyarrow as pa

from flightmesh.dataclass import dataclass
from flightmesh.expression.nodes import AggregateCall, Case, Column, Expression, Field, Literal, When, conjunction
from flightmesh.expression.registry import bind_call
from flightmesh.physical.operators import ColumnOrder, Measure

MERGED_BY = {
    "sum": "sum",
    "count": "sum_count",
    "count_star": "sum_count",
    "sum_count": "sum_count",
    "min": "min",
    "max": "max",
    "any_value": "any_value",
    "list": "merge_list",
    "merge_list": "merge_list",
    "bool_and": "bool_and",
    "bool_or": "bool_or",
    "bit_and": "bit_and",
    "bit_or": "bit_or",
    "bit_xor": "bit_xor",
    "product": "product",
    "arg_min": "arg_min",
    "arg_max": "arg_max",
    "mean": "merge_mean",
    "merge_mean": "merge_mean",
    "squares": "merge_squares",
    "merge_squares": "merge_squares",
    "products": "merge_products",
    "merge_products": "merge_products",
    "cubes": "merge_cubes",
    "merge_cubes": "merge_cubes",
    "fourths": "merge_fourths",
    "merge_fourths": "merge_fourths",
    "careful_sum": "careful_sum",
    "distinct_sketch": "merge_distinct_sketch",
    "merge_distinct_sketch": "merge_distinct_sketch",
    "quantile_sketch": "merge_quantile_sketch",
    "merge_quantile_sketch": "merge_quantile_sketch",
}
"""Primitive aggregates and how their partial results are merged."""

EXTREME_ROWS = {"arg_min": "min", "arg_max": "max", "arg_min_null": "min", "arg_max_null": "max"}
"""Aggregates that take a value from the row with an extreme key, and that extreme."""

DUPLICATE_BLIND = frozenset(
    {"min", "max", "any_value", "bool_and", "bool_or", "bit_and", "bit_or", "approx_count_distinct", *EXTREME_ROWS}
)
"""Aggregates for which DISTINCT changes nothing."""

COLLECTED_WITH_CONSTANT = frozenset({"quantile_cont", "quantile_disc", "string_agg"})

WITH_CONSTANT = COLLECTED_WITH_CONSTANT | {"approx_quantile"}
"""Aggregates whose last argument is a constant."""

COLLECTED = COLLECTED_WITH_CONSTANT | {"first", "last", "mode", "entropy", "mad"}
"""Aggregates whose state is the group's rows: not merged, so the rows of a group are brought together first."""

NULLS_COUNT = frozenset({"first", "last", "list"})
"""Aggregates that see NULLs too, so that FILTER has to leave out rows."""

PAIRED = frozenset({"covar_pop", "covar_samp", "corr", *(f"regr_{n}" for n in (
    "slope", "intercept", "r2", "avgx", "avgy", "sxx", "syy", "sxy", "count"))})  # fmt: skip
"""Aggregates of two columns that leave out rows with a NULL in either."""


@dataclass(frozen=True, slots=True)
class Argument:
    """What an aggregate reads: columns of the grouping's input, and the one that says which rows count, if that is not in
    them."""

    call: AggregateCall
    result: Field
    columns: tuple[Column, ...]
    where: Column | None = None
    order: tuple[ColumnOrder, ...] = ()

    @property
    def column(self) -> Column | None:
        """The first column."""
        return self.columns[0] if self.columns else None


def need_all_rows(measures: tuple[Measure, ...]) -> bool:
    """Whether all rows of a group have to be together before some of these can be computed."""
    return any(m.distinct or m.order or m.function not in MERGED_BY for m in measures)


def merged(measures: tuple[Measure, ...]) -> tuple[Measure, ...]:
    """The measures that merge the partial results of `measures`, under the same ids."""
    return tuple(
        Measure(m.field, MERGED_BY[m.function], m.field.column(), more=m.partners, partners=m.partners) for m in measures
    )


def is_mergeable(call: AggregateCall) -> bool:
    """Whether the aggregate can be computed in two phases."""
    return call.function not in COLLECTED and not call.order and not (call.function == "list" and call.distinct)


def argument_expressions(call: AggregateCall) -> tuple[Expression, ...]:
    """What the measures of a call read: its arguments, NULL for rows that do not count; nothing for an unfiltered count(*)."""
    if call.function in PAIRED:
        return _paired(call)
    if call.function in EXTREME_ROWS:
        return _value_and_key(call)
    if call.function in WITH_CONSTANT:
        return (_where(call.filter, call.args[0]),)
    if call.function == "geomean":
        return (_where(call.filter, bind_call("ln", call.args)),)
    if call.filter is None or call.function in NULLS_COUNT:
        return call.args
    if len(call.args) > 1:  # the first says of a row whether it counts
        return tuple(_where(call.filter, value) for value in (Literal(pa.scalar(True)), *call.args))
    return (_where(call.filter, call.args[0] if call.args else Literal(pa.scalar(True))), *call.args[1:])


def rows_condition(call: AggregateCall) -> Expression | None:
    """The FILTER of an aggregate that sees NULLs: not in its arguments, so that rows have to be left out."""
    return call.filter if call.function in NULLS_COUNT else None


def _where(condition: Expression | None, value: Expression) -> Expression:
    return value if condition is None else Case((When(condition, value),), None, value.type)


def _paired(call: AggregateCall) -> tuple[Expression, ...]:
    first, second = call.args
    kept = () if call.filter is None else (call.filter,)
    return (
        _where(conjunction((bind_call("is_not_null", (second,)), *kept)), first),
        _where(conjunction((bind_call("is_not_null", (first,)), *kept)), second),
    )


def _value_and_key(call: AggregateCall) -> tuple[Expression, ...]:
    value, key = call.args
    kept = () if call.filter is None else (call.filter,)
    sees_null = call.function.endswith("_null")
    return value, _where(conjunction(kept if sees_null else (bind_call("is_not_null", (value,)), *kept)), key)
