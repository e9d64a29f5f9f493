"""One seed, one simulation: some nodes, some jobs, and often a few things that go wrong."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from unittest import mock

from flightmesh.config import MeshConfig
from flightmesh.driver import graph_edges
from flightmesh.exchange import blocks
from flightmesh.ids import JobId
from tests.simulation.agenda import Agenda
from tests.simulation.client import Manner
from tests.simulation.links import Weather
from tests.simulation.mesh import Mesh, random_options

CREDIT = 300
"""Bytes of a result under way: little, so that its producers wait."""

LATEST = 300.0
"""Simulated seconds after which a simulation that is not over hangs."""

MANNERS = [Manner.TOGETHER] * 6 + [Manner.IN_TURN, Manner.LATE, Manner.SLOW, Manner.DROPS, Manner.NEVER]


@dataclass(frozen=True, slots=True)
class Clock:
    """What the staging of rows takes for the time."""

    agenda: Agenda

    def monotonic(self) -> float:
        """Simulated seconds."""
        return self.agenda.now


def simulate(seed: int) -> Mesh:
    """Runs a seed to its end and checks it. Raises AssertionError."""
    agenda = Agenda(seed)
    with mock.patch.object(blocks, "time", Clock(agenda)), mock.patch.object(graph_edges, "RESULT_CREDIT", CREDIT):
        mesh = _mesh(agenda)
        agenda.run(lambda: mesh.is_over, LATEST)
        mesh.check()
    return mesh


def _mesh(agenda: Agenda) -> Mesh:
    chance = agenda.chance
    is_rough = chance.random() < 0.5
    weather = Weather(chance.choice([0.005, 0.05, 0.3]), 0.1 if is_rough else 0.0, 0.2 if is_rough else 0.0)
    mesh = Mesh(agenda, MeshConfig(running_jobs=chance.randint(1, 3), history=2), weather)
    for _ in range(chance.randint(1, 4)):
        mesh.add_node(chance.randint(1, 2))
    jobs = chance.randint(1, 3)
    mesh.expect(jobs)
    for number in range(1, jobs + 1):
        manner, options = chance.choice(MANNERS), random_options(agenda)
        agenda.soon(partial(mesh.submit, JobId(number), manner, options), 2.0)
    if chance.random() < 0.6:
        for _ in range(chance.randint(1, 3)):
            agenda.after(chance.uniform(0.0, 3.0), lambda: _trouble(mesh))
    return mesh


def _trouble(mesh: Mesh) -> None:
    chance = mesh.agenda.chance
    node = chance.choice(mesh.nodes)
    match chance.choice(["kill", "kill and restart", "stop a little", "stop for long", "drain", "cancel", "join", "sleep"]):
        case "kill":
            mesh.kill(node)
        case "kill and restart":
            mesh.kill(node)
            mesh.agenda.after(chance.uniform(0.1, 4.0), lambda: mesh.add_node(node.slots))
        case "stop a little":
            mesh.freeze(node, chance.uniform(0.1, 3.0))
        case "stop for long":
            mesh.freeze(node, chance.uniform(5.0, 12.0))
        case "sleep":
            mesh.put_to_sleep(chance.uniform(0.1, 7.0))
        case "drain":
            mesh.drain(node)
        case "join":
            mesh.add_node(chance.randint(1, 2))
        case _:
            if mesh.queries:
                mesh.cancel(chance.choice(sorted(mesh.queries)))
