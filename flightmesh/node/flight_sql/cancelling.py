"""Ends the job of a flight info that a client gives back.

Handed what came of a flight info; hands on the protocol's number for what became of its job. What always holds: the job is
named by the info's own metadata, as GetFlightInfo wrote it; an info without a job is one that cannot be cancelled.
"""

from __future__ import annotations

from flightmesh.protocol.client_messages import AskJob
from flightmesh.protocol.codec import decode
from flightmesh.protocol.flight_sql import FlightInfo
from flightmesh.runtime.mesh_driver import MeshDriver

CANCELLED, NOT_CANCELLABLE = 1, 3


def cancel_info(info: FlightInfo | None, driver: MeshDriver) -> int:
    """Ends the job of an info. Raises InvalidMessage for metadata that are not ours, UnknownJob."""
    if info is None or not info.app_metadata:
        return NOT_CANCELLABLE
    asked: AskJob = decode(info.app_metadata, AskJob)
    driver.cancel(asked.job, "it was cancelled by request")
    return CANCELLED
