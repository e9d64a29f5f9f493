"""Connections that a listener still has, cut off where asking did not help.

Handed the port of a listener that closes; has the peers' connections to it end at once. What always holds: only connections
that were accepted at that port are touched. gRPC ends a call of a peer that is stopped, or whose cable was pulled, only with
the connection; a server waits for its calls, and when the process ends, Flight waits for its servers.
"""

from __future__ import annotations

import socket
from contextlib import suppress

import psutil


def cut_off(port: int) -> int:
    """Ends the connections that peers have with this process at a port; how many there were."""
    cut = 0
    try:
        connections = psutil.Process().net_connections("tcp")
    except psutil.Error:  # where a process may not look at itself, they end with it
        return 0
    for connection in connections:
        if connection.raddr and connection.laddr.port == port:
            with suppress(OSError, IndexError), socket.fromfd(connection.fd, connection.family, connection.type) as found:
                if found.getsockname()[1] == port:  # else the number stands for another file by now, without a port even
                    found.shutdown(socket.SHUT_RDWR)
                    cut += 1
    return cut
