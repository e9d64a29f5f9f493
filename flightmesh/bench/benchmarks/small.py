"""Queries so small that what is measured is everything but the rows: planning, calls between nodes, threads that wake."""

from __future__ import annotations

from pathlib import Path

from flightmesh.bench.benchmarks.benchmark import Benchmark, Query


def _make(folder: Path, scale: str) -> None:
    from flightmesh.bench.benchmarks.small_data import make

    make(folder, float(scale))


_QUERIES = (
    Query("select number, name from one", "one row of a file of one row"),
    Query("select number, name, price from items where number = 1", "one row of a small file, by its number"),
    Query("select 1 as one", "no file at all"),
    Query("select count(*) as n from items", "a file counted"),
    Query("select kind, count(*) as n, sum(price) as price from items group by kind order by kind", "ten groups"),
    Query("select number, name from items order by price desc, number limit 3", "the three dearest"),
    Query("select i.name, k.title from items i join kinds k on i.kind = k.kind where i.number = 3", "a join of two files"),
    Query(
        "select k.title, avg(i.price) as price from items i join kinds k on i.kind = k.kind"
        " where i.number in (select number from one) or i.price > 50 group by k.title order by price desc, k.title limit 5",
        "a join, a subquery, groups and an order",
    ),
)
SMALL = Benchmark(
    "small",
    "eight queries that take milliseconds",
    "1,000 rows",
    _make,
    dict(enumerate(_QUERIES, 1)),
    rounds=20,
)
