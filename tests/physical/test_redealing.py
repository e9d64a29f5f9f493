"""Shared relations are dealt as their readers need them: rows move once."""

from __future__ import annotations

import pytest

import flightmesh
from flightmesh.config import Config, PlannerConfig
from tests.comparison import rows_of
from tests.optimize.building import TABLES
from tests.optimize.checking import connection

SHARED = "with a as (select t.k, u.y, count(*) as n from t join u on t.k = u.k group by all) "
READERS = {
    "a join of two readers": "select p.n, q.y from a as p join a as q on p.k = q.k",
    "under filters": "select p.n, q.y from a as p join a as q on p.k = q.k + 1 where p.y > 1 and q.n < 9",
    "groupings by other keys": "select p.k, p.s, q.n from (select k, sum(n) as s from a group by k) as p"
    " join (select y, max(n) as n from a group by y) as q on p.k = q.y",
    "a window": "select k, n, sum(n) over (partition by k) as s from a union all select y, n, n from a",
    "everything in one task": "select (select sum(n) from a) as s, n from a order by n limit 3",
}


@pytest.mark.parametrize("partitions", [1, 2, 7])
@pytest.mark.parametrize("share_builds", [True, False], ids=["shared builds", "dealt builds"])
@pytest.mark.parametrize("name", READERS)
def test_readers_of_a_shared_relation(name: str, share_builds: bool, partitions: int) -> None:
    planner = PlannerConfig(share_builds=share_builds, broadcast_bytes=0)
    with flightmesh.connect(config=Config(threads=2, partitions=partitions, planner=planner)) as session:
        for table, rows in TABLES.items():
            session.register(table, rows)
        got = session.sql(SHARED + READERS[name]).to_arrow()
    found = connection().execute(SHARED + READERS[name]).arrow()
    expected = found if hasattr(found, "column_names") else found.read_all()
    assert sorted(rows_of(got), key=repr) == sorted(rows_of(expected), key=repr)


def test_the_edge_of_a_reader_is_dealt_by_its_keys() -> None:
    planner = PlannerConfig(share_builds=False, broadcast_bytes=0)
    with flightmesh.connect(config=Config(threads=2, partitions=2, planner=planner)) as session:
        for table, rows in TABLES.items():
            session.register(table, rows)
        text = session.explain(SHARED + READERS["a join of two readers"], "stages")
    assert "round-robin" not in text
    assert "hash(k" in text
