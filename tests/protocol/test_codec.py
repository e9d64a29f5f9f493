"""Plans, expressions and messages through their bytes and back; and bytes that are none of them."""

from __future__ import annotations

import datetime
import decimal
import re
import tracemalloc
from typing import Any

import msgpack
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flightmesh.catalog.table import File, FileSplit, FileTable, Format, MemorySplit, MemoryTable, Storage, Table
from flightmesh.driver.graph_edges import edge_plans
from flightmesh.errors import InvalidMessage, InvalidQuery, Position
from flightmesh.expression.frames import CURRENT, DEFAULT_FRAME, UNBOUNDED, Bound, Exclude, Frame, FrameUnit, Side
from flightmesh.expression.nodes import (
    Call,
    Case,
    Cast,
    CastMode,
    Column,
    Expression,
    Field,
    InList,
    Literal,
    When,
)
from flightmesh.expression.registry import bind_call
from flightmesh.ids import AttemptId, ColumnId, EdgeId, JobId, StageId, TaskId
from flightmesh.logical.relations import Item, JoinKind, UnnestItem
from flightmesh.physical.operators import (
    ColumnOrder,
    Exchange,
    ExpandSets,
    FilterRows,
    GroupBy,
    GroupPhase,
    LimitRows,
    Measure,
    Operator,
    ProjectColumns,
    SortRows,
    TableScan,
    TopOfGroups,
    TopRows,
    UnionRows,
    UnnestRows,
    ValuesRows,
    WindowFunction,
    WindowRows,
)
from flightmesh.physical.partitioning import Broadcast, Hash, RoundRobin, Single
from flightmesh.protocol.client_messages import AskJob, ListTables, RegisterTable, Run
from flightmesh.protocol.codec import decode, encode
from flightmesh.protocol.messages import (
    CancelTask,
    CloseBuckets,
    DriverMessage,
    GrantSplits,
    JobReleased,
    OperatorReport,
    PlanStage,
    Read,
    ReadEnd,
    ReaderClosed,
    ReleaseJob,
    RunTask,
    SealEdge,
    StopTask,
    TaskReport,
    TaskState,
    WantSplits,
    WorkerMessage,
    Written,
)
from flightmesh.stage.graph import StageGraph
from tests.hand_made import GRAPHS, cut, exchange

ATTEMPT = AttemptId(TaskId(JobId(1), StageId(2), 3), 0)

SCALARS: list[pa.Scalar] = [
    pa.scalar(None, pa.int64()),
    pa.scalar(-(2**63), pa.int64()),
    pa.scalar(2**64 - 1, pa.uint64()),
    pa.scalar(float("inf")),
    pa.scalar("ünï\0code"),
    pa.scalar(b"\xff\x00"),
    pa.scalar(True),
    pa.scalar(decimal.Decimal("-12345678901234567890.12345678"), pa.decimal128(38, 8)),
    pa.scalar(datetime.date(1992, 2, 29)),
    pa.scalar(datetime.datetime(2020, 1, 1, 12, 30, tzinfo=datetime.UTC), pa.timestamp("us", "Europe/Paris")),
    pa.scalar(None, pa.time64("us")),
    pa.scalar((1, 2, 3), pa.month_day_nano_interval()),
    pa.scalar([1, None], pa.list_(pa.int32())),
    pa.scalar({"a": 1, "b": "x"}, pa.struct([("a", pa.int8()), ("b", pa.string())])),
    pa.scalar(None, pa.null()),
]

TYPES = [s.type for s in SCALARS]

names = st.text(max_size=8)
columns = st.builds(Column, st.integers(0, 99).map(ColumnId), names, st.sampled_from(TYPES), st.booleans())
literals = st.sampled_from(SCALARS).map(Literal)
places = st.none() | st.builds(Position, st.integers(1, 99), st.integers(1, 99), st.integers(1, 9), st.none() | names)


