"""Thousands of simulated meshes: real driver, workers and exchange stores over a bad network, with nodes that die, stop and
drain.

A failure prints its seed; `FLIGHTMESH_SEED=<seed> pytest tests/simulation` runs it again, event by event the same.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from unittest import mock

import pytest

from flightmesh.driver import actor, graph_edges, loss, placing, split_queues
from flightmesh.driver.record import JobState
from flightmesh.protocol.messages import Retention
from tests.simulation.simulate import simulate

SEEDS = 2_000
CHUNK = 50


def check(seed: int) -> str:
    """The trace of a seed that ran as it should."""
    try:
        return simulate(seed).agenda.trace
    except Exception as error:
        raise AssertionError(f"seed {seed}: {error}\n\nagain: FLIGHTMESH_SEED={seed} pytest tests/simulation") from error


if "FLIGHTMESH_SEED" in os.environ:

    def test_seed() -> None:
        check(int(os.environ["FLIGHTMESH_SEED"]))

else:

    @pytest.mark.parametrize("chunk", range(SEEDS // CHUNK))
    def test_seeds(chunk: int) -> None:
        for seed in range(chunk * CHUNK, (chunk + 1) * CHUNK):
            check(seed)


def test_a_seed_replays_exactly() -> None:
    for seed in range(20):
        assert check(seed) == check(seed)
    assert len({check(seed) for seed in range(20)}) == 20


def test_a_seed_replays_exactly_in_another_process() -> None:
    """Nothing hangs on the order of sets, which another hash seed changes."""
    code = "from tests.simulation.simulate import simulate\nprint(*(simulate(seed).agenda.trace for seed in range(15)))"
    traces = [
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=True,
            timeout=120,
        ).stdout.split()
        for hash_seed in ("1", "2")
    ]
    assert traces[0] == traces[1] == [check(seed) for seed in range(15)]


def test_simulations_see_life() -> None:
    """What the seeds are about: jobs that end well, and in each of the ways in which they may not."""
    states: Counter[JobState] = Counter()
    errors: Counter[str] = Counter()
    for seed in range(200):
        for outcome in simulate(seed).outcomes.values():
            record = outcome.records[0]
            states[record.state] += 1
            errors[record.error["code"] if record.error is not None else "none"] += 1
    assert states[JobState.SUCCEEDED] > 200
    assert {"worker_lost", "cancelled", "stream_broken", "invalid_input", "node_unavailable"} <= set(errors)


@pytest.mark.parametrize(
    ("room", "name", "broken"),
    [
        (placing, "tell_growth", lambda table, job: []),
        (graph_edges, "_retention", lambda edge, options: Retention.READ),
        (actor, "look_for_silence", lambda table, now: []),
        (actor, "give_up_waiting", lambda table, now: []),
        (actor, "release_drained", lambda table: []),
        (loss, "release_ended", lambda table, job: []),
        (split_queues, "replace", lambda entry, **_: entry),
    ],
    ids=["sources that come later", "retention", "silence", "no worker", "draining", "loss", "splits"],
)
def test_simulations_notice_a_driver_that_is_broken(room: object, name: str, broken: Callable[..., object]) -> None:
    """The simulation can fail: for each of some faults in the driver there is a seed that shows it."""
    with mock.patch.object(room, name, broken):
        for seed in range(600):
            try:
                simulate(seed)
            except Exception:
                return
    raise AssertionError("no seed noticed")
