"""Orders and reports as Flight actions: which message has which action, and how an outbox sends them,
by calls and along a line.

Handed numbered messages; hands on action bodies (`Orders`, `Reports`) and, at the other end, the messages again. What always
holds: one message goes under its own action's name, several under `orders` or `reports`, in the same map; an action that
carries a message of another kind raises InvalidMessage.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from flightmesh.dataclass import dataclass
from flightmesh.errors import InvalidMessage
from flightmesh.ids import WorkerId
from flightmesh.protocol import messages
from flightmesh.protocol.codec import decode, encode
from flightmesh.protocol.messages import DriverMessage, WorkerMessage
from flightmesh.protocol.node_messages import Heard, Orders, Reports
from flightmesh.transport.large_bodies import call_action
from flightmesh.transport.numbered_line import Dial, MessageLine
from flightmesh.transport.peers import Line, Peers
from flightmesh.transport.service import ActionKind

M = TypeVar("M")

ORDER_ACTIONS: dict[str, tuple[type, str]] = {
    "plan-stage": (messages.PlanStage, "The plan of a stage of a job."),
    "run-task": (messages.RunTask, "Run one attempt at a task of a planned stage."),
    "cancel-task": (messages.CancelTask, "End an attempt; its output is not wanted."),
    "stop-task": (messages.StopTask, "End an attempt early but well; nobody reads more of its output."),
    "grant-splits": (messages.GrantSplits, "The splits that an attempt may read next."),
    "edge-sources": (messages.EdgeSources, "Where tasks that write an edge are."),
    "edge-readers": (messages.EdgeReaders, "Where tasks that read a pushed edge are."),
    "seal-edge": (messages.SealEdge, "Nothing more comes on an edge."),
    "filter-keys": (messages.FilterKeys, "The keys by which scans may leave out rows."),
    "release-channels": (messages.CloseBuckets, "Drop what some buckets of an edge hold and what comes."),
    "fail-result": (messages.FailResult, "A job has ended badly: who reads its result is told."),
    "release-job": (messages.ReleaseJob, "End what a job still runs and forget all of it."),
}
REPORT_ACTIONS: dict[str, tuple[type, str]] = {
    "task-report": (messages.TaskReport, "How an attempt stands."),
    "want-splits": (messages.WantSplits, "An attempt has used up its splits."),
    "reader-closed": (messages.ReaderClosed, "An attempt has enough of an input edge."),
    "result-read": (messages.ResultRead, "A client has read a result partition to its end."),
    "result-dropped": (messages.ResultDropped, "A client has let go of a result stream before its end."),
    "job-released": (messages.JobReleased, "A worker holds nothing of a job any more."),
}
ORDERS = "orders"
REPORTS = "reports"

_ORDER_NAMES = {kind: name for name, (kind, _) in ORDER_ACTIONS.items()}
_REPORT_NAMES = {kind: name for name, (kind, _) in REPORT_ACTIONS.items()}


def order_kinds() -> tuple[ActionKind, ...]:
    """What a worker's mesh listener says of these actions."""
    several = ActionKind(ORDERS, "Messages of the driver, in order (Orders -> Heard). Each also has an action of its own.")
    return several, *(ActionKind(name, f"{text} (Orders -> Heard)") for name, (_, text) in ORDER_ACTIONS.items())


def report_kinds() -> tuple[ActionKind, ...]:
    """What a driver's mesh listener says of these actions."""
    several = ActionKind(REPORTS, "Messages of a worker, in order (Reports -> Heard). Each also has an action of its own.")
    return several, *(ActionKind(name, f"{text} (Reports -> Heard)") for name, (_, text) in REPORT_ACTIONS.items())


def read_orders(name: str, body: bytes) -> Orders:
    """The orders in an action's body. Raises InvalidMessage."""
    orders: Orders = decode(body, Orders)
    _check(name, ORDERS, orders.messages, ORDER_ACTIONS)
    return orders


def read_reports(name: str, body: bytes) -> Reports:
    """The reports in an action's body. Raises InvalidMessage."""
    reports: Reports = decode(body, Reports)
    _check(name, REPORTS, reports.messages, REPORT_ACTIONS)
    return reports


def _check(name: str, several: str, found: tuple[object, ...], actions: dict[str, tuple[type, str]]) -> None:
    if name == several:
        return
    if name not in actions:
        raise InvalidMessage(f"the action {name!r} carries no messages")
    kind = actions[name][0]
    if len(found) != 1 or not isinstance(found[0], kind):
        raise InvalidMessage(f"the action {name!r} carries one {kind.__name__} and nothing else")


def heard(next_number: int) -> bytes:
    """The answer to orders and reports."""
    return encode(Heard(next_number))


def orders_sender(
    peers: Peers, address: str, driver: str, worker: WorkerId, seconds: float
) -> Callable[[int, tuple[WorkerMessage, ...]], int]:
    """What an outbox of a driver, for the worker at `address`, sends by."""

    def send(first: int, batch: tuple[WorkerMessage, ...]) -> int:
        name = _ORDER_NAMES[type(batch[0])] if len(batch) == 1 else ORDERS
        return _send(peers, address, name, encode(Orders(driver, worker, first, batch)), seconds)

    return send


def reports_sender(
    peers: Peers, address: str, driver: str, worker: WorkerId, seconds: float
) -> Callable[[int, tuple[DriverMessage, ...]], int]:
    """What an outbox of a worker, for its driver at `address`, sends by."""

    def send(first: int, batch: tuple[DriverMessage, ...]) -> int:
        name = _REPORT_NAMES[type(batch[0])] if len(batch) == 1 else REPORTS
        return _send(peers, address, name, encode(Reports(driver, worker, first, batch)), seconds)

    return send


def orders_dial(peers: Peers, address: str, driver: str, worker: WorkerId) -> Dial[WorkerMessage]:
    """How the same outbox opens a line."""
    return _dial(peers, address, ORDERS, lambda first, batch: encode(Orders(driver, worker, first, batch)))


def reports_dial(peers: Peers, address: str, driver: str, worker: WorkerId) -> Dial[DriverMessage]:
    """How the same outbox opens a line."""
    return _dial(peers, address, REPORTS, lambda first, batch: encode(Reports(driver, worker, first, batch)))


@dataclass(frozen=True, slots=True)
class _Encoding(Generic[M]):
    """A line of messages, by a line of bodies."""

    line: Line
    body: Callable[[int, tuple[M, ...]], bytes]

    def write(self, first: int, messages: tuple[M, ...], asks: bool) -> bool:
        """Sends messages."""
        return self.line.write(self.body(first, messages), asks)

    def cancel(self) -> None:
        """Ends the line now."""
        self.line.cancel()


def _dial(peers: Peers, address: str, name: str, body: Callable[[int, tuple[M, ...]], bytes]) -> Dial[M]:
    def dial(on_heard: Callable[[int], None], on_end: Callable[[], None]) -> MessageLine[M]:
        def answered(answer: bytes) -> None:
            said: Heard = decode(answer, Heard)
            on_heard(said.next)

        return _Encoding(peers.line(address, name, body(0, ()), answered, on_end), body)

    return dial


def _send(peers: Peers, address: str, name: str, body: bytes, seconds: float) -> int:
    answers = call_action(peers, address, name, body, seconds)
    if len(answers) != 1:
        raise InvalidMessage(f"{address} gave {len(answers)} answers to {name}, not one")
    answer: Heard = decode(answers[0], Heard)
    return answer.next
