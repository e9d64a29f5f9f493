"""Lines between a driver and its workers: they come about, queries go on when they end, and they go with their workers."""

from __future__ import annotations

import threading

import flightmesh
from flightmesh.transport.flight_lines import Lines
from tests.node.loopback import Loopback, loopback, wait_until
from tests.node.small_mesh import ROWS, numbers

__all__ = ["numbers"]


def lines_of(mesh: Loopback) -> list[Lines]:
    """Those that are answered by the driver, then by each worker."""
    nodes = [mesh.driver._mesh_node, *(worker._listeners.nodes for worker in mesh.workers)]
    return [node._door.lines for node in nodes]


def counts(mesh: Loopback) -> list[int]:
    return [len(lines._open) for lines in lines_of(mesh)]


def test_orders_and_reports_have_lines_that_come_again(numbers: str) -> None:
    expected = [(key, ROWS // 10) for key in range(10)]
    with loopback() as mesh, flightmesh.connect(mesh.driver.client_uri) as session:
        session.register("t", numbers)

        def ask() -> None:
            rows = session.sql("select k, count(*) as n from t group by k order by k").to_arrow().to_pylist()
            assert [(row["k"], row["n"]) for row in rows] == expected

        def asked_until(there: list[int]) -> bool:
            ask()
            return counts(mesh) == there

        wait_until(lambda: asked_until([2, 1, 1]), "a line for the reports of each worker and one for the orders to it")
        over = threading.Event()

        def disturb() -> None:
            while not over.wait(0.01):
                for lines in lines_of(mesh):
                    lines.ending()()

        disturbing = threading.Thread(target=disturb)
        disturbing.start()
        for _ in range(20):
            ask()
        over.set()
        disturbing.join()
        wait_until(lambda: asked_until([2, 1, 1]), "the lines are dialled again")
        mesh.workers.pop().close()
        wait_until(lambda: counts(mesh) == [1, 1], "a worker that leaves takes its lines with it")
        ask()
