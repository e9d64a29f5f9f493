"""Fetches one stream of a peer into a feed, on a thread of its own.

Handed a peer's address and a signed ticket; hands on the stream's entries, or why there are no more. What always holds: the
thread ends when the stream has, when the feed is closed or when the stream breaks; a break names the peer.
"""

from __future__ import annotations

import logging
import threading

from flightmesh.errors import FlightmeshError, InternalError, ResourceExhausted, StreamBroken
from flightmesh.runtime.feed import Feed
from flightmesh.transport.peers import Peers, StreamIn

LOG = logging.getLogger(__name__)


class Fetcher:
    """One stream. `run` is the thread's whole work; `cancel` may be called from any other."""

    def __init__(self, peers: Peers, address: str, ticket: bytes, feed: Feed) -> None:
        self._peers = peers
        self._address = address
        self._ticket = ticket
        self._feed = feed
        self._stream: StreamIn | None = None
        self._lock = threading.Lock()
        feed.on_close(self.cancel)

    def run(self) -> None:
        """Moves the stream into the feed, to its end."""
        try:
            self._move()
        except Exception as failure:
            self._feed.fail(broken(failure, str(self._feed.origin), self._address))
            self.cancel()
        finally:
            self._stream = None

    def cancel(self) -> None:
        """Ends the stream, wherever it stands."""
        with self._lock:
            stream = self._stream
        if stream is not None:
            stream.cancel()

    def _move(self) -> None:
        stream = self._peers.get(self._address, self._ticket)
        with self._lock:
            self._stream = stream
        while not self._feed.is_closed and (got := stream.next()) is not None:
            if not self._feed.put(*got):
                break
        if self._feed.is_closed:
            stream.cancel()
        elif not self._feed.is_complete:
            raise StreamBroken("it ended before its end")


def broken(failure: Exception, what: str, address: str) -> FlightmeshError:
    """Why a stream gives no more, naming its peer."""
    if isinstance(failure, ResourceExhausted | InternalError):
        return type(failure)(f"{what} ({address}): {failure.message}", hint=failure.hint)
    if not isinstance(failure, FlightmeshError):
        LOG.debug("%s (%s) broke", what, address, exc_info=failure)
    cause = failure.message if isinstance(failure, FlightmeshError) else f"{type(failure).__name__}: {failure}"
    return StreamBroken(f"{what} ({address}) broke: {cause}", hint="run the query again")
