"""Tasks that a test orders of a worker by hand, as a driver would: plan, run, splits, seal."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from flightmesh.catalog.open import open_table
from flightmesh.catalog.scan import splits
from flightmesh.catalog.table import FileTable
from flightmesh.driver.events import JobOptions, ResultAt
from flightmesh.driver.graph_edges import edge_plans
from flightmesh.ids import AttemptId, JobId, StageId, TaskId
from flightmesh.protocol.messages import GrantSplits, PlanStage, RunTask, SealEdge, Source, TaskReport, TaskState, WantSplits
from flightmesh.stage.graph import StageGraph
from tests.node.fake_driver import FakeDriver
from tests.waiting import wait_until

ON_A_MESH = JobOptions(result=ResultAt.WORKERS)


def write_rows(path: Path, rows: int) -> FileTable:
    """A Parquet file of columns k and v that do not compress."""
    values = np.frombuffer(os.urandom(16 * rows), np.int64)
    pq.write_table(pa.table({"k": values[:rows], "v": values[rows:]}), path)
    return open_table("t", path)


def attempt(job: int, stage: int = 0, index: int = 0) -> AttemptId:
    return AttemptId(TaskId(JobId(job), StageId(stage), index), 0)


def run_scan(driver: FakeDriver, graph: StageGraph, table: FileTable, job: int = 1) -> TaskReport:
    """Has the latest worker run the one task of the scanning stage of `graph`; its last report."""
    stage = next(stage for stage in graph.stages if stage.scans)
    plans = edge_plans(graph, ON_A_MESH)
    task = attempt(job, stage.id)
    outputs = tuple(plans[edge] for edge in stage.outputs)
    first = [GrantSplits(task, scan.source, 0, splits(table)[:1]) for scan in stage.scans]
    driver.order(PlanStage(JobId(job), stage, (), outputs), RunTask(task), *first)
    given = {0}

    def ended() -> TaskReport | None:
        for said in list(driver.heard):
            if isinstance(said, WantSplits) and said.attempt == task and said.number not in given:
                found = splits(table)[said.number : said.number + 1]
                given.add(said.number)
                driver.order(GrantSplits(task, said.source, said.number, found))
        reports = [said for said in driver.heard if isinstance(said, TaskReport) and said.attempt == task]
        return next((report for report in reports if report.state is not TaskState.RUNNING), None)

    wait_until(ended, what="the task to end")
    report = ended()
    assert report is not None
    return report


def seal(driver: FakeDriver, graph: StageGraph, job: int = 1) -> None:
    """Says that all rows of the result are there."""
    worker, address = driver.ids[-1], driver.registrations[-1].address.mesh
    winner = attempt(job, graph.edge(graph.result).producer)
    driver.order(SealEdge(JobId(job), graph.result, (winner,), (Source(worker, address, (0,)),)))
