"""Room for queries that are nested deeply.

Handed work without side effects; hands on its result. What always holds: work that the recursion limit stops is done again on
a thread with a large stack under a higher limit, so depth costs nothing where there is none; past that limit the
RecursionError comes out, never a crash.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")

_STACK_BYTES = 512 << 20
"""Reserved, not used: memory is taken only as deep as a stack grows."""
_FRAMES = 30_000

_one_at_a_time = threading.RLock()
"""The limit is all threads': none may be past the usual one on a usual stack, least of all when it comes down again."""
_lock = threading.Lock()
_here = threading.local()
_raised_by = 0
_usual_limit = 0


def with_headroom(work: Callable[[], T]) -> T:
    """What `work` gives; done a second time, with more room, if it was too deep for the caller's stack."""
    if is_roomy():
        return work()
    with _one_at_a_time:
        try:
            return work()
        except RecursionError:
            pass
        return _on_a_large_stack(work)


def is_roomy() -> bool:
    """Whether this thread has the large stack."""
    return getattr(_here, "roomy", False)


def _on_a_large_stack(work: Callable[[], T]) -> T:
    results: list[T] = []
    failures: list[BaseException] = []

    def run() -> None:
        _here.roomy = True
        try:
            with _more_frames():
                results.append(work())
        except BaseException as failure:
            failures.append(failure)

    _started(run).join()
    if failures:
        raise failures[0]
    return results[0]


def _started(run: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=run, name="flightmesh-deep", daemon=True)
    with _lock:
        usual = threading.stack_size(_STACK_BYTES)
        try:
            thread.start()
        except RuntimeError:
            raise RecursionError("there is no memory for a larger stack") from None
        finally:
            threading.stack_size(usual)
    return thread


@contextmanager
def _more_frames() -> Iterator[None]:
    """The higher limit while any such work runs: Python has one limit for all threads."""
    global _raised_by, _usual_limit
    with _lock:
        if _raised_by == 0:
            _usual_limit = sys.getrecursionlimit()
            sys.setrecursionlimit(max(_usual_limit, _FRAMES))
        _raised_by += 1
    try:
        yield
    finally:
        with _lock:
            _raised_by -= 1
            if _raised_by == 0:
                sys.setrecursionlimit(_usual_limit)
