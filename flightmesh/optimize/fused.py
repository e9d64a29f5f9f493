"""Several groupings without keys over the same rows under different filters, as one grouping.

Handed branches: the aggregates of each and what it keeps of rows that all read; hands on one relation with the aggregates of
all. Rows that no branch keeps are filtered out as early as can be (the branches' predicates under OR); which branch keeps a
row is said by FILTER, or, where no row can be kept by two, by a number that the rows are grouped by: then each aggregate is
computed once for all branches, DISTINCT included. What always holds: one row, that of the branches side by side, also
where a branch keeps nothing; what may fail is computed only of rows of its branch.

Fusing plans under compensating filters is after Bruno et al., "Computation Reuse via Fusion in Amazon Athena" (ICDE 2022).
"""

from __future__ import annotations

from dataclasses import replace

import pyarrow as pa

from flightmesh.dataclass import dataclass
from flightmesh.expression.nodes import AggregateCall, Case, Column, Expression, Field, Literal, When, conjunction
from flightmesh.expression.properties import may_fail
from flightmesh.expression.registry import bind_call
from flightmesh.logical.expressions import call_expressions
from flightmesh.logical.relations import Aggregate, AggregateItem, Item, Project, Relation
from flightmesh.optimize.booleans import joined, simplify_or_parts
from flightmesh.optimize.context import Context
from flightmesh.optimize.disjoint import are_disjoint
from flightmesh.optimize.estimate import estimate
from flightmesh.optimize.fragile import is_fragile
from flightmesh.optimize.nullability import NEVER_NULL_AGGREGATES
from flightmesh.optimize.pulling import empty_value
from flightmesh.optimize.push_filters import filtered_down, guarded
from flightmesh.optimize.redundant_aggregates import BLIND_TO_REPETITION

SEE_NULLS = frozenset({"first", "last", "list"})
"""Aggregates for which a row that FILTER leaves out cannot count as a NULL: their argument is computed of every row."""

NEARLY_ALL = 0.9
"""Share of the rows from which on keeping only what some branch keeps is not worth a filter."""

Predicates = tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Branch:
    """A grouping without keys: its aggregates over the rows for which the predicates hold."""

    aggregates: tuple[AggregateItem, ...]
    predicates: Predicates


def common_of(branches: list[Branch]) -> Predicates:
    """What every branch keeps to, as far as it may be asked first."""
    first, *others = branches
    return tuple(p for p in first.predicates if not is_fragile(p) and all(p in other.predicates for other in others))


def kept_by_some(rows: Relation, branches: list[Branch], common: Predicates) -> Relation:
    """The rows that some branch keeps, and perhaps others."""
    each = [tuple(p for p in branch.predicates if p not in common and not is_fragile(p)) for branch in branches]
    distinct = list(dict.fromkeys(each))
    some = (simplify_or_parts([joined("and", list(part)) for part in distinct]),) if all(distinct) else ()
    return filtered_down(rows, tuple(dict.fromkeys((*common, *some))))


def by_masks(rows: Relation, branches: list[Branch], common: Predicates) -> Aggregate | None:
    """Every branch's aggregates under its own FILTER; None where one cannot be computed so."""
    if not all(_goes_under_filter(item.call) for branch in branches for item in branch.aggregates):
        return None
    made: list[AggregateItem] = []
    for branch in branches:
        own = guarded(tuple(p for p in branch.predicates if p not in common))
        made.extend(AggregateItem(item.field, _under(item.call, own)) for item in branch.aggregates)
    return Aggregate(kept_by_some(rows, branches, common), (), tuple(made))


def _goes_under_filter(call: AggregateCall) -> bool:
    """DISTINCT of several arguments, which those of several filters are, is computed by one task."""
    if call.distinct and call.function not in BLIND_TO_REPETITION:
        return False
    return _is_guarded(call) or not any(map(may_fail, call_expressions(call)))


def _is_guarded(call: AggregateCall) -> bool:
    """Whether what the aggregate reads is computed only of rows for which its FILTER holds."""
    return len(call.args) == 1 and not call.order and call.function not in SEE_NULLS


def _under(call: AggregateCall, own: Predicates) -> AggregateCall:
    kept = conjunction(own if call.filter is None else (*own, call.filter))
    return replace(call, filter=kept)


def by_number(rows: Relation, branches: list[Branch], common: Predicates, context: Context) -> Relation | None:
    """The rows grouped by the number of their branch, and each branch's aggregates taken from its group; None where a row
    might be kept by two, or where something might fail."""
    each = [tuple(p for p in branch.predicates if p not in common) for branch in branches]
    numbers = list(dict.fromkeys(each))
    calls = [item.call for branch in branches for item in branch.aggregates]
    if not all(numbers) or any(may_fail(e) for part in numbers for e in part) or not _all_disjoint(numbers):
        return None
    if any(may_fail(e) for call in calls for e in call_expressions(call)) or any(pa.types.is_nested(c.type) for c in calls):
        return None
    whens = tuple(When(joined("and", list(part)), _number(place)) for place, part in enumerate(numbers))
    key = Field(context.ids.fresh(), "branch", pa.int32())
    fields = {call: Field(context.ids.fresh(), call.function, call.type) for call in calls}
    group = Item(key, Case(whens, None, key.type))
    items = tuple(AggregateItem(field, call) for call, field in fields.items())
    whole = filtered_down(rows, common)
    parts = (filtered_down(rows, (*common, *part)) for part in numbers)
    nearly_all = sum(estimate(part, context).rows for part in parts) > NEARLY_ALL * estimate(whole, context).rows
    grouped = Aggregate(whole if nearly_all else kept_by_some(rows, branches, common), (group,), items)
    picked: list[AggregateItem] = []
    shown: list[Item] = []
    for branch, own in zip(branches, each, strict=True):
        mine = bind_call("equal", (key.column(), _number(numbers.index(own))))
        for item in branch.aggregates:
            value = fields[item.call].column()
            found = Field(context.ids.fresh(), item.field.name, item.field.type)
            picked.append(AggregateItem(found, AggregateCall("any_value", (value,), value.type, filter=mine)))
            shown.append(Item(item.field, _or_nothing(found.column(), item)))
    return Project(Aggregate(grouped, (), tuple(picked)), tuple(shown))


def _number(place: int) -> Literal:
    return Literal(pa.scalar(place, pa.int32()))


def _or_nothing(found: Column, item: AggregateItem) -> Expression:
    """A branch that keeps no row has no group: its counts are 0."""
    if item.call.function not in NEVER_NULL_AGGREGATES:
        return found
    return bind_call("coalesce", (found, empty_value(item.field, item.call.function)))


def _all_disjoint(numbers: list[Predicates]) -> bool:
    return all(are_disjoint(a, b) or are_disjoint(b, a) for place, a in enumerate(numbers) for b in numbers[:place])
