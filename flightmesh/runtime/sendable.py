"""Whether the stages of a job can go to workers, asked before any of them does.

Handed a stage graph; raises for one that cannot be written as messages, or whose rows cannot be. What always holds: what
passes can be sent, so that no plan makes a worker seem lost.
"""

from __future__ import annotations

from flightmesh.errors import FlightmeshError, UnsupportedFeature
from flightmesh.expression.types import TYPE_LEVELS, type_levels
from flightmesh.protocol.codec import encode
from flightmesh.stage.graph import StageGraph
from flightmesh.transport.large_bodies import LARGEST_BODY

OVERHEAD = 1024 * 1024
"""More than a message has beside the stage in it."""
_HINT = "split the query with CREATE TABLE AS"


def require_sendable(graph: StageGraph) -> None:
    """Raises UnsupportedFeature for a graph whose plan, or whose rows, no message can carry."""
    for edge in graph.edges:
        for field in edge.fields:
            if type_levels(field.type) > TYPE_LEVELS:
                said = f"lists within each other in more than {TYPE_LEVELS} levels, as the column {field.name!r} has them"
                raise UnsupportedFeature(f"{said}, cannot be sent by workers", hint="nest fewer lists")
    for stage in graph.stages:
        try:
            size = len(encode(stage))
        except FlightmeshError:
            raise
        except Exception as error:
            reason = f"{type(error).__name__}: {error}".splitlines()[0]
            raise UnsupportedFeature(f"the plan of the query cannot be sent to workers ({reason})", hint=_HINT) from None
        if size > LARGEST_BODY - OVERHEAD:
            said = f"a stage of the query takes {size} bytes, and at most {LARGEST_BODY - OVERHEAD} can be sent to workers"
            raise UnsupportedFeature(said, hint="put long lists of values into a table and join with it")
