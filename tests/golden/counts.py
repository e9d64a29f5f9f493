"""What a plan has, counted: reads of tables, joins without keys, exchanges by kind.

Handed stage graphs; hands on numbers. What always holds: a join without keys is `cross` unless one
side gives at most one row whatever the data, or the query fails where it gives more: that one is `single`, and moves a value.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from flightmesh.logical.relations import JoinKind
from flightmesh.physical.operators import (
    GroupBy,
    HashJoin,
    LimitRows,
    Operator,
    ReadExchange,
    SortRows,
    TableScan,
    TopRows,
    ValuesRows,
    WindowRows,
    operator_inputs,
)
from flightmesh.physical.partitioning import Broadcast, Hash, RoundRobin
from flightmesh.physical.text import outline
from flightmesh.stage.graph import Edge, StageGraph
from tests.golden.ratchet import Figures, Ratchet


def counts(graph: StageGraph) -> Figures:
    """What a stage graph has of each column."""
    found: Counter[str] = Counter(stages=len(graph.stages))
    for stage in graph.stages:
        for _, node in outline(stage.root):
            found.update(_operator(node, graph))
    found.update(_exchange(edge) for edge in graph.edges if edge.consumer is not None)
    return {column: found[column] for column in COUNTS.columns}


def _operator(node: Operator, graph: StageGraph) -> list[str]:
    match node:
        case TableScan():
            return ["scans"]
        case HashJoin(keys=(), kind=kind):
            is_single = kind is JoinKind.SINGLE or _is_one_row(node.build, graph) or _is_one_row(node.probe, graph)
            return ["joins", "single" if is_single else "cross"]
        case HashJoin():
            return ["joins"]
        case GroupBy():
            return ["groups"]
        case WindowRows():
            return ["windows"]
        case SortRows() | TopRows():
            return ["sorts"]
        case _:
            return []


def _exchange(edge: Edge) -> str:
    match edge.partitioning:
        case Hash() | RoundRobin():
            return "shuffles"
        case Broadcast():
            return "broadcasts"
        case _:
            return "gathers"


def _is_one_row(node: Operator, graph: StageGraph) -> bool:
    """Whether an operator gives at most one row, of all tasks together."""
    match node:
        case ReadExchange(edge=number):
            return _is_one_row(graph.stage(graph.edge(number).producer).root, graph)
        case GroupBy(keys=keys):
            return not keys
        case LimitRows(count=count) if count is not None and count <= 1:
            return True
        case TopRows(count=count) if count <= 1:
            return True
        case ValuesRows(rows=rows):
            return bool(rows.num_rows <= 1)
        case HashJoin(kind=JoinKind.INNER, keys=()):
            return _is_one_row(node.probe, graph) and _is_one_row(node.build, graph)
        case HashJoin(kind=JoinKind.SEMI | JoinKind.ANTI | JoinKind.SINGLE | JoinKind.MARK):
            return _is_one_row(node.probe, graph)
        case _:
            inputs = operator_inputs(node)
            return len(inputs) == 1 and _is_one_row(inputs[0], graph)


COUNTS = Ratchet(
    Path(__file__).with_name("counts.txt"),
    ("scans", "joins", "cross", "single", "groups", "windows", "sorts", "stages", "shuffles", "broadcasts", "gathers"),
    lambda graph, _: counts(graph),
)
"""`shuffles` are exchanges by hash, and those dealt in turn; `gathers` bring all rows to one task."""
