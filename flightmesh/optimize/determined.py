"""Which columns of joined tables a column determines, because it is proved to be a key of one of them.

Handed the leaves of inner joins; hands on the columns that are the same in all rows that agree in the given one, each with the
reading that gives it for one value. What always holds: a key is one by proof (`Context.is_unique`), never by estimate; a table
whose key is known gives exactly one row for it, whatever its filters and the joins above keep.
"""

from __future__ import annotations

import pyarrow as pa

from flightmesh.dataclass import dataclass
from flightmesh.expression.nodes import Column, Field
from flightmesh.ids import ColumnId
from flightmesh.logical.relations import Scan
from flightmesh.optimize.context import Context
from flightmesh.optimize.join_graph import JoinGraph


@dataclass(frozen=True, slots=True)
class Step:
    """A table of which one row is known: the one whose `key` is what `known`, an earlier column, is."""

    scan: Scan
    key: Field
    known: ColumnId


def determined(column: Column, graph: JoinGraph, context: Context) -> list[Step]:
    """The tables whose rows a value of the column determines, each after those that its own key comes from."""
    equal = _equal_columns(graph)
    known = dict.fromkeys(equal.get(column.id, frozenset({column.id})), column.id)
    steps: list[Step] = []
    left = [leaf for place, leaf in enumerate(graph.leaves) if place not in graph.memberships and isinstance(leaf, Scan)]
    while True:
        found = next((step for scan in left if (step := _step(scan, known, context)) is not None), None)
        if found is None:
            return steps
        steps.append(found)
        left.remove(found.scan)
        for f in found.scan.fields:
            for c in equal.get(f.id, frozenset({f.id})):
                known.setdefault(c, f.id)


def _step(scan: Scan, known: dict[ColumnId, ColumnId], context: Context) -> Step | None:
    for f in scan.fields:
        if f.id in known and pa.types.is_integer(f.type) and context.is_unique(scan.table, f.name):
            return Step(scan, f, known[f.id])
    return None


def _equal_columns(graph: JoinGraph) -> dict[ColumnId, frozenset[ColumnId]]:
    """For each column, those of its type that inner joins have compared with it: none of them is NULL there."""
    found: dict[ColumnId, frozenset[ColumnId]] = {}
    for members in graph.classes:
        for _, column in members:
            found[column.id] = frozenset(other.id for _, other in members if other.type == column.type)
    return found
