"""Whether computing a relation twice certainly gives the same rows twice, and whether it gives the same to two readers.

Handed a relation; hands on facts. What always holds: a doubt is answered with no.
"""

from __future__ import annotations

import pyarrow as pa

from flightmesh.expression.properties import is_volatile
from flightmesh.logical.relations import Aggregate, AggregateItem, Limit, Relation, Window
from flightmesh.logical.traversal import expressions, walk

SAME_IN_ANY_ORDER = frozenset(
    {"count", "count_star", "min", "max", "bool_and", "bool_or", "bit_and", "bit_or", "bit_xor", "sum", "avg"}
)
"""Aggregates that do not depend on the order in which rows come; sums and averages only where they are exact."""


def is_volatile_relation(relation: Relation) -> bool:
    """Whether anything in it may differ from one evaluation to the next (random()): two of these are never one."""
    return any(is_volatile(part) for node in walk(relation) for part in expressions(node))


def is_repeatable(relation: Relation) -> bool:
    """Whether a second computation gives the same rows: nothing random, no choice among rows (a limit, ties of a ranking),
    no sum of floats, whose last digits depend on the order."""
    return not is_volatile_relation(relation) and all(_repeats(node) for node in walk(relation))


def _repeats(node: Relation) -> bool:
    match node:
        case Limit():
            return False
        case Aggregate(aggregates=items):
            return all(map(_is_exact, items))
        case Window():
            return False
        case _:
            return True


def _is_exact(item: AggregateItem) -> bool:
    call = item.call
    if call.function not in SAME_IN_ANY_ORDER:
        return False
    return call.function not in ("sum", "avg") or not any(pa.types.is_floating(arg.type) for arg in call.args)
