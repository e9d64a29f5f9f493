"""A board that is being closed while orders still come: of a worker that was fenced, say, after it had been stopped."""

from __future__ import annotations

from flightmesh.protocol.messages import ExchangeMode, TaskState
from flightmesh.worker.events import TaskEnded
from tests.hand_made import scanning
from tests.runtime.hand_driver import HandDriver
from tests.runtime.test_mesh_jobs import T, fill
from tests.runtime.twin import mesh_of


def test_a_task_that_is_ordered_after_all_were_cancelled_is_cancelled_too() -> None:
    """Nobody would give it splits any more, and it would wait for them for ever."""
    with mesh_of(1) as mesh:
        fill(mesh)
        graph = scanning(1, T)
        driver = HandDriver(mesh, graph, ExchangeMode.GET)
        mesh.workers[0].board.cancel_all()
        driver.start(graph.stages[0])
        events = iter(lambda: mesh.events.get(timeout=20)[1], None)
        ended = next(event for event in events if isinstance(event, TaskEnded))
        assert ended.state is TaskState.CANCELLED
        driver.drop()
