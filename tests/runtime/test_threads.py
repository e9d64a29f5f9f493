"""The pool of threads: used again, ended when idle, all gone after close."""

from __future__ import annotations

import threading

from flightmesh.runtime.threads import Threads
from tests.waiting import wait_until


def test_an_idle_thread_is_used_again() -> None:
    pool = Threads("pool", idle_seconds=60.0)
    seen: list[int] = []
    for _ in range(20):
        done = threading.Event()

        def work(done: threading.Event = done) -> None:
            seen.append(threading.get_ident())
            done.set()

        pool.run(work)
        assert done.wait(5)
        wait_until(lambda: pool._idle == 1, 5, "the thread to fall idle")
    assert len(set(seen)) == 1
    pool.close()


def test_threads_with_nothing_to_do_end_and_new_work_finds_new_ones() -> None:
    pool = Threads("pool", idle_seconds=0.02)
    gate = threading.Event()
    for _ in range(8):
        pool.run(lambda: (gate.wait(5), None)[1])
    assert pool.count == 8
    gate.set()
    wait_until(lambda: pool.count == 0, 5, "idle threads to end")
    done = threading.Event()
    pool.run(done.set)
    assert done.wait(5)
    pool.close()


def test_no_work_is_lost_while_threads_end() -> None:
    """Work comes just when idle threads give up waiting."""
    pool = Threads("pool", idle_seconds=0.001)
    finished = threading.Semaphore(0)
    for _ in range(2000):
        pool.run(finished.release)
    for _ in range(2000):
        assert finished.acquire(timeout=10)
    pool.close()


def test_the_limit_holds_and_all_work_is_done() -> None:
    pool = Threads("pool", limit=3, idle_seconds=0.001)
    finished = threading.Semaphore(0)
    for _ in range(500):
        pool.run(finished.release)
        assert pool.count <= 3
    for _ in range(500):
        assert finished.acquire(timeout=10)
    pool.close()
