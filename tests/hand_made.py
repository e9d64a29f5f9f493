"""Stage graphs made by hand, small enough to follow every task of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pyarrow as pa

from flightmesh.catalog.table import MemoryTable, Table
from flightmesh.config import Config
from flightmesh.expression.nodes import Field
from flightmesh.ids import ColumnId
from flightmesh.logical.relations import JoinKind
from flightmesh.physical.operators import (
    BuildSide,
    ColumnOrder,
    DynamicFilter,
    Exchange,
    GroupBy,
    GroupPhase,
    HashJoin,
    KeyPair,
    LimitRows,
    Measure,
    Operator,
    SortRows,
    TableScan,
    UnionRows,
    ValuesRows,
)
from flightmesh.physical.partitioning import Broadcast, Hash, Partitioning, RoundRobin, Single
from flightmesh.stage.cut import cut_stages
from flightmesh.stage.graph import StageGraph

K = Field(ColumnId(1), "k", pa.int64())
V = Field(ColumnId(2), "v", pa.int64())
B = Field(ColumnId(3), "b", pa.int64())
N = Field(ColumnId(4), "n", pa.int64())

T = MemoryTable("t", "t#0", pa.schema([("k", pa.int64()), ("v", pa.int64())]), 1_000_000, 16_000_000)


def scan(*fields: Field, table: Table = T, limit: int | None = None) -> TableScan:
    """A scan of columns of a table."""
    return TableScan(table, 0, fields, (), fields, limit)


def exchange(rows: Operator, partitioning: Partitioning, shared: int | None = None) -> Exchange:
    """Rows dealt anew; estimated as many, so that small ones are not put into one task."""
    return Exchange(rows, partitioning, fields=rows.fields, shared=shared, estimate=1e6)


def cut(root: Operator, partitions: int) -> StageGraph:
    """The stages of operators whose rows go to the client."""
    names = tuple(field.name for field in root.fields)
    return cut_stages(Exchange(root, Single(), fields=root.fields), names, Config(threads=2, partitions=partitions))


def scanning(partitions: int, table: Table = T) -> StageGraph:
    """One stage: a scan."""
    return cut(scan(K, V, table=table), partitions)


def grouping(partitions: int, table: Table = T) -> StageGraph:
    """Two stages: rows counted by key, in two phases around a hash exchange."""
    partial = GroupBy(scan(K, table=table), GroupPhase.PARTIAL, (K,), (Measure(N, "count_star", None),))
    moved = exchange(partial, Hash((K.column(),), 4 * partitions))
    return cut(GroupBy(moved, GroupPhase.FINAL, (K,), (Measure(N, "sum_count", N.column()),)), partitions)


def joining(partitions: int, table: Table = T, build: Table = T) -> StageGraph:
    """Two stages: a broadcast build, and a scan that probes one build shared by its tasks."""
    renamed = scan(replace(B, name="k"), table=build)
    keys = (KeyPair(K.column(), B.column()),)
    return cut(
        HashJoin(
            scan(K, V, table=table), exchange(renamed, Broadcast()), JoinKind.INNER, keys, None, BuildSide.SHARED, (K, V, B)
        ),
        partitions,
    )


def co_partitioned(partitions: int, table: Table = T, build: Table = T) -> StageGraph:
    """Three stages: both sides of a join dealt by their keys."""
    left = exchange(scan(K, V, table=table), Hash((K.column(),), 4 * partitions))
    right = exchange(scan(replace(B, name="k"), table=build), Hash((B.column(),), 4 * partitions))
    keys = (KeyPair(K.column(), B.column()),)
    return cut(HashJoin(left, right, JoinKind.INNER, keys, None, BuildSide.OWN, (K, V, B)), partitions)


def filtering(partitions: int, table: Table = T, build: Table = T) -> StageGraph:
    """As `co_partitioned`, but the keys of the build side filter the scan of the other."""
    keys = DynamicFilter(0, B.column(), 0.1)
    left = replace(scan(K, V, table=table), dynamic=(replace(keys, column=K.column(), wait=0.1),))
    right = replace(exchange(scan(replace(B, name="k"), table=build), Hash((B.column(),), 4 * partitions)), filters=(keys,))
    pairs = (KeyPair(K.column(), B.column()),)
    dealt = exchange(left, Hash((K.column(),), 4 * partitions))
    return cut(HashJoin(dealt, right, JoinKind.INNER, pairs, None, BuildSide.OWN, (K, V, B)), partitions)


def limiting(partitions: int, count: int = 10, table: Table = T) -> StageGraph:
    """Two stages: a scan, and one task that takes `count` rows of it. The scan itself knows of no limit."""
    return cut(LimitRows(exchange(scan(K, V, table=table), Single()), count), partitions)


def deep_limiting(partitions: int, count: int = 10, table: Table = T) -> StageGraph:
    """Three stages: a scan, its rows dealt in turn to a stage that passes them on, and a limit over that."""
    middle = LimitRows(exchange(scan(K, V, table=table), RoundRobin(partitions)), None)
    return cut(LimitRows(exchange(middle, Single()), count), partitions)


def chained_limiting(partitions: int, count: int = 10, table: Table = T) -> StageGraph:
    """Six stages in a row, and a limit over the last: more than a worker of one slot has places for."""
    rows: Operator = scan(K, V, table=table)
    for _ in range(4):
        rows = LimitRows(exchange(rows, RoundRobin(partitions)), None)
    return cut(LimitRows(exchange(rows, Single()), count), partitions)


def sorting(partitions: int, table: Table = T) -> StageGraph:
    """Two stages: sorted runs, merged."""
    order = (ColumnOrder(V.column(), descending=True),)
    merged = replace(exchange(SortRows(scan(K, V, table=table), order), Single()), order=order)
    return cut(LimitRows(merged, None), partitions)


def sharing(partitions: int, table: Table = T) -> StageGraph:
    """Two stages: one scan with two output edges, both read by one union."""
    parts = tuple(exchange(scan(K, V, table=table), RoundRobin(partitions), shared=1) for _ in range(2))
    return cut(UnionRows(parts, (K, V)), partitions)


def union_of_scans(partitions: int, table: Table = T) -> StageGraph:
    """One stage: two scans, one after the other."""
    return cut(UnionRows((scan(K, V, table=table), scan(K, V, table=table)), (K, V)), partitions)


def constant(rows: int = 3) -> StageGraph:
    """One stage, one task: constant rows."""
    return cut(ValuesRows((K,), pa.record_batch({"k": pa.array(range(rows), pa.int64())})), 1)


GRAPHS: dict[str, Callable[[int], StageGraph]] = {
    "scanning": scanning,
    "grouping": grouping,
    "joining": joining,
    "co_partitioned": co_partitioned,
    "filtering": filtering,
    "limiting": limiting,
    "deep_limiting": deep_limiting,
    "chained_limiting": chained_limiting,
    "sorting": sorting,
    "sharing": sharing,
    "constant": lambda _: constant(),
}
