"""An outbox with a line: what goes along it, what by calls, and that all comes once and in order whatever the line does."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable

import pytest

from flightmesh.errors import Fenced, FlightmeshError, NodeRefused, NodeUnavailable
from flightmesh.transport.inbox import Inbox
from flightmesh.transport.outbox import Outbox
from tests.waiting import wait_until


class Peer:
    """Takes numbers, by calls and along lines; says which way each batch came. What a test may do to a line: `deaf`, it takes
    what is written and hears nothing from then on; `full`, bodies of more than so many numbers cannot go along it."""

    def __init__(self) -> None:
        self.inbox: Inbox[int] = Inbox()
        self.got: list[int] = []
        self.calls: list[tuple[int, ...]] = []
        self.written: list[tuple[int, ...]] = []
        self.lines: list[Line] = []
        self.deaf = False
        self.full = 1 << 30
        self.fenced = False

    def send(self, first: int, batch: tuple[int, ...]) -> int:
        if self.fenced:
            raise Fenced("who are you")
        self.calls.append(batch)
        return self.take(first, batch)

    def take(self, first: int, batch: tuple[int, ...]) -> int:
        return self.inbox.receive(first, batch, self.got.append)

    def dial(self, on_heard: Callable[[int], None], on_end: Callable[[], None]) -> Line:
        line = Line(self, on_heard, on_end)
        self.lines.append(line)
        return line


class Line:
    """Answers at once, on a thread of its own, as a real one."""

    def __init__(self, peer: Peer, on_heard: Callable[[int], None], on_end: Callable[[], None]) -> None:
        self._peer = peer
        self._on_heard = on_heard
        self._on_end = on_end
        self._is_deaf = False
        self.is_over = False

    def open(self) -> None:
        self._apart(lambda: self._on_heard(self._peer.take(0, ())))

    def write(self, first: int, messages: tuple[int, ...], asks: bool) -> bool:
        if self.is_over or len(messages) > self._peer.full:
            return False
        self._peer.written.append(messages)
        self._is_deaf |= self._peer.deaf
        if not self._is_deaf:
            following = self._peer.take(first, messages)
            if asks:
                self._apart(lambda: self._on_heard(following))
        return True

    def cancel(self) -> None:
        if not self.is_over:
            self.is_over = True
            self._apart(self._on_end)

    def _apart(self, what: Callable[[], None]) -> None:
        thread = threading.Thread(target=what)
        thread.start()
        thread.join()


class Box:
    """An outbox of numbers with a line that is open, unless `opens` says otherwise; 0 has been heard by a call."""

    def __init__(self, peer: Peer, answer_seconds: float = 30.0, opens: bool = True) -> None:
        self.failures: list[FlightmeshError] = []
        self.outbox: Outbox[int] = Outbox(peer.send, self.failures.append, "test", 0.001, peer.dial, answer_seconds)
        self.outbox.post(0)
        assert self.outbox.flush(20)
        if opens:
            peer.lines[0].open()


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines are dialled again at once."""
    monkeypatch.setattr("flightmesh.transport.numbered_line.REDIAL_SECONDS", (0.0,))


def test_messages_go_along_the_line_once_it_is_open() -> None:
    peer = Peer()
    box = Box(peer, opens=False)
    box.outbox.post(1)
    assert box.outbox.flush(20)
    assert (peer.calls, peer.written) == ([(0,), (1,)], [])
    peer.lines[0].open()
    for number in (2, 3, 4):
        box.outbox.post(number)
        wait_until(lambda upto=number: peer.got[-1] == upto)
    assert box.outbox.flush(20), "what was written is asked after"
    assert peer.calls == [(0,), (1,)]
    assert [batch for batch in peer.written if batch] == [(2,), (3,), (4,)]
    assert len(peer.lines) == 1
    box.outbox.close()
    assert peer.lines[0].is_over
    assert peer.got == [0, 1, 2, 3, 4]


def test_what_was_not_heard_when_a_line_ends_goes_by_a_call() -> None:
    peer = Peer()
    box = Box(peer)
    peer.deaf = True
    box.outbox.post(1)
    wait_until(lambda: (1,) in peer.written)
    assert peer.got == [0]
    peer.lines[0].cancel()
    assert box.outbox.flush(20)
    assert peer.got == [0, 1]
    assert peer.calls == [(0,), (1,)]
    assert len(peer.lines) == 2, "and another line is dialled"
    box.outbox.close()


def test_a_line_that_does_not_answer_is_given_up() -> None:
    peer = Peer()
    box = Box(peer, answer_seconds=0.05)
    peer.deaf = True
    box.outbox.post(1)
    box.outbox.post(2)
    assert box.outbox.flush(20)
    assert peer.lines[0].is_over
    assert peer.got == [0, 1, 2]
    box.outbox.close()