def _compound(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    types = st.sampled_from(TYPES)
    return (
        st.builds(Call, names, st.lists(inner, max_size=3).map(tuple), types, places)
        | st.builds(Cast, inner, types, st.sampled_from(CastMode), places)
        | st.builds(Case, st.lists(st.builds(When, inner, inner), min_size=1, max_size=2).map(tuple), st.none() | inner, types)
        | st.builds(InList, inner, st.lists(literals, max_size=3).map(tuple))
    )


expressions: st.SearchStrategy[Any] = st.recursive(columns | literals, _compound, max_leaves=8)

K = Field(ColumnId(1), "k", pa.int64())
PREDICATE = Call("equal", (K.column(), Literal(pa.scalar(1))), pa.bool_())

tables: st.SearchStrategy[Table] = st.sampled_from(
    [
        MemoryTable("t", "t#0", pa.schema([("k", pa.int64())]), 10, 80),
        FileTable(
            "f",
            Format.CSV,
            Storage("s3", (("endpoint_override", "http://localhost:9"),)),
            (File("bucket/a.csv", 10, 123_456_789_000_000_001, (pa.scalar("2024"),)),),
            pa.schema([("k", pa.int64()), ("year", pa.string())]),
            ("year",),
            (("delimiter", "\t"),),
        ),
    ]
)
estimates = st.none() | st.floats(0, 1e12)
scans = st.builds(lambda t, e, n: TableScan(t, 0, (K,), (PREDICATE,), (K,), n, e), tables, estimates, st.none() | st.just(5))
values = st.lists(st.integers(-9, 9), max_size=3).map(
    lambda rows: ValuesRows((K,), pa.record_batch({"k": pa.array(rows, pa.int64())}))
)
distances = st.builds(Bound, st.sampled_from((Side.PRECEDING, Side.FOLLOWING)), st.none() | st.integers(-9, 9))
bounds = st.sampled_from((UNBOUNDED, CURRENT)) | distances
frames = st.builds(Frame, st.sampled_from((FrameUnit.ROWS, FrameUnit.GROUPS)), bounds, bounds, st.sampled_from(Exclude))
windowed = st.builds(
    WindowFunction,
    st.just(Field(ColumnId(8), "w", pa.int64())),
    names,
    st.just((K.column(),)),
    frames | st.just(DEFAULT_FRAME),
    st.integers(0, 2),
    st.sampled_from(((), (K.column(),))),
    st.none() | st.just(K.column()),
    st.booleans(),
    st.none() | st.just(Literal(pa.scalar(","))),
    st.sampled_from(((), (ColumnOrder(K.column(), descending=True),))),
    st.booleans(),
)


def _expanded(child: Operator, present: Field | None) -> ExpandSets:
    key, number = Field(ColumnId(8), "k", K.type), Field(ColumnId(9), "n", pa.int64(), False)
    return ExpandSets(child, (Item(key, K.column()),), ((0,), ()), (1,), number, present, (key, number))


def _unnested(child: Operator, kind: JoinKind, numbered: bool) -> UnnestRows:
    made, ordinal = Field(ColumnId(8), "e", pa.int64()), Field(ColumnId(9), "o", pa.int64(), False) if numbered else None
    lists = (UnnestItem(made, bind_call("list_value", (K.column(), K.column()))),)
    return UnnestRows(child, lists, kind, ordinal, (K, made))


def _operators(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    orders = st.lists(st.builds(ColumnOrder, st.just(K.column()), st.booleans(), st.booleans()), min_size=1, max_size=2)
    return (
        inner.map(lambda child: FilterRows(child, PREDICATE))
        | st.builds(lambda child, e: ProjectColumns(child, (Item(Field(ColumnId(7), "x", e.type), e),)), inner, expressions)
        | inner.map(lambda child: GroupBy(child, GroupPhase.FINAL, (K,), (Measure(K, "count_star", None),)))
        | st.builds(_expanded, inner, st.none() | st.just(Field(ColumnId(3), "present", pa.bool_())))
        | st.builds(_unnested, inner, st.sampled_from((JoinKind.INNER, JoinKind.LEFT)), st.booleans())
        | st.builds(lambda child, keys: SortRows(child, tuple(keys)), inner, orders)
        | st.builds(lambda child, keys, made: WindowRows(child, (K.column(),), tuple(keys), (made,)), inner, orders, windowed)
        | st.builds(
            lambda child, keys, n: TopOfGroups(child, (K.column(),), tuple(keys), "rank", n), inner, orders, st.integers(1, 9)
        )
        | st.builds(lambda child, keys, n: TopRows(child, tuple(keys), n), inner, orders, st.integers(0, 9))
        | st.builds(LimitRows, inner, st.none() | st.integers(0, 9), st.integers(0, 9))
        | st.lists(inner, min_size=1, max_size=2).map(lambda parts: UnionRows(tuple(parts), (K,)))
        | st.builds(exchange, inner, st.sampled_from([Hash((K.column(),), 8), RoundRobin(3), Broadcast(), Single()]))
    )


operators: st.SearchStrategy[Any] = st.recursive(scans | values, _operators, max_leaves=4)


@settings(max_examples=100, deadline=None)
@given(expressions)
def test_expressions(expression: Expression) -> None:
    again = decode(encode(expression, Expression), Expression)
    assert again == expression
    assert _places(again) == _places(expression)


def _places(node: Any) -> list[Any]:
    """What equality leaves out: positions in the text."""
    return [node.at, *(p for a in node.args for p in _places(a))] if isinstance(node, Call) else []


@settings(max_examples=60, deadline=None)
@given(operators, st.integers(1, 9))
def test_stage_graphs(root: Operator, partitions: int) -> None:
    inner = root.input if isinstance(root, Exchange) else root
    graph = cut(inner, partitions)
    again = decode(encode(graph), StageGraph)
    assert again == graph


@pytest.mark.parametrize("name", GRAPHS)
def test_graphs_and_the_plans_of_their_stages(name: str) -> None:
    graph = GRAPHS[name](7)
    assert decode(encode(graph), StageGraph) == graph
    plans = edge_plans(graph)
    for stage in graph.stages:
        message = PlanStage(JobId(1), stage, tuple(plans[e] for e in stage.inputs), tuple(plans[e] for e in stage.outputs))
        assert decode(encode(message, WorkerMessage), WorkerMessage) == message


@pytest.mark.parametrize("scalar", SCALARS, ids=lambda scalar: str(scalar.type))
def test_scalars(scalar: pa.Scalar) -> None:
    again = decode(encode(Literal(scalar)), Literal)
    assert again.type == scalar.type
    assert again.value.equals(scalar)


ORDERS: list[WorkerMessage] = [
    RunTask(ATTEMPT),
    CancelTask(ATTEMPT),
    StopTask(ATTEMPT),
    GrantSplits(ATTEMPT, 0, 7, (FileSplit(1, (2, 3), None, 5), MemorySplit(1, 2))),
    SealEdge(JobId(1), EdgeId(2), (ATTEMPT,)),
    CloseBuckets(JobId(1), EdgeId(2), 0, 4),
    ReleaseJob(JobId(1)),
]
REPORTS: list[DriverMessage] = [
    TaskReport(
        ATTEMPT,
        4,
        TaskState.FAILED,
        (OperatorReport("TableScan", 1, 2, 3, 4, 2**62, (("splits", 3),)),),
        (Written(EdgeId(1), (1, 2), (8, 16)),),
        (Read(EdgeId(0), 9, ReadEnd.CLOSED),),
        InvalidQuery("no", hint="try", position=Position(1, 2), text="select").to_wire(),
    ),
    TaskReport(ATTEMPT, 0, TaskState.RUNNING),
    WantSplits(ATTEMPT, 1, 2),
    ReaderClosed(ATTEMPT, EdgeId(1)),
    JobReleased(JobId(1)),
]


@pytest.mark.parametrize("message", ORDERS, ids=lambda message: type(message).__name__)
def test_orders(message: WorkerMessage) -> None:
    assert decode(encode(message, WorkerMessage), WorkerMessage) == message


@pytest.mark.parametrize("message", REPORTS, ids=lambda message: type(message).__name__)
def test_reports(message: DriverMessage) -> None:
    assert decode(encode(message, DriverMessage), DriverMessage) == message


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"_": "Nonsense"}, "'_': 'Nonsense' is none of PlanStage, RunTask, "),
        ({}, "'_': null is none of PlanStage, "),
        ([], "it: a map with text keys expected, not list"),
        (None, "it: a map with text keys expected, not null"),
        ({"_": []}, "'_': list is none of PlanStage, "),
        ({"_": "RunTask"}, "RunTask lacks the field 'attempt'"),
        ({"_": "RunTask", "attempt": 1}, "RunTask.attempt: a map with text keys expected, not int"),
        ({"_": "RunTask", "attempt": {"task": {1: 2}, "number": 0}}, "RunTask.attempt.task: a map with text keys"),
        ({"_": "ReleaseJob", "job": "one"}, "ReleaseJob.job: int expected, not str"),
        ({"_": "ReleaseJob", "job": True}, "ReleaseJob.job: int expected, not bool"),
        ({"_": "ReleaseJob", "job": 1, "more": 2}, "ReleaseJob has no field 'more', but job"),
    ],
)
def test_maps_that_are_no_message(body: Any, says: str) -> None:
    with pytest.raises(InvalidMessage, match="do not make a PlanStage or RunTask or CancelTask or") as caught:
        decode(msgpack.packb(body), WorkerMessage)
    assert says in caught.value.message


