"""The text form of a stage graph."""

from __future__ import annotations

from collections.abc import Callable

from flightmesh.physical.operators import Operator
from flightmesh.physical.text import describe, format_dynamic, format_partitioning, outline
from flightmesh.stage.graph import Stage, StageGraph


def format_stages(graph: StageGraph) -> str:
    """Every stage with its operators, in the order in which they are scheduled, each said where its rows go."""
    return format_stages_with(graph, lambda stage, number, node: describe(node))


def format_stages_with(graph: StageGraph, line: Callable[[Stage, int, Operator], str]) -> str:
    """The same, with `line(stage, operator's number in pre-order, operator)` saying each operator: `analyze` adds figures."""
    parts = []
    for stage in graph.stages:
        tasks = "1 task" if stage.tasks == 1 else f"{stage.tasks} tasks"
        parts.append(f"Stage {stage.id}: {tasks}{_outputs(graph, stage)}")
        for number, (depth, node) in enumerate(outline(stage.root, 1)):
            parts.append(f"{'  ' * depth}{line(stage, number, node)}")
    return "\n".join(parts)


def _outputs(graph: StageGraph, stage: Stage) -> str:
    said = []
    for number in stage.outputs:
        edge = graph.edge(number)
        target = "client" if edge.consumer is None else f"stage {edge.consumer}"
        made = format_dynamic("makes", edge.filters)
        said.append(f" -> edge {edge.id} {format_partitioning(edge.partitioning)} to {target}{made}")
    return ",".join(said)