def test_what_is_too_large_for_the_line_goes_by_a_call_and_the_line_goes_on() -> None:
    peer = Peer()
    box = Box(peer)
    peer.full = 2
    for number in range(1, 6):
        box.outbox.collect(number)
    box.outbox.wake()
    assert box.outbox.flush(20)
    box.outbox.post(6)
    assert box.outbox.flush(20)
    assert peer.calls == [(0,), (1, 2, 3, 4, 5)]
    assert (6,) in peer.written
    assert peer.got == list(range(7))
    assert len(peer.lines) == 1
    box.outbox.close()


def test_a_peer_that_refuses_is_heard_by_a_call() -> None:
    peer = Peer()
    box = Box(peer)
    peer.fenced = True
    peer.deaf = True
    box.outbox.post(1)
    wait_until(lambda: (1,) in peer.written)
    peer.lines[0].cancel()  # as a real one ends when what came along it is refused
    wait_until(lambda: box.failures)
    assert [type(failure) for failure in box.failures] == [Fenced]
    assert len(peer.lines) == 1 or peer.lines[-1].is_over


def test_what_an_earlier_line_says_does_not_count() -> None:
    peer = Peer()
    box = Box(peer)
    first = peer.lines[0]
    first.cancel()
    box.outbox.post(1)
    assert box.outbox.flush(20)
    peer.lines[1].open()
    peer.deaf = True
    box.outbox.post(2)
    wait_until(lambda: (2,) in peer.written)
    first._on_heard(3)
    first._on_end()
    assert not box.outbox.flush(0)
    assert peer.got == [0, 1]
    box.outbox.close()


def test_a_line_that_cannot_be_dialled_costs_nothing_but_calls() -> None:
    peer = Peer()

    def refused(on_heard: Callable[[int], None], on_end: Callable[[], None]) -> Line:
        raise NodeRefused("nobody there")

    outbox: Outbox[int] = Outbox(peer.send, lambda failure: None, "test", 0.001, refused)
    for number in range(3):
        outbox.post(number)
        assert outbox.flush(20)
    assert peer.calls == [(0,), (1,), (2,)]
    outbox.close()


@pytest.mark.parametrize("seed", range(8))
def test_lines_that_come_and_go_lose_nothing_and_repeat_nothing(seed: int) -> None:
    chance = random.Random(seed)
    peer = Peer()
    peer.full = 3
    outbox: Outbox[int] = Outbox(peer.send, lambda failure: None, "test", 0.001, peer.dial, answer_seconds=0.02)
    opened = 0
    for number in range(400):
        outbox.collect(number) if chance.random() < 0.3 else outbox.post(number)
        if chance.random() < 0.1:
            peer.deaf = not peer.deaf
        if chance.random() < 0.1 and len(peer.lines) > opened:
            opened = len(peer.lines)
            peer.lines[-1].open()
        if chance.random() < 0.05 and peer.lines:
            peer.lines[-1].cancel()
        if chance.random() < 0.1:
            outbox.flush(0.01)
    peer.deaf = False
    outbox.wake()
    assert outbox.flush(30)
    assert peer.got == list(range(400))
    assert peer.calls
    assert any(peer.written)
    outbox.close()


def test_a_message_that_cannot_be_written_at_all_ends_the_outbox_as_a_call_does() -> None:
    """As one that cannot be encoded: the thread goes on, and the call that is tried next says what is wrong."""
    peer = Peer()
    box = Box(peer)

    def refuse(first: int, batch: tuple[int, ...], *_: object) -> int:
        raise RecursionError("too deep")

    peer.lines[0].write = refuse  # type: ignore[method-assign,assignment]
    box.outbox._send = refuse
    box.outbox.post(1)
    wait_until(lambda: bool(box.failures))
    assert "too deep" in box.failures[0].message
    wait_until(lambda: not box.outbox._thread.is_alive())
    assert peer.got == [0]


def test_an_answer_that_comes_just_before_messages_are_written_takes_them_away() -> None:
    """The reply to a call was lost, and a line says that its messages were heard, as they are about to go again."""
    peer = Peer()
    box = Box(peer)
    lost = threading.Event()

    def losing(first: int, batch: tuple[int, ...]) -> int:
        peer.take(first, batch)
        lost.set()
        raise NodeUnavailable("the reply is lost")

    peer.full, box.outbox._send = 0, losing
    box.outbox.post(1)
    assert lost.wait(20)
    peer.full, box.outbox._send = 1 << 30, peer.send
    peer.lines[0]._on_heard(peer.take(0, ()))
    for number in (2, 3, 4):
        box.outbox.post(number)
        wait_until(lambda upto=number: peer.got[-1] == upto)
    assert box.outbox.flush(20)
    assert peer.got == [0, 1, 2, 3, 4]
    box.outbox.close()