@pytest.mark.parametrize(
    ("kind", "body", "says"),
    [
        (Run, {"sqll": "select 1", "delivery": "x"}, "a Run: Run has no field 'sqll', but statement, sql, plan, "),
        (Run, {"delivery": "x"}, "a Run: Run.delivery: 'x' is none of streamed, complete"),
        (Run, {"delivery": None}, "a Run: Run.delivery: null is none of streamed, complete"),
        (Run, {"statement": 1}, "a Run: Run.statement: str expected, not int"),
        (AskJob, {"x": 1}, "an AskJob: AskJob has no field 'x', but job"),
        (ListTables, {"y" * 900: 1}, "a ListTables: ListTables has no field 'yyyy"),
        (RegisterTable, {"name": "t", "paths": "a"}, "RegisterTable.paths: list expected, not str"),
        (RegisterTable, {"name": "t", "paths": ["a", 2]}, "RegisterTable.paths[1]: str expected, not int"),
        (RegisterTable, {"name": "t", "paths": [], "options": [["a"]]}, "options[0]: a list of 2 expected, not of 1"),
        (Field, {"id": 1, "name": "k", "type": b"x", "nullable": True}, "Field.type: bytes of a type in Arrow IPC expected"),
        (Field, {"id": 1, "name": "k", "type": 1, "nullable": True}, "bytes of a type in Arrow IPC expected, not int"),
        (JobId, "x", "a JobId: it: int expected, not str"),
    ],
)
def test_writers_of_clients_are_told_what_is_wrong(kind: Any, body: Any, says: str) -> None:
    data = msgpack.packb(body)
    with pytest.raises(InvalidMessage) as caught:
        decode(data, kind)
    assert says in caught.value.message
    assert caught.value.message.startswith(f"{len(data)} bytes do not make a")
    assert len(caught.value.message) < 500
    assert not re.search(r"[A-Za-z]+(Error|Exception)|NoneType|dict", caught.value.message)


