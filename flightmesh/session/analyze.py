"""The text of `analyze`: the stages of a job that has run, each operator's estimate beside what happened.

Handed a graph and the record of a job; hands on text. Figures of an operator are summed over the tasks of its stage:
`rows`, batches and bytes are its output, `cpu` its own time on a core, `wait` its own time off it; an estimate that is far off
is said to be, and what dynamic filters have pruned. Where the job ran on a mesh, each
task has a line of its own: where and when it ran, what it took in from other workers, how long it stood for want of credit,
what was spilled.
"""

from __future__ import annotations

from collections.abc import Iterable

from flightmesh.driver.record import EdgeRecord, JobRecord, StageRecord, TaskRecord
from flightmesh.driver.transitions import TaskPhase
from flightmesh.errors import InternalError
from flightmesh.exchange.budget import format_bytes
from flightmesh.fragment.bounded_scan import GROUPS_BEHIND
from flightmesh.fragment.dynamic_filters import GROUPS_SPARED, ROWS_SPARED
from flightmesh.ids import EdgeId, StageId
from flightmesh.physical.operators import Operator
from flightmesh.physical.text import describe
from flightmesh.runtime.embedded import HERE
from flightmesh.session.estimates import ends_early, estimated_rows, is_filtered_from_above, off
from flightmesh.session.figures import CREDIT, SPILLED, count, details, seconds
from flightmesh.stage.graph import Stage, StageGraph
from flightmesh.stage.text import format_stages_with

TASKS_SHOWN = 32
"""Tasks of a stage that have a line of their own."""


def analyze_text(graph: StageGraph, record: JobRecord | None, rows: int) -> str:
    """The whole text: a line of totals, the stages with figures, and what each stage sent."""
    if record is None:
        raise InternalError("a job that was read to its end has no record")
    stages = {stage.stage: stage for stage in record.stages}
    early = ends_early(graph)
    body = format_stages_with(graph, lambda stage, number, node: _line(stages[stage.id], number, node, early))
    tail = "\n".join(line for stage in graph.stages for line in _stage_lines(stage, stages, record))
    return f"{_head(record, rows)}\n{body}\n{tail}"


def _head(record: JobRecord, rows: int) -> str:
    progress = record.progress
    said = (
        f"{count(rows, 'row')} in {seconds(record.seconds)}; {_planned(record)}{count(progress.stages, 'stage')}, "
        f"{count(progress.tasks, 'task')}; "
        f"read {progress.rows:,} rows, {format_bytes(progress.bytes)}{_pruned(record.stages)}"
    )
    tasks = [task for stage in record.stages for task in stage.tasks]
    workers = {task.worker for task in tasks if task.worker is not None}
    if not workers - {HERE}:
        return said
    spilled = sum(_spilled(stage) for stage in record.stages)
    credit = sum(_credit(task) for task in tasks)
    return f"{said}; {count(len(workers), 'worker')}; spilled {format_bytes(spilled)}; credit wait {seconds(credit)}"


def _planned(record: JobRecord) -> str:
    planning = record.planning
    if planning is None:
        return ""
    return f"{'plan kept, found' if planning.kept else 'planned'} in {seconds(planning.seconds)}; "


def _line(stage: StageRecord, number: int, node: Operator, ends_early: bool) -> str:
    return f"{describe(node)}  [{_figures(stage, number, node, ends_early)}]"


def _figures(stage: StageRecord, number: int, node: Operator, ends_early: bool) -> str:
    reports = [task.operators[number] for task in stage.tasks if number < len(task.operators)]
    rows = sum(report.rows for report in reports)
    said = [f"rows {rows:,}{_estimate(node, rows, ends_early)}"]
    said.append(count(sum(report.batches for report in reports), "batch", "batches"))
    said.append(format_bytes(sum(report.bytes for report in reports)))
    said.append(f"cpu {seconds(sum(report.cpu_ns for report in reports) / 1e9)}")
    said.append(f"wait {seconds(sum(report.wait_ns for report in reports) / 1e9)}")
    said.extend(details(reports))
    return ", ".join(said)


