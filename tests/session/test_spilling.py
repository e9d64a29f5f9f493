"""Sessions whose exchanges outgrow their memory: the same answers, by way of the disk; nothing left there."""

from __future__ import annotations

import gc
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest

from flightmesh.config import Config, ExchangeConfig, PlannerConfig
from flightmesh.errors import ResourceExhausted
from flightmesh.session import connect
from tests.waiting import wait_until

ROWS = 400_000
CONFIG = Config(threads=2, partitions=4, planner=PlannerConfig(share_builds=False, broadcast_bytes=0))
QUERIES = [
    "select k, count(*), sum(v), min(s), max(d) from big group by k order by k limit 20",
    "select count(*), sum(a.v), sum(b.v), max(a.s) from big a join big b on a.k = b.k and a.v = b.v",
    "select k, v, s from big order by v desc, k limit 50 offset 300000",
    "select count(*), sum(n) from (select k, v, count(*) as n from big group by k, v)",
]


@pytest.fixture(scope="module")
def big() -> pa.Table:
    numbers = range(ROWS)
    return pa.table(
        {
            "k": pa.array([n % 50_021 for n in numbers], pa.int64()),
            "v": pa.array(numbers, pa.int64()),
            "s": pa.array([f"text {n % 977}" if n % 13 else None for n in numbers]),
            "d": pa.array([n % 1009 for n in numbers]).cast(pa.decimal128(20, 0)),
        }
    )


@pytest.mark.parametrize("query", QUERIES)
def test_answers_are_the_same_by_way_of_the_disk(tmp_path: Path, big: pa.Table, query: str) -> None:
    with connect(config=CONFIG) as session:
        session.register("big", big)
        expected = session.sql(query).to_arrow()
        assert session.runtime.store.figures().spilled_ever == 0
    small = replace(CONFIG, exchange=ExchangeConfig(memory=100_000, directory=str(tmp_path)))
    with connect(config=small) as session:
        session.register("big", big)
        assert list(tmp_path.iterdir()) == []
        assert session.sql(query).to_arrow() == expected
        figures = session.runtime.store.figures()
        assert figures.spilled_ever > 1_000_000
        assert (figures.memory, figures.spilled, figures.files, figures.channels) == (0, 0, 0, 0)
    assert list(tmp_path.iterdir()) == []


def test_past_the_disk_the_job_fails_and_the_next_one_runs(tmp_path: Path, big: pa.Table) -> None:
    config = replace(CONFIG, exchange=ExchangeConfig(memory=100_000, disk=500_000, directory=str(tmp_path)))
    with connect(config=config) as session:
        session.register("big", big)
        with pytest.raises(ResourceExhausted) as caught:
            session.sql(QUERIES[1]).to_arrow()
        assert "out of disk" in caught.value.message
        assert "exchange.disk" in (caught.value.hint or "")
        assert session.sql("select count(*) from big").to_arrow().num_rows == 1
        figures = session.runtime.store.figures()
        assert (figures.memory, figures.spilled, figures.files) == (0, 0, 0)


def test_a_dropped_session_leaves_no_folder(tmp_path: Path, big: pa.Table) -> None:
    session = connect(config=replace(CONFIG, exchange=ExchangeConfig(memory=100_000, directory=str(tmp_path))))
    session.register("big", big)
    session.sql(QUERIES[0]).to_arrow()
    assert len(list(tmp_path.iterdir())) == 1
    del session
    gc.collect()
    wait_until(lambda: list(tmp_path.iterdir()) == [], what="the folder to go")
