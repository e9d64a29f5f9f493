"""Memory is given back twice after work, and never while there is some."""

from __future__ import annotations

import threading

import pytest

import flightmesh
from flightmesh.config import Config
from flightmesh.runtime import idle_memory
from flightmesh.runtime.idle_memory import AFTER_THREADS, IdleMemory, give_back_memory


def test_twice_after_each_time_of_work() -> None:
    first, second = (9.0 + more for more in AFTER_THREADS)
    given: list[float] = []
    memory = IdleMemory(9.0, lambda: given.append(now))
    for now in (0.0, 100.0):
        memory.look(0, now)
    assert given == [], "there was no work yet"
    for now in (100.5, 101.0):
        memory.look(2, now)
    for now in (102.0, 102.0 + first - 0.1):
        memory.look(0, now)
    assert given == [], "it may go on soon"
    for now in (102.0 + first, 102.0 + first + 0.5, 102.0 + second, 200.0, 300.0):
        memory.look(0, now)
    assert given == [102.0 + first, 102.0 + second]
    for now in (301.0, 400.0):
        memory.look(1, now)
    assert len(given) == 2
    for now in (401.0, 401.0 + first):
        memory.look(0, now)
    memory.look(3, 500.0)
    for now in (501.0, 600.0, 601.0, 602.0):
        memory.look(0, now)
    assert given[2:] == [401.0 + first, 600.0, 601.0], "work in between begins it anew"


def test_giving_back_works_here() -> None:
    give_back_memory()


def test_the_next_look_is_due_when_something_will_be_given_back() -> None:
    first, second = (9.0 + more for more in AFTER_THREADS)
    memory = IdleMemory(9.0, lambda: None)
    memory.look(0, 0.0)
    assert memory.due(1.0) is None, "there was no work yet"
    memory.look(1, 2.0)
    assert memory.due(3.0) is None, "there is work"
    memory.look(0, 10.0)
    assert memory.due(11.0) == first - 1
    memory.look(0, 10.0 + first + 1)
    assert memory.due(10.0 + first + 1) == second - first - 1
    assert memory.due(1000.0) == 0
    memory.look(0, 1000.0)
    assert memory.due(1000.0) is None


def test_a_session_that_has_nothing_to_do_gives_it_back_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    given = threading.Semaphore(0)
    monkeypatch.setattr(idle_memory, "give_back_memory", given.release)
    monkeypatch.setattr(idle_memory, "AFTER_THREADS", (0.0, 0.01))
    with flightmesh.connect(config=Config(idle_seconds=0.01)) as session:
        for _ in range(2):
            session.sql("select 1 as a").to_arrow()
            assert given.acquire(timeout=60)
            assert given.acquire(timeout=60)
