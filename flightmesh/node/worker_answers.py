"""Asks all workers of a mesh the same thing, side by side.

Handed an action and its body; hands on each worker's answer or error. What always holds: a worker that is lost while it is
asked does not hold up the others: its answer is that it was lost; nobody waits for longer than `seconds`, nor after the caller
has gone.
"""

from __future__ import annotations

import queue
import time
from collections.abc import Sequence
from functools import partial

from flightmesh.errors import Cancelled, FlightmeshError, NodeUnavailable, WorkerLost
from flightmesh.ids import WorkerId
from flightmesh.node.attending import caller_check
from flightmesh.protocol.client_messages import NodeStatus
from flightmesh.runtime.mesh_driver import MeshDriver
from flightmesh.runtime.threads import Threads

LOOK_SECONDS = 0.25


class WorkerAnswers:
    """Any thread may call."""

    def __init__(self, mesh: MeshDriver) -> None:
        self._mesh = mesh
        self._threads = Threads("flightmesh-ask")
        self._is_closed = False

    def of_all(self, action: str, body: bytes, seconds: float) -> tuple[tuple[NodeStatus, bytes | FlightmeshError], ...]:
        """What each worker answers. Raises NodeUnavailable where there is no worker, Cancelled once the driver is closing."""
        return self.of_each([(worker, body) for worker in self.alive()], action, seconds)

    def of_each(
        self, asked: Sequence[tuple[NodeStatus, bytes]], action: str, seconds: float
    ) -> tuple[tuple[NodeStatus, bytes | FlightmeshError], ...]:
        """What some workers answer, each to a question of its own. Raises Cancelled once the driver is closing."""
        workers = [worker for worker, _ in asked]
        if self._is_closed:
            raise Cancelled("the driver is going down")
        check, end = caller_check(), time.monotonic() + seconds
        answers: queue.SimpleQueue[tuple[WorkerId, bytes | FlightmeshError]] = queue.SimpleQueue()

        def ask(worker: WorkerId, body: bytes) -> None:
            answers.put((worker, self._ask(worker, action, body, seconds)))

        for worker, body in asked:
            self._threads.run(partial(ask, worker.id, body))
        found: dict[WorkerId, bytes | FlightmeshError] = {}
        while len(found) < len(workers):
            try:
                answerer, answer = answers.get(timeout=LOOK_SECONDS)
                found.setdefault(answerer, answer)
            except queue.Empty:
                check()
                there = {worker.id for worker in self._mesh.workers()} if time.monotonic() < end else set()
                for gone in [worker for worker in workers if worker.id not in there]:
                    found.setdefault(gone.id, WorkerLost(f"worker {gone.name} was lost while it was asked", hint="ask again"))
        return tuple((worker, found[worker.id]) for worker in workers)

    def of_one(self, action: str, body: bytes, seconds: float) -> bytes:
        """What the first worker that can be reached answers. Raises what it raises."""
        failure: FlightmeshError | None = None
        for worker in self.alive()[:3]:
            answer = self._ask(worker.id, action, body, seconds)
            if isinstance(answer, bytes):
                return answer
            failure = answer
            if not isinstance(answer, NodeUnavailable):
                break
        assert failure is not None
        raise failure

    def alive(self) -> tuple[NodeStatus, ...]:
        """The workers. Raises NodeUnavailable where there is none."""
        workers = self._mesh.workers()
        if not workers:
            raise NodeUnavailable("this mesh has no workers", hint="start one: the driver has printed the line that joins")
        return workers

    def close(self) -> None:
        """Lets the threads end."""
        self._is_closed = True
        self._threads.end()

    def _ask(self, worker: WorkerId, action: str, body: bytes, seconds: float) -> bytes | FlightmeshError:
        try:
            (answer,) = self._mesh.ask(worker, action, body, seconds)
            return answer
        except FlightmeshError as error:
            return error
        except Exception as failure:
            return NodeUnavailable(f"worker {worker} did not answer {action}: {type(failure).__name__}: {failure}")
