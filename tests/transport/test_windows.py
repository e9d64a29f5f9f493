"""A reader that stands still holds no more of a stream than its window."""

from __future__ import annotations

from tests.transport.node_process import BATCH_BYTES, started
from tests.transport.serving import calling
from tests.waiting import wait_until

STREAMS = 8
WINDOW = 2 << 20


def test_stalled_readers_bound_what_is_sent_ahead() -> None:
    with started() as peer, calling(WINDOW) as peers:

        def sent() -> int:
            return int(peers.call(peer.uri, "sent", b"", 20)[0])

        streams = [peers.get(peer.uri, b"-1") for _ in range(STREAMS)]
        for stream in streams:
            assert stream.next() is not None
        ahead = [sent()]
        wait_until(
            lambda: ahead.append(sent()) or (len(ahead) > 100 and len(set(ahead[-100:])) == 1), 60, "the senders to stand still"
        )
        assert ahead[-1] - STREAMS <= STREAMS * (2 * WINDOW // BATCH_BYTES + 2)
        assert peers.call(peer.uri, "echo", b"still here", 5) == [b"still here"]
        first = streams.pop(0)
        for _ in range(40):
            assert first.next() is not None
        for stream in [first, *streams]:
            stream.cancel()
