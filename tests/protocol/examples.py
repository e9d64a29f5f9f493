"""One example of every map that crosses a wire, for the tables and golden bytes of docs/flight.md."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa

from flightmesh.catalog.table import SERVED, ColumnStatistics, Copy, File, FileSplit, FileTable, Format, MemorySplit, Storage
from flightmesh.driver.record import EdgeRecord, JobRecord, JobState, Planning, Progress, StageRecord, TaskRecord
from flightmesh.driver.transitions import TaskPhase
from flightmesh.errors import InvalidQuery, Position, WorkerLost
from flightmesh.expression.nodes import Field
from flightmesh.ids import AttemptId, ColumnId, EdgeId, JobId, StageId, TaskId, WorkerId
from flightmesh.physical.operators import TableScan
from flightmesh.physical.partitioning import Hash, Single
from flightmesh.protocol import asking, enrolment
from flightmesh.protocol import client_messages as client
from flightmesh.protocol import messages as m
from flightmesh.protocol import node_messages as node
from flightmesh.protocol import tickets as t
from flightmesh.stage.graph import Edge, Stage


@dataclass(frozen=True)
class Example:
    """A value, and the union that it is sent as (None: as its own class)."""

    value: Any
    union: Any = None

    @property
    def name(self) -> str:
        """The name of the map."""
        return type(self.value).__name__


JOB, STAGE, EDGE = JobId(7), StageId(1), EdgeId(0)
TASK = TaskId(JOB, STAGE, 3)
ATTEMPT = AttemptId(TASK, 0)
W1, W2 = WorkerId("w1-03fa"), WorkerId("w2-9c41")
ADDRESS = "grpc://127.0.0.1:4711"
ERROR = WorkerLost("worker w2 was lost").to_wire()
K = Field(ColumnId(1), "k", pa.int64())
ROW = pa.record_batch({"$1": pa.array([5], pa.int64())})
TABLE = FileTable(
    "t", Format.PARQUET, Storage(), (File("/data/t.parquet", 4096, 1_700_000_000_000_000_000),), pa.schema([("k", pa.int64())])
)
SERVED_TABLE = replace(TABLE, storage=SERVED, files=(File("t.parquet", 4096, 0),), source=("t",))
SCAN = TableScan(TABLE, 0, (K,), (), (K,), None)
PLAN = m.EdgePlan(Edge(EDGE, STAGE, StageId(2), Hash((K.column(),), 8), (K,)), 2, 2, 1, mode=m.ExchangeMode.PUT)
SERVING = node.Serving("orders", Copy.REPLICA, "0f3e", "77ab")
LOAD = node.Load(2, 1, 1048576, 0, 1.5, 268435456, 3, 4, 0, 25)
JOB_STATUS = client.JobStatus(
    JOB, "failed", "select 1", "s1", 1700000000.0, 1700000000.25, 1700000001.5, 1, 2, 3, 4, 100, 800, 0, ERROR
)
KEYS = m.KeyDigest(2, 10, 26, True, m.KeyForm.BITMAP, b"\x01\x00\x01")
OPERATOR = m.OperatorReport("TableScan", 100, 2, 800, 5000, 0, (("splits", 2),))
WRITTEN = m.Written(EDGE, (60, 40), (480, 320))
READ = m.Read(EDGE, 100, m.ReadEnd.COMPLETE)


def _arrow(batch: pa.RecordBatch) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return sink.getvalue().to_pybytes()  # type: ignore[no-any-return]


PEOPLE = (
    Example(client.OpenSession("duckdb", 4)),
    Example(client.SessionOpened("3f6c", 1800.0)),
    Example(client.CloseSession()),
    Example(client.Statement(sql="select $1", params=_arrow(ROW))),
    Example(client.Planned(ROW.schema.serialize().to_pybytes(), "q1", None, client.WireTarget("out.csv", "csv"))),
    Example(client.WireTarget("out.csv", "csv")),
    Example(client.Explain("select 1", "physical")),
    Example(client.Text("Values")),
    Example(client.Run(sql="select 1", delivery=client.Delivery.COMPLETE, results=client.Route.DRIVER)),
    Example(client.RegisterTable("sales", ("/data/sales/*.csv",), "csv", (("delimiter", ";"),))),
    Example(client.UploadTable("sales", True)),
    Example(client.DropTable("sales")),
    Example(client.ListTables()),
    Example(client.TablePlace("w1", "part", 2, 100, 4096)),
    Example(client.TableListing("sales", "served", 100, 4096, (client.TablePlace("w1", "part", 2, 100, 4096),))),
    Example(client.Tables((client.TableListing("v", "view"),))),
    Example(client.AskJob(JOB)),
    Example(JOB_STATUS),
    Example(client.Jobs((JOB_STATUS,))),
    Example(client.EdgeStatus(0, "get", 100, 800, 2, 0)),
    Example(client.StageStatus(1, 4, 1, 1, 2, 100, (client.EdgeStatus(0, "get", 100, 800, 2, 0),))),
    Example(client.Stages((client.StageStatus(1, 4, 1, 1, 2, 100, ()),))),
    Example(client.TaskStatus(1, 3, 0, "running", "w1", 0.25, None, 2, 100, 0)),
    Example(client.Tasks((client.TaskStatus(1, 3, 0, "pending", None, None, None, 0, 0, 0),))),
    Example(
        client.NodeStatus(W1, "w1", "worker", "alive", "host1", 4242, ADDRESS, "grpc://127.0.0.1:4712", 4, 1 << 30, 0.25, LOAD)
    ),
    Example(
        client.Nodes((client.NodeStatus(WorkerId("driver"), "driver", "driver", "alive", "h", 1, ADDRESS, ADDRESS, 0, 0, 0.0),))
    ),
    Example(client.DrainWorker("w1")),
    Example(node.MeshListener("5be1d0", ADDRESS)),
    Example(client.Done()),
)
RECORD = (
    Example(
        JobRecord(
            JOB,
            JobState.FAILED,
            10.0,
            12.5,
            (StageRecord(STAGE, ()),),
            Progress(0, 1, 0, 4),
            ERROR,
            10.25,
            (EdgeRecord(EDGE, STAGE, None, m.ExchangeMode.GET, 0, 0, 0, 0),),
            Planning(0.004, kept=False),
        )
    ),
    Example(StageRecord(STAGE, (TaskRecord(3, TaskPhase.FAILED, W1, 10.5, 12.5, 2, (OPERATOR,), (WRITTEN,), (READ,)),))),
    Example(TaskRecord(3, TaskPhase.FINISHED, W1, 10.5, 12.5, 2, (OPERATOR,), (WRITTEN,), (READ,))),
    Example(EdgeRecord(EDGE, STAGE, StageId(2), m.ExchangeMode.PUT, 100, 800, 2, 0)),
    Example(Progress(1, 2, 3, 8, 100, 800)),
    Example(Planning(0.0002, kept=True)),
)
TICKETS = (
    Example(t.ResultTicket(JOB, 1, bytes(range(16))), t.Ticket),
    Example(t.HeldTicket("5f0c"), t.Ticket),
    Example(t.ExchangeTicket(JOB, EDGE, W1, 0, 4, ATTEMPT, 2, W2), t.Ticket),
    Example(t.TableTicket(W1, "t#0", 0, 100, ("k",)), t.Ticket),
    Example(t.FileTicket(W1, SERVED_TABLE, FileSplit(0, (1,), 500, 4096, (W1,)), ("k",)), t.Ticket),
)
IDS = (Example(TASK), Example(ATTEMPT))
ACCESS = enrolment.AccessList("0f3b", (enrolment.ClientEntry("c3f9a2c1", bytes(range(32)), None),), ("w81d20aa",))
ENROLMENT = (
    Example(enrolment.Hello("lab", "5be1d0", 2, 8816, bytes(range(32)), 1796000000.5)),
    Example(enrolment.Enrol("w81d20aa", bytes(range(32)), b"PKCS #10", bytes(range(32)))),
    Example(enrolment.Enrolled("w81d20aa-5f0e9a1b", b"-----BEGIN CERTIFICATE-----")),
    Example(enrolment.Renew(b"PKCS #10")),
    Example(enrolment.Renewed(b"-----BEGIN CERTIFICATE-----")),
    Example(ACCESS),
    Example(ACCESS.clients[0]),
)
MEMBERSHIP = (
    Example(node.Register("w1", 4, 1 << 30, 1 << 40, node.NodeAddress(ADDRESS, ADDRESS), "host1", 4242, 2, 1, (SERVING,))),
    Example(SERVING),
    Example(node.NodeAddress(ADDRESS, "grpc://127.0.0.1:4712")),
    Example(node.Registered(W1, "5be1d0", bytes(range(32)), 0.5, 4.0, ACCESS)),
    Example(LOAD),
    Example(node.Heartbeat(W1, LOAD, node.Drain.DRAINING, "0f3a")),
    Example(node.HeartbeatHeard("5be1d0", True, ACCESS)),
    Example(node.Leave(W1, "it drains")),
    Example(node.Orders("5be1d0", W1, 12, (m.RunTask(ATTEMPT), m.ReleaseJob(JOB)))),
    Example(node.Reports("5be1d0", W1, 3, (m.JobReleased(JOB),))),
    Example(node.Heard(14)),
)
ORDERS = (
    Example(m.PlanStage(JOB, Stage(StageId(2), SCAN, 2, (EDGE,), (), (SCAN,)), (PLAN,), ()), m.WorkerMessage),
    Example(m.EdgePlan(Edge(EDGE, STAGE, None, Single(), (K,)), 2, 1, 1, 8388608, names=("k",))),
    Example(m.RunTask(ATTEMPT), m.WorkerMessage),
    Example(m.CancelTask(ATTEMPT), m.WorkerMessage),
    Example(m.StopTask(ATTEMPT), m.WorkerMessage),
    Example(
        m.GrantSplits(ATTEMPT, 0, 2, (FileSplit(0, (1, 2), 500, 4096), MemorySplit(0, 10, 80, W2, ADDRESS))), m.WorkerMessage
    ),
    Example(m.EdgeSources(JOB, EDGE, (m.Source(W2, ADDRESS, (0, 1)),)), m.WorkerMessage),
    Example(KEYS),
    Example(m.Source(W2, ADDRESS, (0, 1))),
    Example(m.EdgeReaders(JOB, EDGE, (m.Reader(ATTEMPT, W1, ADDRESS),)), m.WorkerMessage),
    Example(m.Reader(ATTEMPT, W1, ADDRESS)),
    Example(m.FilterKeys(JOB, KEYS), m.WorkerMessage),
    Example(m.SealEdge(JOB, EDGE, (ATTEMPT,), (m.Source(W2, ADDRESS, (3,)),)), m.WorkerMessage),
    Example(m.CloseBuckets(JOB, EDGE, 0, 4), m.WorkerMessage),
    Example(m.FailResult(JOB, ERROR), m.WorkerMessage),
    Example(m.ReleaseJob(JOB), m.WorkerMessage),
)
REPORTS = (
    Example(m.TaskReport(ATTEMPT, 4, m.TaskState.FAILED, (OPERATOR,), (WRITTEN,), (READ,), ERROR, (KEYS,)), m.DriverMessage),
    Example(OPERATOR),
    Example(WRITTEN),
    Example(READ),
    Example(m.WantSplits(ATTEMPT, 0, 2), m.DriverMessage),
    Example(m.ReaderClosed(ATTEMPT, EDGE), m.DriverMessage),
    Example(m.ResultRead(JOB, 1), m.DriverMessage),
    Example(m.ResultDropped(JOB, 1), m.DriverMessage),
    Example(m.JobReleased(JOB), m.DriverMessage),
)
QUESTIONS = (
    Example(asking.LookUp("t", ("/data/*.parquet",), None, (("header", "true"),))),
    Example(asking.LookedUp(TABLE)),
    Example(asking.AskServed("orders", "91c4")),
    Example(asking.Served("91c4", SERVED_TABLE)),
    Example(asking.AskStatistics(TABLE, ("k",))),
    Example(asking.Statistics(100, 4096, (asking.NamedStatistics("k", ColumnStatistics(null_count=0, distinct=9)),))),
    Example(asking.NamedStatistics("k", ColumnStatistics(None, None, 0, 9))),
    Example(node.ListSplits(SCAN)),
    Example(node.SplitList((FileSplit(0, (1,), 500, 4096),))),
    Example(asking.DropPart("t#0")),
)
EXAMPLES = (*PEOPLE, *RECORD, *TICKETS, *IDS, *ENROLMENT, *MEMBERSHIP, *ORDERS, *REPORTS, *QUESTIONS)
WIRE_ERROR = InvalidQuery(
    "no column x", hint="there is y", position=Position(2, 8, 1), text="select\n       x from t"
).to_wire()
