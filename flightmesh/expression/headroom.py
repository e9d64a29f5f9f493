"""Room for queries that are nested deeply.

Handed work without side effects; hands on its result. What always holds: work that the recursion limit stops is done again on
a thread with a large stack under a higher limit, so depth costs nothing where there is none; past that limit the
RecursionError comes out, never a crash; no work waits for deep work to end, which may take long.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from flightmesh.errors import UnsupportedFeature

T = TypeVar("T")

_STACK_BYTES = 512 << 20
"""Reserved, not used: memory is taken only as deep as a stack grows."""
_FRAMES = 30_000

_lock = threading.Lock()
_here = threading.local()
_raised_by = 0
_usual_limit = 0


class _Gate:
    """Work on usual stacks and work on large ones never run at the same time: Python has one recursion limit for all threads,
    and none may go past the usual one on a usual stack."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._usual = 0
        self._deep = 0

    def try_usual(self) -> bool:
        """Lets work begin on a usual stack, unless some runs, or waits to run, on a large one."""
        with self._changed:
            self._usual += self._deep == 0
            return self._deep == 0

    def leave_usual(self) -> None:
        """Such work has ended."""
        with self._changed:
            self._usual -= 1
            self._changed.notify_all()

    @contextmanager
    def deep(self) -> Iterator[None]:
        """Side by side with other work on large stacks, once there is none on usual ones."""
        with self._changed:
            self._deep += 1
            self._changed.wait_for(lambda: self._usual == 0)
        try:
            yield
        finally:
            with self._changed:
                self._deep -= 1


_gate = _Gate()


def with_headroom(work: Callable[[], T]) -> T:
    """What `work` gives; done a second time, with more room, if it was too deep for the caller's stack. While other work has
    more room this has it from the start.

    Inside other such work it is simply done: if it is too deep, the outermost is done again.
    """
    if getattr(_here, "inside", False):
        return work()
    if _gate.try_usual():
        _here.inside = True
        try:
            return work()
        except RecursionError:
            pass
        finally:
            _here.inside = False
            _gate.leave_usual()
    with _gate.deep():
        return _on_a_large_stack(work)


def nested_too_deeply() -> UnsupportedFeature:
    """The error for a query past what can be planned or run."""
    return UnsupportedFeature("the query is nested too deeply", hint="split it with CREATE TABLE AS")


def is_roomy() -> bool:
    """Whether this thread has the large stack."""
    return getattr(_here, "roomy", False)


def _on_a_large_stack(work: Callable[[], T]) -> T:
    results: list[T] = []
    failures: list[BaseException] = []

    def run() -> None:
        _here.roomy = _here.inside = True
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
