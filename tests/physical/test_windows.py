"""How windows are planned: what is shared, what is pushed below them, and where rows are together already."""

from __future__ import annotations

import pyarrow as pa
import pytest

import flightmesh
from flightmesh.config import Config

TABLE = pa.table({"g": [1, 2], "h": [1, 2], "v": [1, 2]})


def plan(query: str, level: str = "physical") -> str:
    with flightmesh.connect(config=Config(threads=2, partitions=3)) as session:
        session.register("t", TABLE)
        return session.explain(query, level)


SHARING = {
    "orders of which one continues the other are one sort": (
        "select rank() over (partition by g order by h), sum(v) over (partition by g),"
        " lag(v) over (partition by g order by h, v) from t",
        (1, 1),
    ),
    "two orders of one partitioning are two sorts over one exchange": (
        "select rank() over (partition by g order by h), rank() over (partition by g order by v) from t",
        (1, 2),
    ),
    "windows of one partitioning stand together": (
        "select rank() over (partition by g order by h), rank() over (partition by h order by v),"
        " rank() over (partition by g order by v) from t",
        (2, 3),
    ),
    "a grouping has placed the rows": ("select g, h, sum(count(*)) over (partition by g, h) from t group by g, h", (1, 1)),
    "a finer window below a grouping's keys": ("select g, rank() over (order by sum(v)) from t group by g", (1, 1)),
}


@pytest.mark.parametrize("name", SHARING)
def test_what_is_shared(name: str) -> None:
    query, expected = SHARING[name]
    lines = [line.strip() for line in plan(query).splitlines()]
    hashed = sum(line.startswith("Exchange hash") for line in lines)
    assert (hashed, sum(line.startswith("Window") for line in lines)) == expected, plan(query)


def test_a_filter_goes_below_by_partition_keys_only() -> None:
    ranked = "select g, h, rank() over (partition by g order by v) as r from t"
    assert "Scan t [g#0, v#2] where g#0 = 1" in plan(f"select g, r from ({ranked}) where g = 1", "optimized")
    below = plan(f"select g, r from ({ranked}) where h = 1 and g + r = 2", "optimized").partition("Window")[2]
    assert "where" not in below


def test_a_limit_stays_above() -> None:
    lines = plan("select rank() over (partition by g order by v) from t limit 1", "optimized")
    assert "limit 1" not in lines.partition("Window")[2]


def test_what_nobody_reads_is_not_computed() -> None:
    text = plan("select g from (select g, rank() over (order by v) as r, lag(h) over () from t)", "optimized")
    assert text == "Scan t [g#0]"
