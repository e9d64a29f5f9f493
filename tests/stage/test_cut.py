"""The stage graph of hand-made physical plans: where it is cut, how many tasks, what order."""

from __future__ import annotations

from dataclasses import replace

import pyarrow as pa
import pytest

from flightmesh.catalog.table import MemoryTable
from flightmesh.config import Config
from flightmesh.errors import InternalError
from flightmesh.expression.nodes import Field
from flightmesh.ids import ColumnId
from flightmesh.logical.relations import JoinKind
from flightmesh.physical.operators import (
    BuildSide,
    ColumnOrder,
    Exchange,
    GroupBy,
    GroupPhase,
    HashJoin,
    KeyPair,
    LimitRows,
    Operator,
    ReadExchange,
    SortRows,
    TableScan,
    UnionRows,
)
from flightmesh.physical.partitioning import Broadcast, Hash, Single
from flightmesh.stage.cut import cut_stages, is_ordered
from flightmesh.stage.graph import StageGraph
from flightmesh.stage.text import format_stages

K = Field(ColumnId(1), "k", pa.int64())
V = Field(ColumnId(2), "v", pa.int64())
SEVEN = Config(threads=2, partitions=7)


def scan(*fields: Field, rows: int = 1_000_000) -> TableScan:
    schema = pa.schema([(f.name, f.type) for f in fields])
    return TableScan(MemoryTable("t", "t", schema, rows, rows * 8), 0, fields, (), fields)


def exchange(input_: Operator, partitioning: Hash | Single | Broadcast, shared: int | None = None) -> Exchange:
    return Exchange(input_, partitioning, fields=input_.fields, shared=shared, estimate=1e6)


def to_client(input_: Operator) -> Exchange:
    return Exchange(input_, Single(), fields=input_.fields)


def grouped(config: Config) -> StageGraph:
    partial = GroupBy(scan(K), GroupPhase.PARTIAL, (K,), ())
    moved = exchange(partial, Hash((K.column(),), 28))
    return cut_stages(to_client(GroupBy(moved, GroupPhase.FINAL, (K,), ())), ("k",), config)


def test_a_grouping_is_two_stages_of_as_many_tasks_as_asked() -> None:
    graph = grouped(SEVEN)
    assert [s.tasks for s in graph.stages] == [7, 7]
    assert [(e.producer, e.consumer) for e in graph.edges] == [(0, 1), (1, None)]
    assert graph.stages[1].inputs == (0,)
    assert graph.stages[0].outputs == (0,)
    assert graph.result == graph.stages[1].outputs[0]
    assert not graph.ordered


def test_without_fixed_partitions_small_inputs_are_one_task() -> None:
    config = Config(threads=4)
    small = GroupBy(scan(K, rows=10), GroupPhase.FINAL, (K,), ())
    assert [s.tasks for s in cut_stages(to_client(small), ("k",), config).stages] == [1]
    assert [s.tasks for s in grouped(config).stages] == [4, 4]


def test_what_was_planned_for_one_task_gets_one() -> None:
    grouping = GroupBy(scan(K), GroupPhase.FINAL, (K,), ())
    planned = replace(to_client(grouping), one_task=True)
    with pytest.raises(InternalError, match="stage 0 was planned for one task and would have 4"):
        cut_stages(planned, ("k",), Config(threads=4))
    small = replace(planned, input=replace(grouping, input=scan(K, rows=10)))
    assert [s.tasks for s in cut_stages(small, ("k",), Config(threads=4)).stages] == [1]


def test_the_build_side_is_scheduled_before_the_probe() -> None:
    build = exchange(scan(V), Broadcast())
    probe = exchange(scan(K), Hash((K.column(),), 28))
    keys = (KeyPair(K.column(), V.column()),)
    join = HashJoin(probe, build, JoinKind.INNER, keys, None, BuildSide.SHARED, (K, V))
    graph = cut_stages(to_client(join), ("k", "v"), SEVEN)
    assert [s.root.fields for s in graph.stages] == [(V,), (K,), (K, V)]
    assert [s.tasks for s in graph.stages] == [7, 7, 7]
    assert graph.stages[2].inputs == (0, 1)


def test_a_single_edge_makes_one_task_and_an_order_is_told() -> None:
    order = (ColumnOrder(K.column()),)
    merged = replace(exchange(SortRows(scan(K), order), Single()), order=order)
    graph = cut_stages(to_client(LimitRows(merged, 3)), ("k",), SEVEN)
    assert [s.tasks for s in graph.stages] == [7, 1]
    assert graph.ordered
    read = graph.stages[1].root.input  # type: ignore[union-attr]
    assert isinstance(read, ReadExchange)
    assert read.order == order
    assert is_ordered(SortRows(scan(K), order))
    assert not is_ordered(scan(K))


def test_a_shared_relation_is_one_stage_with_an_edge_for_each_reader() -> None:
    source = scan(K)
    reads = (exchange(source, Hash((K.column(),), 28), shared=3), exchange(source, Hash((K.column(),), 28), shared=3))
    graph = cut_stages(to_client(UnionRows(reads, (K,))), ("k",), SEVEN)
    assert len(graph.stages) == 2
    assert graph.stages[0].outputs == (0, 1)
    assert [(e.producer, e.consumer) for e in graph.edges] == [(0, 1), (0, 1), (1, None)]


def test_scans_of_a_stage_are_numbered() -> None:
    graph = cut_stages(to_client(UnionRows((scan(K), scan(K)), (K,))), ("k",), SEVEN)
    assert [s.source for s in graph.stages[0].scans] == [0, 1]


@pytest.mark.parametrize("partitions", [1, 7])
def test_text(partitions: int) -> None:
    tasks = "1 task" if partitions == 1 else "7 tasks"
    assert format_stages(grouped(Config(threads=2, partitions=partitions))) == (
        f"Stage 0: {tasks} -> edge 0 hash(k#1) into 28 to stage 1\n"
        "  GroupBy partial [k#1]\n"
        "    Scan t [k#1]\n"
        f"Stage 1: {tasks} -> edge 1 single to client\n"
        "  GroupBy final [k#1]\n"
        "    ReadExchange edge 0 [k#1]"
    )
