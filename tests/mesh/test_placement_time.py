"""GetFlightInfo answers once a job is placed: how long the job then takes does not matter."""

from __future__ import annotations

import time
from collections.abc import Callable

from flightmesh.protocol.client_messages import AskJob, JobStatus
from flightmesh.protocol.codec import decode, encode
from flightmesh.transport.flight_client import ClientConnection
from flightmesh.transport.service import Asked
from tests.mesh.cluster import Cluster
from tests.waiting import wait_until

ENDLESS = "select count(*) as n from t a, t b where a.v + b.v = -1"
"""A million million rows: minutes, at best."""
PROMISED = 0.1
ROUNDS = 7


def test_a_long_job_is_placed_within_a_tenth_of_a_second(mesh: Cluster, record_property: Callable[[str, object], None]) -> None:
    """The best of some, since a machine with other things to do can hold up any of them; the others are recorded."""
    times: list[float] = []
    client = ClientConnection(mesh.uri)
    for _ in range(ROUNDS):
        started = time.monotonic()
        info = client.info(Asked(ENDLESS.encode()))
        times.append(time.monotonic() - started)
        assert len(info.endpoints) >= 1
        status: JobStatus = decode(client.action("status", info.metadata, 10)[0], JobStatus)
        assert status.state == "running"
        client.action("cancel", encode(AskJob(status.job)), 10)
        wait_until(mesh.is_idle, 10)
    client.close()
    record_property("placed after", sorted(times))
    assert min(times) < PROMISED, sorted(times)
