"""A client in a laboratory: runs TPC-H queries over what the nodes there serve, and checks them.

python -m tests.lab.served_queries HOST:PORT NUMBER...
"""

from __future__ import annotations

import sys

import flightmesh
from flightmesh.protocol.client_messages import Nodes, NodeStatus
from tests.mesh.cluster import ask
from tests.mesh.served_tpch import check


def main(uri: str, numbers: list[int]) -> None:
    """Says `ok` when all queries are as they should be."""

    def carrying() -> list[NodeStatus]:
        found: Nodes = ask(uri, "nodes", Nodes)
        return [node for node in found.nodes if node.role == "worker" and node.state == "alive"]

    with flightmesh.connect(uri) as session:
        for number in numbers:
            check(session, carrying, number)
            print(f"q{number:02} ok", flush=True)


if __name__ == "__main__":
    main(f"grpc://{sys.argv[1]}", [int(number) for number in sys.argv[2:]])
