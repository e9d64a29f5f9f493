"""Outbox and inbox: in order, once, whatever is repeated; and when to give up."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from flightmesh.errors import Fenced, FlightmeshError, InternalError, InvalidMessage, NodeRefused, NodeUnavailable
from flightmesh.ids import AttemptId, JobId, StageId, TaskId, WorkerId
from flightmesh.protocol.messages import CancelTask, FailResult, JobReleased, ReleaseJob, RunTask
from flightmesh.transport.control import (
    ORDER_ACTIONS,
    REPORT_ACTIONS,
    heard,
    order_kinds,
    orders_sender,
    read_orders,
    read_reports,
    report_kinds,
    reports_sender,
)
from flightmesh.transport.inbox import Inbox
from flightmesh.transport.large_bodies import MESSAGE_BYTES
from flightmesh.transport.outbox import Outbox
from flightmesh.transport.service import Call
from tests.transport.serving import Told, calling, served
from tests.waiting import wait_until

Send = Callable[[int, tuple[int, ...]], int]


class Box:
    """An outbox of numbers and what it told of failures."""

    def __init__(self, send: Send) -> None:
        self.failures: list[FlightmeshError] = []
        self.outbox: Outbox[int] = Outbox(send, self.failures.append, "test", retry_seconds=0.001)


def test_what_is_collected_goes_with_the_next_batch() -> None:
    batches: list[tuple[int, ...]] = []
    answered = threading.Event()

    def send(first: int, batch: tuple[int, ...]) -> int:
        batches.append(batch)
        assert answered.wait(10)
        return first + len(batch)

    outbox = Box(send).outbox
    outbox.post(0)
    wait_until(lambda: batches == [(0,)], what="the first call")
    for number in (1, 2, 3):
        outbox.collect(number)
    outbox.wake()
    answered.set()
    assert outbox.flush(10)
    outbox.close()
    assert batches == [(0,), (1, 2, 3)]


@pytest.mark.parametrize("seed", range(20))
def test_every_message_once_and_in_order_over_a_bad_wire(seed: int) -> None:
    """Requests are lost, answers are lost, batches are heard in part."""
    chance = random.Random(seed)
    inbox: Inbox[int] = Inbox()
    got: list[int] = []

    def send(first: int, batch: tuple[int, ...]) -> int:
        fate = chance.random()
        if fate < 0.3:
            raise NodeUnavailable("the request was lost")
        part = batch if fate < 0.9 else batch[: chance.randint(1, len(batch))]
        heard = inbox.receive(first, part, got.append)
        if fate < 0.6:
            raise NodeUnavailable("the answer was lost")
        return heard

    box = Box(send)
    for n in range(300):
        box.outbox.post(n)
        if n % 50 == 0:
            assert box.outbox.flush(20)
    assert box.outbox.flush(20)
    assert got == list(range(300))
    assert box.failures == []
    box.outbox.close()


def test_all_that_waits_goes_together_and_posting_never_blocks() -> None:
    gate = threading.Event()
    sent: list[tuple[int, ...]] = []

    def send(first: int, batch: tuple[int, ...]) -> int:
        sent.append(batch)
        assert gate.wait(20)
        return first + len(batch)

    box = Box(send)
    box.outbox.post(0)
    wait_until(lambda: sent)
    for n in range(1, 2000):
        box.outbox.post(n)
    assert not box.outbox.flush(0)
    gate.set()
    assert box.outbox.flush(20)
    assert [n for batch in sent for n in batch] == list(range(2000))
    assert len(sent) <= 6
    box.outbox.close()


def test_a_refused_connection_is_told_each_time_and_tried_again() -> None:
    left = [NodeRefused("gone")] * 3

    def send(first: int, batch: tuple[int, ...]) -> int:
        if left:
            raise left.pop()
        return first + len(batch)

    box = Box(send)
    box.outbox.post(1)
    assert box.outbox.flush(20)
    assert [type(failure) for failure in box.failures] == [NodeRefused] * 3
    box.outbox.close()


@pytest.mark.parametrize(
    "error", [Fenced("who are you"), InvalidMessage("what"), ValueError("a bug")], ids=lambda e: type(e).__name__
)
def test_what_cannot_get_better_ends_the_outbox(error: Exception) -> None:
    calls: list[int] = []

    def send(first: int, batch: tuple[int, ...]) -> int:
        calls.append(first)
        raise error

    box = Box(send)
    box.outbox.post(1)
    wait_until(lambda: box.failures)
    box.outbox.post(2)
    box.outbox.flush(0.1)
    assert calls == [0]
    assert [type(failure) for failure in box.failures] == [type(error) if isinstance(error, FlightmeshError) else InternalError]


def test_close_does_not_wait_for_a_call_that_hangs() -> None:
    gate, entered = threading.Event(), threading.Event()

    def send(first: int, batch: tuple[int, ...]) -> int:
        entered.set()
        gate.wait(20)
        raise Fenced("too late to tell")

    box = Box(send)
    box.outbox.post(1)
    assert entered.wait(20)
    box.outbox.close()
    gate.set()
    wait_until(lambda: not any(thread.name == "outbox-test" for thread in threading.enumerate()))
    assert box.failures == []


def test_an_inbox_takes_each_number_once() -> None:
    inbox: Inbox[str] = Inbox()
    assert inbox.accept(0, "ab") == (("a", "b"), 2)
    assert inbox.accept(0, "ab") == ((), 2)
    assert inbox.accept(1, "bcd") == (("c", "d"), 4)
    assert inbox.accept(0, "a") == ((), 4)
    for wrong in (5, -1):
        with pytest.raises(InvalidMessage):
            inbox.accept(wrong, "x")


def test_repeated_batches_on_many_threads_do_not_overtake() -> None:
    inbox: Inbox[int] = Inbox()
    got: list[int] = []
    for first in range(0, 2000, 10):
        with ThreadPoolExecutor(4) as pool:
            batch = list(range(first, first + 10))
            assert set(pool.map(lambda _, b=batch: inbox.receive(b[0], b, got.append), range(4))) == {first + 10}
    assert got == list(range(2000))


WORKER = WorkerId("w-1")
ATTEMPT = AttemptId(TaskId(JobId(1), StageId(2), 3), 0)


def test_orders_and_reports_over_flight() -> None:
    orders: Inbox[object] = Inbox()
    reports: Inbox[object] = Inbox()
    names: list[str] = []
    got: list[object] = []

    def act(name: str, body: bytes, call: Call) -> list[bytes]:
        names.append(name)
        if name in REPORT_ACTIONS or name == "reports":
            batch, inbox = read_reports(name, body), reports
            assert (batch.driver, batch.worker) == ("d", WORKER)
            return [heard(inbox.receive(batch.first, batch.messages, got.append))]
        found = read_orders(name, body)
        assert (found.driver, found.worker) == ("d", WORKER)
        return [heard(orders.receive(found.first, found.messages, got.append))]

    service = Told()
    service.act = act  # type: ignore[method-assign]
    with served(service) as node, calling() as peers:
        send = orders_sender(peers, node.uri, "d", WORKER, 5)
        assert send(0, (RunTask(ATTEMPT),)) == 1
        assert send(0, (RunTask(ATTEMPT), CancelTask(ATTEMPT))) == 2
        report = reports_sender(peers, node.uri, "d", WORKER, 5)
        assert report(0, (JobReleased(JobId(1)),)) == 1
        assert report(1, (JobReleased(JobId(2)), JobReleased(JobId(3)))) == 3
    assert names == ["run-task", "orders", "job-released", "reports"]
    assert got == [RunTask(ATTEMPT), CancelTask(ATTEMPT), *(JobReleased(JobId(n)) for n in (1, 2, 3))]


def test_orders_larger_than_a_message() -> None:
    inbox: Inbox[object] = Inbox()
    got: list[object] = []
    large = FailResult(JobId(1), {"code": "worker_lost", "message": "m" * 3_000_000})

    def act(name: str, body: bytes, call: Call) -> list[bytes]:
        assert len(body) > MESSAGE_BYTES
        orders = read_orders(name, body)
        return [heard(inbox.receive(orders.first, orders.messages, got.append))]

    service = Told()
    service.act = act  # type: ignore[method-assign]
    with served(service) as node, calling() as peers:
        assert orders_sender(peers, node.uri, "d", WORKER, 20)(0, (large, large)) == 2
        assert node.bytes_in > 6_000_000
    assert got == [large, large]


def test_an_action_carries_only_its_own_messages() -> None:
    sent: list[tuple[str, bytes]] = []

    class Wire:
        def call(self, address: str, action: str, body: bytes, seconds: float) -> list[bytes]:
            sent.append((action, body))
            return [heard(1)]

    orders_sender(Wire(), "a", "d", WORKER, 1)(0, (ReleaseJob(JobId(1)),))  # type: ignore[arg-type]
    (name, body), *_ = sent
    assert read_orders(name, body).messages == (ReleaseJob(JobId(1)),)
    for other in ("run-task", "nonsense", "reports"):
        with pytest.raises(InvalidMessage, match="carries"):
            read_orders(other, body)


def test_every_order_and_report_has_an_action() -> None:
    from flightmesh.protocol.messages import DriverMessage, WorkerMessage

    assert {kind for kind, _ in ORDER_ACTIONS.values()} == set(WorkerMessage.__args__)  # type: ignore[attr-defined]
    assert {kind for kind, _ in REPORT_ACTIONS.values()} == set(DriverMessage.__args__)  # type: ignore[attr-defined]
    assert [kind.name for kind in order_kinds()] == ["orders", *ORDER_ACTIONS]
    assert [kind.name for kind in report_kinds()] == ["reports", *REPORT_ACTIONS]
