"""Predicates that may hold for one of two values that count as equal: as text, or by their sign, 0.0 and -0.0 differ; a month
and 30 days do, too. Below a grouping, or for another column of an equality, such a predicate would mean something else."""

from __future__ import annotations

import pyarrow as pa

from flightmesh.expression.nodes import Call, Column, Expression, InList, walk
from flightmesh.optimize.comparisons import COMPARISONS, NULL_SAFE

COMPARING = frozenset({*COMPARISONS, *NULL_SAFE, "is_null", "is_not_null"})
"""What says the same of equal values."""


def tells_equals_apart(part: Expression) -> bool:
    """Whether a predicate does, for any of its columns."""
    return any(tells_equals_of(part, column) for column in {node for node in walk(part) if isinstance(node, Column)})


def tells_equals_of(part: Expression, column: Column) -> bool:
    """Whether a predicate does, for one of its columns."""
    kind = column.type
    if not (pa.types.is_floating(kind) or pa.types.is_interval(kind) or pa.types.is_nested(kind)):
        return False
    compared = sum(
        column == side for node in walk(part) if isinstance(node, Call) and node.function in COMPARING for side in node.args
    ) + sum(node.operand == column for node in walk(part) if isinstance(node, InList))
    return compared < sum(node == column for node in walk(part))
