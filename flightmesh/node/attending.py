"""Whom a thread works for: a call that may be dropped while its handler waits for a job.

Handed a call for as long as its handler runs; hands on a check that raises Cancelled once the caller has gone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from flightmesh.errors import Cancelled
from flightmesh.transport.service import Call

_CALL: ContextVar[Call | None] = ContextVar("flightmesh_call", default=None)


@contextmanager
def attending(call: Call) -> Iterator[None]:
    """Makes what this thread starts work for `call`."""
    token = _CALL.set(call)
    try:
        yield
    finally:
        _CALL.reset(token)


def caller_check() -> Callable[[], None]:
    """Raises Cancelled when the caller that this thread works for has gone. May be called from any thread."""
    call = _CALL.get()

    def check() -> None:
        if call is not None and call.is_cancelled():
            raise Cancelled("the client has gone")

    return check
