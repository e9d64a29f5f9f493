"""A driver that hears every report more than once, and old ones late, comes to the same end."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flightmesh.config import MeshConfig
from flightmesh.driver.actor import Driver
from flightmesh.driver.events import DriverEvent, EndJob, ForgetJob, ReportReceived, Send
from flightmesh.driver.record import JobState
from flightmesh.protocol.messages import GrantSplits
from tests.driver.test_scripts import event_of

LIFE = [
    "join w1 2",
    "submit 1 grouping 2",
    "splits 1 0 0 3",
    "w1 wants 1.0.0/0 0 0",
    "w1 wants 1.0.1/0 0 0",
    "w1 wants 1.0.0/0 0 1",
    "w1 wants 1.0.1/0 0 1",
    "w1 running 1.0.0/0 0",
    "w1 running 1.0.0/0 1",
    "w1 finished 1.0.0/0 2 wrote:0=1,2,3,4,0,0,0,0",
    "w1 running 1.1.0/0 0",
    "w1 finished 1.0.1/0 0 wrote:0=1,1,1,1,1,1,1,1",
    "w1 finished 1.1.0/0 1 wrote:1=4 read:0=14",
    "w1 finished 1.1.1/0 0 wrote:1=4 read:0=4",
    "taken 1",
    "w1 released 1",
]

MESH_LIFE = [
    "join w1 1 a",
    "join w2 1 b",
    "submit 1 grouping 2 at-workers put",
    "splits 1 0 0 3",
    "w1 wants 1.0.0/0 0 0",
    "w2 wants 1.0.1/0 0 0",
    "w1 wants 1.0.0/0 0 1",
    "w2 wants 1.0.1/0 0 1",
    "w1 running 1.0.0/0 0",
    "w1 finished 1.0.0/0 1 wrote:0=1,2,3,4,0,0,0,0",
    "w2 finished 1.0.1/0 0 wrote:0=1,1,1,1,1,1,1,1",
    "w1 finished 1.1.0/0 0 wrote:1=4 read:0=14",
    "w2 finished 1.1.1/0 0 wrote:1=4 read:0=4",
    "w2 read 1 1",
    "w1 read 1 0",
    "w1 released 1",
    "w2 released 1",
]


@pytest.mark.parametrize("life", [LIFE, MESH_LIFE], ids=["in one process", "on a mesh"])
@settings(max_examples=200, deadline=None)
@given(echoes=st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20)), max_size=12))
def test_doubled_and_late_reports_change_nothing(life: list[str], echoes: list[tuple[int, int]]) -> None:
    events = [event_of(line) for line in life]
    played: list[DriverEvent] = []
    for place in range(len(events) + 1):
        for source, after in echoes:
            if after == place and source < place and isinstance(events[source], ReportReceived):
                played.append(events[source])
        played.extend(events[place : place + 1])
    driver = Driver(MeshConfig())
    effects = [effect for now, event in enumerate(played) for effect in driver.step(event, float(now))]
    ends = [effect.record for effect in effects if isinstance(effect, EndJob)]
    assert [record.state for record in ends] == [JobState.SUCCEEDED]
    assert sum(isinstance(effect, ForgetJob) for effect in effects) == 1
    granted = {e.message for e in effects if isinstance(e, Send) and isinstance(e.message, GrantSplits)}
    handed = [split for grant in granted for split in grant.splits]
    assert len(handed) == len(set(handed)) == 3, "no split is handed out twice, nor lost"
    assert len({(grant.attempt, grant.number) for grant in granted}) == len(granted), "asked again, answered the same"
    assert driver.is_idle
