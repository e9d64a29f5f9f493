"""What it costs to compute a relation, roughly: rows that are read, compared, built into tables and given.

Handed a relation; hands on a number to compare with others of its kind. What always holds: an order of joins need not have
been chosen, because regions of joins are counted by their leaves and their result.
"""

from __future__ import annotations

from flightmesh.logical.relations import (
    Aggregate,
    Apply,
    Expand,
    Filter,
    Join,
    Limit,
    Project,
    Recursion,
    Reference,
    Relation,
    Scan,
    SetOperation,
    Sort,
    Unnest,
    Values,
    Window,
    With,
    Working,
)
from flightmesh.logical.traversal import inputs
from flightmesh.optimize.column_estimate import table_rows
from flightmesh.optimize.context import Context
from flightmesh.optimize.estimate import TURNS, estimate
from flightmesh.optimize.join_graph import is_region

READ = 0.2
"""Of a value of a table's column."""
FILTER = 0.2
JOIN = 1.5
GROUP = 3.0
ORDER = 5.0
KEPT = 1.0
"""Of a row that is kept for several readers, and of one that is read of those."""


def work(relation: Relation, context: Context) -> float:
    """The cost of computing the relation once."""
    match relation:
        case Scan():
            columns = len(relation.fields) + len(relation.filter_only)
            read = READ * (1 + columns) * table_rows(context.statistics(relation.table), relation.table)
            return read if relation.limit is None else min(read, float(relation.limit))
        case Values() | Apply() | Working() | With():
            return 0.0
        case Recursion(seed=seed, step=step):
            return work(seed, context) + TURNS * work(step, context)
        case Reference():
            return KEPT * estimate(relation, context).rows
        case Filter(input=child) | Project(input=child) | Limit(input=child):
            return work(child, context) + FILTER * estimate(child, context).rows
        case Aggregate(input=child):
            return work(child, context) + GROUP * estimate(child, context).rows
        case Window(input=child) | Sort(input=child):
            return work(child, context) + ORDER * estimate(child, context).rows
        case Expand() | Unnest():
            return work(relation.input, context) + estimate(relation, context).rows
        case SetOperation(inputs=parts):
            return sum(work(part, context) for part in parts)
        case Join(left=left, right=right):
            own = estimate(relation, context).rows
            return own + sum(work(part, context) + JOIN * estimate(part, context).rows for part in _leaves((left, right)))


def _leaves(parts: tuple[Relation, ...]) -> list[Relation]:
    """The inputs of a region of joins, in whatever order they will be joined."""
    found: list[Relation] = []
    for part in parts:
        found.extend(_leaves(inputs(part)) if is_region(part) else [part])
    return found
