"""Columns that a process keeps give way to whatever else needs the memory."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import flightmesh
from flightmesh.catalog.column_cache import ColumnKey
from flightmesh.catalog.table import Storage
from flightmesh.config import Config
from flightmesh.errors import ResourceExhausted
from flightmesh.exchange.budget import NO_JOB, MemoryBudget
from flightmesh.exchange.memory import Channel, ChannelMemory
from flightmesh.exchange.spill import SpillArea
from flightmesh.ids import JobId
from flightmesh.runtime.kept_columns import KEPT, kept_columns

BLOCK = pa.array(np.arange(1000))
SIZE = BLOCK.nbytes
QUERY = "select k % 10 as g, sum(v) as s from t group by 1 order by 1"


def key(number: int) -> ColumnKey:
    return ColumnKey(Storage("local"), "/a.parquet", 1, 1, (number,), "v", (pa.int64(), "plain"), 1000)


def test_a_job_is_given_what_is_kept() -> None:
    budget = MemoryBudget(10 * SIZE)
    cache = kept_columns(budget, 8 * SIZE)
    assert cache is not None
    for number in range(12):
        cache.put(key(number), [BLOCK])
    assert budget.accounts() == {(NO_JOB, KEPT): 8 * SIZE}
    budget.take(JobId(1), "a join", 7 * SIZE)
    assert cache.used <= 3 * SIZE
    assert budget.used <= budget.limit
    with pytest.raises(ResourceExhausted, match="a join 54"):
        budget.take(JobId(1), "a join", 4 * SIZE)
    cache.put(key(20), [BLOCK])
    assert cache.used == SIZE, "what was kept has gone before anything was refused; there is room for more of it"
    cache.put(key(21), [BLOCK] * 3)
    assert budget.accounts() == {(NO_JOB, KEPT): SIZE, (JobId(1), "a join"): 7 * SIZE}, "nothing of a job goes for it"


class Log:
    """Channels of one block each that go to disk at once."""

    def __init__(self, memory: ChannelMemory, channels: int) -> None:
        self._memory, self.here = memory, list(range(channels))
        assert all(memory.take(JobId(1), SIZE) for _ in self.here)
        memory.add_log(self)

    def channels_in_memory(self) -> list[Channel]:
        return [Channel(bucket, SIZE, 0.0) for bucket in self.here]

    def spill(self, bucket: int) -> None:
        self.here.remove(bucket)
        self._memory.give(JobId(1), SIZE)


def test_channels_do_not_go_to_disk_for_what_is_only_kept(tmp_path: Path) -> None:
    budget = MemoryBudget(16 * SIZE)
    cache = kept_columns(budget, 9 * SIZE)
    assert cache is not None
    memory = ChannelMemory(budget, 8 * SIZE, SpillArea(tmp_path, 1 << 20))
    log = Log(memory, 7)
    for number in range(12):
        cache.put(key(number), [BLOCK])
    assert (budget.used, budget.needed) == (16 * SIZE, 7 * SIZE)
    assert memory.take(JobId(1), 4 * SIZE)
    assert len(log.here) == 3, "three blocks over the share, and an eighth of it to spare"
    assert memory.used == 7 * SIZE == budget.needed


def test_no_cache_where_none_is_asked_for() -> None:
    budget = MemoryBudget(10)
    assert kept_columns(budget, 0) is None
    assert budget.reclaim is None


def scanned(session: flightmesh.Session) -> str:
    (line,) = (line for line in session.explain(QUERY, level="analyze").splitlines() if "rows read" in line)
    return line


def test_a_session_reads_a_table_once(tmp_path: Path) -> None:
    numbers = np.arange(300_000)
    pq.write_table(pa.table({"k": numbers, "v": numbers * 3}), tmp_path / "t.parquet", row_group_size=100_000)
    with flightmesh.connect(config=Config(threads=2, column_cache=64 << 20)) as session:
        session.register("t", tmp_path / "t.parquet")
        first = session.sql(QUERY).to_arrow()
        assert "from memory 4.6 MiB" in scanned(session)
        assert session.sql(QUERY).to_arrow().equals(first)
    with flightmesh.connect(config=Config(threads=2)) as session:
        session.register("t", tmp_path / "t.parquet")
        assert session.sql(QUERY).to_arrow().equals(first)
        assert "from memory" not in scanned(session)
