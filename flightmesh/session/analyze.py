"""The text of `analyze`: the stages of a job that has run, each operator's estimate beside what happened.

Handed a graph and the record of a job; hands on text. Figures of an operator are summed over the tasks of its stage:
`rows` and bytes are its output, `cpu` its own time on a core, `wait` its own time off it.
"""

from __future__ import annotations

from flightmesh.driver.record import JobRecord, StageRecord
from flightmesh.driver.transitions import TaskPhase
from flightmesh.errors import InternalError
from flightmesh.exchange.budget import format_bytes
from flightmesh.ids import StageId
from flightmesh.physical.operators import Operator
from flightmesh.physical.text import describe
from flightmesh.protocol.messages import OperatorReport
from flightmesh.stage.graph import Stage, StageGraph
from flightmesh.stage.text import format_stages_with

_OWN_WORDS = {"rows_read": "rows read", "bytes_read": "bytes read", "row_groups": "row groups", "memory_peak": "memory"}


def analyze_text(graph: StageGraph, record: JobRecord | None, rows: int) -> str:
    """The whole text: a line of totals, the stages with figures, and what each stage sent."""
    if record is None:
        raise InternalError("a job that was read to its end has no record")
    stages = {stage.stage: stage for stage in record.stages}
    body = format_stages_with(graph, lambda stage, number, node: _line(stages[stage.id], number, node))
    tail = "\n".join(_stage_line(graph, stage, stages) for stage in graph.stages)
    progress = record.progress
    head = (
        f"{_count(rows, 'row')} in {_seconds(record.seconds)}; {_count(progress.stages, 'stage')}, "
        f"{_count(progress.tasks, 'task')}; "
        f"read {progress.rows:,} rows, {format_bytes(progress.bytes)}"
    )
    return f"{head}\n{body}\n{tail}"


def _line(stage: StageRecord, number: int, node: Operator) -> str:
    return f"{describe(node)}  [{_figures(stage, number, node)}]"


def _figures(stage: StageRecord, number: int, node: Operator) -> str:
    reports = [task.operators[number] for task in stage.tasks if number < len(task.operators)]
    estimate = getattr(node, "estimate", None)
    rows = sum(report.rows for report in reports)
    said = [f"rows {rows:,}" if estimate is None else f"rows {rows:,} (estimate {estimate:,.0f})"]
    said.append(format_bytes(sum(report.bytes for report in reports)))
    said.append(f"cpu {_seconds(sum(report.cpu_ns for report in reports) / 1e9)}")
    said.append(f"wait {_seconds(sum(report.wait_ns for report in reports) / 1e9)}")
    said.extend(f"{_OWN_WORDS.get(name, name.replace('_', ' '))} {text}" for name, text in _details(reports))
    return ", ".join(said)


def _details(reports: list[OperatorReport]) -> list[tuple[str, str]]:
    totals: dict[str, int] = {}
    for report in reports:
        for name, amount in report.details:
            totals[name] = totals.get(name, 0) + amount
    sizes = ("bytes_read", "memory_peak")
    return [(name, format_bytes(total) if name in sizes else f"{total:,}") for name, total in totals.items()]


def _stage_line(graph: StageGraph, stage: Stage, stages: dict[StageId, StageRecord]) -> str:
    tasks = stages[stage.id].tasks
    spans = [task.ended - task.started for task in tasks if task.started is not None and task.ended is not None]
    skipped = sum(task.state is TaskPhase.SKIPPED for task in tasks)
    said = [_count(len(tasks), "task"), f"longest {_seconds(max(spans, default=0.0))}"]
    if skipped:
        said.append(f"{skipped} not needed")
    for edge in stage.outputs:
        written = [written for task in tasks for written in task.written if written.edge == edge]
        rows, size = sum(sum(w.rows) for w in written), sum(sum(w.bytes) for w in written)
        said.append(f"edge {edge}: {_count(rows, 'row')}, {format_bytes(size)}")
    return f"Stage {stage.id} ran: {'; '.join(said)}"


def _count(number: int, thing: str) -> str:
    return f"{number:,} {thing}" if number == 1 else f"{number:,} {thing}s"


def _seconds(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms" if seconds < 1 else f"{seconds:.2f} s"
