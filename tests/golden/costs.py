"""What a plan is expected to do, in numbers: bytes that scans read, rows that operators take in, what is exchanged.

Handed stage graphs; hands on figures. What always holds: nothing is run. Bytes to read are those of the columns in the row
groups that statistics leave; the rest are the planner's own estimates, so that a plan that got worse is seen, and no clock is.
Filters that come while a query runs count for nothing.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from flightmesh.catalog.formats.parquet import footer
from flightmesh.catalog.scan import splits
from flightmesh.catalog.table import FileSplit, FileTable
from flightmesh.fragment.join_build import expected_rows
from flightmesh.optimize.column_estimate import width_of
from flightmesh.physical.operators import Operator, TableScan, operator_inputs
from flightmesh.physical.partitioning import Broadcast
from flightmesh.physical.text import outline
from flightmesh.stage.graph import Edge, StageGraph
from tests.golden.plans import Place
from tests.golden.ratchet import Figures, Ratchet

WORKERS = {Place.EMBEDDED: 1, Place.MESH: 3}


def costs(graph: StageGraph, place: Place) -> Figures:
    """The figures of a stage graph."""
    found: Counter[str] = Counter()
    for stage in graph.stages:
        for _, node in outline(stage.root):
            if isinstance(node, TableScan):
                found["read_kib"] += _read(node)
            found["rows"] += sum(_rows(part) for part in operator_inputs(node))
    for edge in graph.edges:
        if edge.consumer is not None:
            rows = _moved(edge, graph) * (WORKERS[place] if isinstance(edge.partitioning, Broadcast) else 1)
            found["moved_rows"] += rows
            found["moved_kib"] += (
                round(rows * sum(width_of(field.type) for field in graph.stage(edge.producer).root.fields)) >> 10
            )
    return {column: found[column] for column in COSTS.columns}


def _read(node: TableScan) -> int:
    table = node.table
    assert isinstance(table, FileTable)
    size = 0
    for split in splits(table, node.filters, node.columns):
        assert isinstance(split, FileSplit)
        known = footer(table.storage, table.files[split.file])
        size += sum(known.chunk_bytes(piece, column.name) for piece in split.pieces for column in node.columns)
    return size >> 10


def _moved(edge: Edge, graph: StageGraph) -> int:
    return _rows(graph.stage(edge.producer).root)


def _rows(node: Operator) -> int:
    """Rows that the planner expects of an operator, those of its inputs where it says nothing of its own."""
    rows = expected_rows(node)
    return sum(_rows(part) for part in operator_inputs(node)) if rows is None else round(rows)


COSTS = Ratchet(Path(__file__).with_name("costs.txt"), ("read_kib", "rows", "moved_rows", "moved_kib"), costs, slack=0.01)
"""`rows`: taken in by all operators together. `moved`: over exchanges, once for each worker where a mesh broadcasts."""
