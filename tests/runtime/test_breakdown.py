"""A bug in an actor: every job ends with an InternalError, nothing hangs, and the runtime can still be closed."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from flightmesh.catalog.memory import MemoryTables
from flightmesh.config import Config
from flightmesh.errors import InternalError
from flightmesh.runtime.embedded import EmbeddedRuntime
from tests.hand_made import constant, grouping


@pytest.mark.parametrize("actor", ["_driver", "_worker"])
@pytest.mark.parametrize("at", [3, 8])
def test_an_actor_that_breaks_ends_its_jobs(monkeypatch: pytest.MonkeyPatch, actor: str, at: int) -> None:
    before = set(threading.enumerate())
    tables = MemoryTables()
    tables.put("t", {"k": [1, 2, 3], "v": [1, 2, 3]})
    runtime = EmbeddedRuntime(Config(threads=2, partitions=2), tables)
    broken = getattr(runtime, actor)
    steps = 0
    good = type(broken).step

    def step(self: Any, event: Any, now: float) -> Any:
        nonlocal steps
        steps += 1
        if steps >= at:
            raise KeyError("a bug")
        return good(self, event, now)

    monkeypatch.setattr(type(broken), "step", step)
    with pytest.raises(InternalError, match="broke down: KeyError: 'a bug'"):
        list(runtime.submit(grouping(2)).batches())
    with pytest.raises(InternalError, match="broke down"):
        runtime.submit(constant())
    runtime.close()
    assert set(threading.enumerate()) == before
