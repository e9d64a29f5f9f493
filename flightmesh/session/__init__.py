"""What a Python user touches: `connect` opens a `Session`, whose queries give `Result`s."""

from __future__ import annotations

from flightmesh.session.connect import connect
from flightmesh.session.result import Result
from flightmesh.session.session import Session

__all__ = ["Result", "Session", "connect"]
