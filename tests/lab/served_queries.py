"""A client in a laboratory: finds the mesh, runs TPC-H queries over what its nodes serve, and checks them.

Its arguments are the numbers of the queries; FLIGHTMESH_TOKEN_FILE says where its token is.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import flightmesh
from flightmesh.cli.asking import FOUND, DriverAt
from flightmesh.protocol.client_messages import Nodes, NodeStatus
from tests.mesh.served_tpch import check


def main(numbers: list[int]) -> None:
    """Says `ok` for each query that is as it should be."""
    with flightmesh.connect(FOUND) as session, DriverAt(None, token_file=Path(os.environ["FLIGHTMESH_TOKEN_FILE"])) as driver:

        def carrying() -> list[NodeStatus]:
            nodes = driver.ask("nodes", None, Nodes).nodes
            return [node for node in nodes if node.role == "worker" and node.state == "alive"]

        for number in numbers:
            check(session, carrying, number)
            print(f"q{number:02} ok", flush=True)


if __name__ == "__main__":
    main([int(number) for number in sys.argv[1:]])
