"""Slots are handed out in order; kept threads are used again and end."""

from __future__ import annotations

import queue
import threading
import time

from flightmesh.runtime.slots import TURN_SECONDS, SlotHold, Slots
from flightmesh.runtime.threads import Threads


def test_a_slot_goes_to_who_has_waited_longest() -> None:
    slots = Slots(1)
    slots.acquire()
    order: list[int] = []
    threads = []
    for number in range(4):
        thread = threading.Thread(target=lambda n=number: (slots.acquire(), order.append(n), slots.release()))
        thread.start()
        until(lambda n=number: len(slots._waiting) == n + 1)
        threads.append(thread)
    slots.release()
    for thread in threads:
        thread.join(10)
    assert order == [0, 1, 2, 3]
    assert slots.free == 1


def test_a_waiting_task_has_given_its_slot_up() -> None:
    slots = Slots(1)
    with SlotHold(slots) as hold:
        assert slots.free == 0
        with hold.given_up():
            assert slots.free == 1
        assert slots.free == 0
    assert slots.free == 1


def test_a_task_that_has_had_its_turn_lets_another_go_first() -> None:
    slots = Slots(1)
    order: list[str] = []
    with SlotHold(slots) as hold:
        hold.take_turns()
        other = threading.Thread(target=lambda: (slots.acquire(), order.append("other"), slots.release()))
        other.start()
        until(lambda: slots.contended)
        end = time.monotonic() + 100 * TURN_SECONDS
        while not order and time.monotonic() < end:
            hold.take_turns()
        order.append("first")
    other.join(10)
    assert order == ["other", "first"]


def test_idle_threads_are_used_again() -> None:
    threads = Threads("test")
    seen: queue.Queue[str] = queue.Queue()
    names = set()
    for _ in range(20):
        threads.run(lambda: seen.put(threading.current_thread().name))
        names.add(seen.get(timeout=10))
        until(lambda: threads._idle == 1)
    assert names == {"test-1"}
    threads.close()


def test_a_blocked_thread_holds_nobody_up() -> None:
    threads = Threads("test")
    gate = threading.Event()
    done: queue.Queue[int] = queue.Queue()
    for number in range(5):
        threads.run(lambda n=number: (gate.wait(10), done.put(n)))
    threads.run(gate.set)
    assert sorted(done.get(timeout=10) for _ in range(5)) == [0, 1, 2, 3, 4]
    threads.close()


def test_with_a_limit_work_waits_its_turn() -> None:
    before = threading.active_count()
    threads = Threads("test", limit=2)
    gate = threading.Event()
    done: queue.Queue[int] = queue.Queue()
    for number in range(6):
        threads.run(lambda n=number: (gate.wait(10), done.put(n)))
    assert threading.active_count() == before + 2
    gate.set()
    assert sorted(done.get(timeout=10) for _ in range(6)) == [0, 1, 2, 3, 4, 5]
    threads.run(lambda: done.put(6))
    assert done.get(timeout=10) == 6
    threads.close()
    assert threading.active_count() == before


def until(condition: object) -> None:
    end = time.monotonic() + 10
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < end, "waited for 10 s"
        threading.Event().wait(0.001)
