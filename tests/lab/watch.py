"""Who is of a mesh, as its driver says, from moment to moment: a program that runs in a place without a node.

Handed a driver's address; prints a line of JSON, the state of each worker by name, whenever it is not what it was. What always
holds: a driver that is away is asked again.
"""

from __future__ import annotations

import json
import sys
import time

from flightmesh.errors import FlightmeshError
from flightmesh.protocol.client_messages import Nodes
from flightmesh.protocol.codec import decode
from flightmesh.session.driver_access import find_access

TICK = 0.03


def main(driver: str) -> None:
    """Until it is killed."""
    connection = find_access(driver).connect()
    shown = None
    while True:
        try:
            nodes: Nodes = decode(connection.action("nodes", b"", 1.0)[0], Nodes)
            now = {node.name: node.state for node in nodes.nodes if node.role == "worker"}
        except FlightmeshError:
            now = None
        if now != shown:
            print(json.dumps(now), flush=True)
            shown = now
        time.sleep(TICK)


if __name__ == "__main__":
    main(sys.argv[1])