def _estimate(node: Operator, rows: int, ends_early: bool) -> str:
    estimate = estimated_rows(node)
    if estimate is None:
        return ""
    return f" (estimate {estimate:,.0f}{off(estimate, rows, ends_early or is_filtered_from_above(node))})"


def _pruned(stages: Iterable[StageRecord]) -> str:
    """What dynamic filters and bounds of first rows spared, in all."""
    rows = groups = 0
    for stage in stages:
        for task in stage.tasks:
            for operator in task.operators:
                for name, amount in operator.details:
                    rows += amount if name.startswith(ROWS_SPARED) else 0
                    groups += amount if name.startswith((GROUPS_SPARED, GROUPS_BEHIND)) else 0
    return f"; pruned {count(rows, 'row')}, {count(groups, 'row group')}" if rows or groups else ""


def _stage_lines(stage: Stage, stages: dict[StageId, StageRecord], record: JobRecord) -> list[str]:
    """What a stage's tasks were and what they wrote; on a mesh also each of them."""
    tasks = stages[stage.id].tasks
    spans = [task.ended - task.started for task in tasks if task.started is not None and task.ended is not None]
    skipped = sum(task.state is TaskPhase.SKIPPED for task in tasks)
    said = [count(len(tasks), "task"), f"longest {seconds(max(spans, default=0.0))}"]
    if skipped:
        said.append(f"{skipped} not needed")
    on_mesh = any(task.worker not in (None, HERE) for task in tasks)
    edges = {edge.edge: edge for edge in record.edges} if on_mesh else {}
    said.extend(_edge_text(edge, tasks, edges.get(edge)) for edge in stage.outputs)
    if on_mesh:
        said.append(f"spilled {format_bytes(_spilled(stages[stage.id]))}")
    lines = [f"Stage {stage.id} ran: {'; '.join(said)}"]
    if on_mesh:
        lines += [_task_line(task, record.submitted) for task in tasks[:TASKS_SHOWN]]
        if len(tasks) > TASKS_SHOWN:
            lines.append(f"  and {count(len(tasks) - TASKS_SHOWN, 'task')} more")
    return lines


def _edge_text(edge: EdgeId, tasks: tuple[TaskRecord, ...], kept: EdgeRecord | None) -> str:
    written = [written for task in tasks for written in task.written if written.edge == edge]
    rows, size = sum(sum(w.rows) for w in written), sum(sum(w.bytes) for w in written)
    text = f"edge {edge}: {count(rows, 'row')}, {format_bytes(size)}"
    if kept is None or kept.consumer is None:
        return text
    return f"{text}, by {kept.mode.value}, {kept.pipelined} tasks read it as it came, {kept.late} later"


def _task_line(task: TaskRecord, submitted: float) -> str:
    said = [f"{task.state.value} on {task.worker or 'no worker'}"]
    if task.started is not None and task.ended is not None:
        said.append(f"{seconds(task.started - submitted)} to {seconds(task.ended - submitted)}")
    if task.splits:
        said.append(count(task.splits, "split"))
    if task.elsewhere:
        said.append(f"{task.elsewhere} of them read at other workers")
    said.append(f"in {count(sum(read.rows for read in task.read), 'row')}")
    remote = sum(operator.detail("remote_bytes") for operator in task.operators)
    said.append(f"{format_bytes(remote)} from other workers")
    said.append(f"out {count(sum(sum(w.rows) for w in task.written), 'row')}")
    said.append(format_bytes(sum(sum(w.bytes) for w in task.written)))
    said.append(f"cpu {seconds(sum(operator.cpu_ns for operator in task.operators) / 1e9)}")
    said.append(f"credit wait {seconds(_credit(task))}")
    said.append(f"spilled {format_bytes(_spilled_by(task))}")
    return f"  task {task.index}: {', '.join(said)}"


def _credit(task: TaskRecord) -> float:
    return sum(operator.detail(CREDIT) for operator in task.operators) / 1e9


def _spilled(stage: StageRecord) -> int:
    """Bytes that the stage's tasks have put on disk."""
    return sum(_spilled_by(task) for task in stage.tasks)


def _spilled_by(task: TaskRecord) -> int:
    return sum(operator.detail(SPILLED) for operator in task.operators)
