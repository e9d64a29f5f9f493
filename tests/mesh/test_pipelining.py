"""Shuffles between processes: rows arrive as they are made, from every worker at every other; who comes late gets all."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import flightmesh
from flightmesh.driver.record import EdgeRecord, JobRecord, StageRecord, TaskRecord
from flightmesh.ids import StageId, WorkerId
from flightmesh.protocol.messages import ExchangeMode
from flightmesh.runtime.task_run import FIFTH_OUT, FIRST_FROM, FROM_WORKER
from tests.mesh.cluster import Cluster
from tests.meshes import WORKERS, session_at
from tests.waiting import TooSlow, again_if_slow

FILES, ROWS, GROUP = 4, 250_000, 20_000
SIDES = 24
"""More than a worker of one slot has places for."""
SLOWLY = "md5(md5(md5(cast({}.k as varchar)))) <> ''"
"""A condition that holds for every row and takes its time: so much that a fifth of the rows takes longer to make than rows may
be staged for (`exchange.blocks.STAGE_SECONDS`), also on a quiet machine."""
JOIN = f"select count(*) as n, sum(x.a + y.a) as s from big x join big y on x.k = y.k where {SLOWLY.format('x')}"


@pytest.fixture(scope="module")
def big(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A million rows with unique keys, in files of many row groups."""
    folder = tmp_path_factory.mktemp("big")
    keys = np.random.default_rng(7).permutation(FILES * ROWS)
    for number in range(FILES):
        part = keys[number * ROWS : (number + 1) * ROWS]
        pq.write_table(pa.table({"k": part, "a": part % 1000}), folder / f"{number}.parquet", row_group_size=GROUP)
    return folder


@pytest.fixture(scope="module")
def session(mesh: Cluster, big: Path) -> Iterator[flightmesh.RemoteSession]:
    with session_at(mesh) as made:
        made.register("big", str(big / "*.parquet"))
        yield made


@pytest.fixture(scope="module")
def record(session: flightmesh.RemoteSession) -> JobRecord:
    return joined(session)


def joined(session: flightmesh.RemoteSession) -> JobRecord:
    """The record of the join, whose answer is seen to be right."""
    result = session.sql(JOIN)
    assert result.to_arrow().to_pydict() == expected()
    found = result.metrics
    assert found is not None
    return found


def expected() -> dict[str, list[int]]:
    keys = np.arange(FILES * ROWS)
    return {"n": [FILES * ROWS], "s": [int(2 * (keys % 1000).sum())]}


@again_if_slow
def test_rows_arrive_while_they_are_made(session: flightmesh.RemoteSession) -> None:
    record = joined(session)
    probed, built = sorted(hash_edges(record), key=lambda edge: edge.edge, reverse=True)
    if (built.pipelined, built.late, probed.pipelined, probed.late) != (WORKERS, 0, WORKERS, 0):
        raise TooSlow(f"a reader was placed after its producers had ended: {built}, {probed}")
    # A join reads its build side first. Rows of it are at every task from every other worker before a fifth is made.
    early = {(seen.reader, seen.producer): seen.fifth - seen.first for seen in arrivals(record, built)}
    assert len(early) == WORKERS * (WORKERS - 1)
    if not all(before > 0 for before in early.values()):
        raise TooSlow(f"microseconds from the first rows to the fifth: {early}")


@again_if_slow
def test_who_comes_late_gets_the_same(session: flightmesh.RemoteSession) -> None:
    """More stages than places: some begin when those they read have long ended, and their rows lie on disk or in memory."""
    keys = np.arange(200_000)
    session.register("u", pa.table({"k": keys, "v": keys % 100}))
    side = "select k + {0} as k, sum(v) as v from (select k, max(v) as v from u group by k + {0}, k) group by 1"
    groups = " union all ".join(side.format(number) for number in range(SIDES))  # two stages a side, in a row
    result = session.sql(f"select count(*) as n, sum(v) as s from ({groups})")
    assert result.to_arrow().to_pydict() == {"n": [SIDES * 200_000], "s": [SIDES * 9_900_000]}
    record = result.metrics
    assert record is not None
    late = [edge for edge in record.edges if edge.late and edge.rows == 200_000]
    if not late:
        raise TooSlow(f"no reader came late: {record.edges}")
    for edge in late:
        assert edge.consumer is not None
        took = [read.rows for task in stage_of(record, edge.consumer).tasks for read in task.read if read.edge == edge.edge]
        assert sum(took) == edge.rows


def test_bytes_between_each_pair_of_workers(record: JobRecord, mesh: Cluster) -> None:
    workers = {node.id for node in mesh.carrying()}
    for edge in hash_edges(record):
        sent = {(a, b): 0 for a in workers for b in workers if a != b}
        for task, details in reads(record, edge):
            assert task.worker is not None
            local = details["local_bytes"]
            remote = {name.removeprefix(FROM_WORKER): n for name, n in details.items() if name.startswith(FROM_WORKER)}
            assert sum(remote.values()) == details["remote_bytes"]
            assert local > 0
            for sender, size in remote.items():
                sent[WorkerId(sender), task.worker] += size
        assert all(size > 0 for size in sent.values()), sent
        rows = sum(details["local_rows"] + details["remote_rows"] for _, details in reads(record, edge))
        assert rows == edge.rows == FILES * ROWS


def test_the_mode_is_the_one_asked_for(record: JobRecord, request: pytest.FixtureRequest) -> None:
    mode = request.node.callspec.params["mesh"]
    assert {edge.mode for edge in hash_edges(record)} == {ExchangeMode(mode)}


def hash_edges(record: JobRecord) -> list[EdgeRecord]:
    """The edges that carry all rows, from tasks on all workers to tasks on all workers."""
    return [edge for edge in record.edges if edge.rows == FILES * ROWS]


@dataclass(frozen=True)
class Arrival:
    """When a reader got the first rows of another worker, and when the producer there had put out a fifth of its own; in
    microseconds of this machine's clock."""

    reader: WorkerId
    producer: WorkerId
    first: int
    fifth: int


def arrivals(record: JobRecord, edge: EdgeRecord) -> list[Arrival]:
    fifths = {task.worker: task.operators[0].detail(FIFTH_OUT) for task in stage_of(record, edge.producer).tasks}
    found = []
    for task, details in reads(record, edge):
        for name, first in details.items():
            if name.startswith(FIRST_FROM):
                producer = WorkerId(name.removeprefix(FIRST_FROM))
                assert task.worker not in (None, producer)
                found.append(Arrival(WorkerId(str(task.worker)), producer, first, fifths[producer]))
    return found


def reads(record: JobRecord, edge: EdgeRecord) -> list[tuple[TaskRecord, dict[str, int]]]:
    """The tasks that read an edge, with what their exchange counted."""
    assert edge.consumer is not None
    found = []
    for task in stage_of(record, edge.consumer).tasks:
        # Exchanges stand in the plan's order, the one that is probed before the one that is built; edges in that of stages.
        exchanges = [operator for operator in task.operators if operator.operator == "ReadExchange"]
        inputs = sorted((e for e in record.edges if e.consumer == edge.consumer), key=lambda e: e.edge, reverse=True)
        found.append((task, dict(exchanges[inputs.index(edge)].details)))
    return found


def stage_of(record: JobRecord, stage: StageId) -> StageRecord:
    return next(found for found in record.stages if found.stage == stage)
