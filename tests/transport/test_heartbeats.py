"""Small calls are answered while streams saturate a node."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Callable

from tests.transport.node_process import started
from tests.transport.serving import calling
from tests.waiting import TooSlow, again_if_slow

STREAMS = 32
HEARTBEATS = 100
PROMISED = 0.2


@again_if_slow
def test_heartbeats_are_answered_while_32_streams_saturate_a_node(record_property: Callable[[str, object], None]) -> None:
    """The promise is 200 ms each. A shared machine may stop any process for longer than that, whatever the node does, so this
    holds it for nine of ten, and for the median by far; the figures are recorded."""
    tick = threading.Event()
    times: list[float] = []
    with started() as node, started("read", node.uri, str(STREAMS)) as reader, calling() as peers:
        assert reader.uri == "reading"
        before = int(peers.call(node.uri, "sent", b"", 20)[0])
        began = time.monotonic()
        for _ in range(HEARTBEATS):
            asked = time.monotonic()
            assert peers.call(node.uri, "echo", b"load", 20) == [b"load"]
            times.append(time.monotonic() - asked)
            tick.wait(0.02)
        rate = (int(peers.call(node.uri, "sent", b"", 20)[0]) - before) / (time.monotonic() - began)
    times.sort()
    figures = {"median": statistics.median(times), "p95": times[94], "worst": times[-1], "MiB/s": rate}
    record_property("heartbeats", figures)
    in_time = sum(t < PROMISED for t in times)
    if rate <= 50 or figures["median"] >= PROMISED / 2 or in_time < 0.9 * HEARTBEATS:
        raise TooSlow(f"{figures}, {in_time} in time")
