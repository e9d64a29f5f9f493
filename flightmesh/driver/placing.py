"""Places tasks: plans go to their workers, then the orders to run with the first splits, then the news for those at the other
ends of their edges."""

from __future__ import annotations

from dataclasses import replace

from flightmesh.driver.edge_news import plan_stage, tell_growth
from flightmesh.driver.entries import Table
from flightmesh.driver.events import DriverEffect, Send
from flightmesh.driver.moves import phase_after
from flightmesh.driver.schedule import placements
from flightmesh.driver.split_queues import first_grants
from flightmesh.driver.transitions import Happening
from flightmesh.protocol.messages import RunTask


def place(table: Table, now: float) -> list[DriverEffect]:
    """Places what now finds room. All of it is in the table before the first message is made, so that a plan is followed by
    where everything is."""
    chosen = placements(table)
    for task, worker in chosen:
        table.put(replace(task, phase=phase_after(task, Happening.PLACE), worker=worker, started=now))
    effects: list[DriverEffect] = []
    for task, worker in chosen:
        effects.extend(plan_stage(table, task.id.job, task.id.stage, worker))
        effects.append(Send(worker, RunTask(task.attempt)))
    for task, _ in chosen:  # once all have been told to run: a grant may tell others that none are left
        placed = table.task(task.id)
        effects.extend([] if placed is None else first_grants(table, placed))
    for job in dict.fromkeys(task.id.job for task, _ in chosen):
        effects.extend(tell_growth(table, job))
    return effects
