"""Groupings and joins in the shapes of the db-benchmark of h2o.ai (https://github.com/duckdblabs/db-benchmark): ten groupings
of one table, from few groups to nearly as many as rows, and five joins of one with a small, a medium and a large one.

Data and texts are our own. A query whose answer would be millions of rows gives sums over them instead, so that what is
measured is the engine, not how rows come to a client; texts are among what is summed up.
"""

from __future__ import annotations

from pathlib import Path

from flightmesh.bench.benchmarks.benchmark import Benchmark, Query


def _make(folder: Path, scale: str) -> None:
    from flightmesh.bench.benchmarks.h2o_data import make

    make(folder, float(scale))


_GROUPINGS = (
    Query("select id1, sum(v1) as v1 from grouped group by id1", "sum by a text of 100 values"),
    Query("select id1, id2, sum(v1) as v1 from grouped group by id1, id2", "sum by two texts, 10,000 groups"),
    Query("select id3, sum(v1) as v1, avg(v3) as v3 from grouped group by id3", "sum and mean by a text, 100 rows a group"),
    Query(
        "select id4, avg(v1) as v1, avg(v2) as v2, avg(v3) as v3 from grouped group by id4", "means by a number of 100 values"
    ),
    Query(
        "select id6, sum(v1) as v1, sum(v2) as v2, sum(v3) as v3 from grouped group by id6",
        "sums by a number, 100 rows a group",
    ),
    Query(
        "select id4, id5, median(v3) as median_v3, stddev(v3) as sd_v3 from grouped group by id4, id5",
        "median and deviation by two numbers, 10,000 groups",
    ),
    Query("select id3, max(v1) - min(v2) as span from grouped group by id3", "max less min by a text, 100 rows a group"),
    Query(
        "select id6, v3 from (select id6, v3, row_number() over (partition by id6 order by v3 desc) as place from grouped) as t"
        " where place <= 2",
        "the two largest by a number, 100 rows a group",
    ),
    # Rounded, as what is nearly 0 has lost its digits in the differences that it was made of.
    Query(
        "select id2, id4, round(power(corr(v1, v2), 2), 9) as r2 from grouped group by id2, id4",
        "correlation by a text and a number, 10,000 groups",
    ),
    Query(
        "select count(*) as n, max(id1) as id1, max(id2) as id2, max(id3) as id3, sum(id4) as id4, sum(id5) as id5,"
        " sum(id6) as id6, sum(v3) as v3, sum(c) as c from (select id1, id2, id3, id4, id5, id6, sum(v3) as v3, count(*) as c"
        " from grouped group by id1, id2, id3, id4, id5, id6) as t",
        "sum and count by all six keys, nearly as many groups as rows; summed up",
    ),
)
_SUMS = "count(*) as n, sum(joined.v1) as v1, sum({table}.v2) as v2, max(joined.id4) as id4, max({table}.id4) as other_id4"
_MORE = ", max(joined.id5) as id5, max({table}.id5) as other_id5"
_MOST = ", max(joined.id6) as id6, max({table}.id6) as other_id6"


def _join(table: str, condition: str, sums: str, how: str = "join") -> str:
    on = condition.format(table=table)
    return f"select {sums.format(table=table)} from joined {how} {table} on {on}"


_JOINS = (
    Query(_join("small", "joined.id1 = {table}.id1", _SUMS), "join with a small table by a number; summed up"),
    Query(_join("medium", "joined.id2 = {table}.id2", _SUMS + _MORE), "join with a medium table by a number; summed up"),
    Query(
        _join("medium", "joined.id2 = {table}.id2", _SUMS + _MORE, "left join"),
        "left join with a medium table by a number; summed up",
    ),
    Query(_join("medium", "joined.id5 = {table}.id5", _SUMS + _MORE), "join with a medium table by a text; summed up"),
    Query(_join("big", "joined.id3 = {table}.id3", _SUMS + _MORE + _MOST), "join with a large table by a number; summed up"),
)
H2O = Benchmark(
    "h2o",
    "groupings (1 to 10) and joins (11 to 15) in the shapes of h2o.ai's db-benchmark",
    "10 million rows a table",
    _make,
    dict(enumerate((*_GROUPINGS, *_JOINS), 1)),
)