@pytest.mark.parametrize("data", [b"", b"\xc1", b"\x01\x02", b"\xa5ab", b"\xff" * 40 + b"x"])
def test_bytes_that_are_no_msgpack(data: bytes) -> None:
    with pytest.raises(InvalidMessage, match=f"^{len(data)} bytes do not make an? AskJob: they are not one msgpack value$"):
        decode(data, AskJob)


def test_a_long_list_of_misfits_costs_no_more_than_one() -> None:
    data = msgpack.packb({"name": "t", "paths": [1] * 1_000_000})
    tracemalloc.start()
    with pytest.raises(InvalidMessage, match=r"RegisterTable.paths\[0\]: str expected, not int"):
        decode(data, RegisterTable)
    assert tracemalloc.get_traced_memory()[1] < 40 << 20
    tracemalloc.stop()


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=200))
def test_garbage_is_a_typed_error(data: bytes) -> None:
    with pytest.raises(InvalidMessage):
        decode(data, WorkerMessage)


GRAPH = encode(GRAPHS["co_partitioned"](3))


@settings(max_examples=150, deadline=None)
@given(st.integers(0, len(GRAPH) - 1), st.integers(0, 255))
def test_a_damaged_plan_is_a_plan_or_a_typed_error(place: int, byte: int) -> None:
    damaged = GRAPH[:place] + bytes([byte]) + GRAPH[place + 1 :]
    try:
        assert isinstance(decode(damaged, StageGraph), StageGraph)
    except InvalidMessage as error:
        assert "do not make a StageGraph" in error.message


@settings(max_examples=100, deadline=None)
@given(st.integers(0, len(GRAPH) - 1))
def test_a_cut_plan_is_a_typed_error(length: int) -> None:
    with pytest.raises(InvalidMessage):
        decode(GRAPH[:length], StageGraph)


def test_a_plan_nested_too_deeply_is_a_typed_error() -> None:
    node: Expression = K.column()
    for _ in range(100):
        node = Cast(node, pa.int64())
    body: Any = msgpack.unpackb(encode(node, Expression))
    for _ in range(400):
        body = {"_": "Cast", "operand": body, "type": body["type"], "mode": "strict", "at": None}
    with pytest.raises(InvalidMessage):
        decode(msgpack.packb(body), Expression)


def test_no_pickle_in_the_bytes() -> None:
    assert b"pickle" not in GRAPH
    assert msgpack.unpackb(GRAPH)["names"] == ["k", "v", "b"]
