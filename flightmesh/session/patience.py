"""Waits for an answer that may take long, so that Ctrl-C is heard and a driver that is gone is noticed.

Handed a call to make and a way to ask whether the other side is there; hands on the call's answer. What always holds: the
call runs on a thread of its own, since one under way cannot be interrupted.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, TypeVar

from flightmesh.session.silence import Silence

_STEP_SECONDS = 1.0

Answer = TypeVar("Answer")


def patiently(call: Callable[[], Answer], ping: Callable[[], object]) -> Answer:
    """The answer of `call`. Raises what it raises, and NodeUnavailable when `ping` says that nobody is there any more."""
    done = threading.Event()
    answers: list[Answer] = []
    failures: list[BaseException] = []

    def run() -> None:
        try:
            answers.append(call())
        except BaseException as failure:
            failures.append(failure)
        done.set()

    threading.Thread(target=run, name="flightmesh-call", daemon=True).start()
    silence = Silence()
    while not done.wait(_STEP_SECONDS):
        silence.ask(ping)
    if failures:
        raise _alone(failures[0])
    return answers[0]


def _alone(failure: BaseException) -> Any:
    """An error without the frames of the thread that it comes from."""
    return failure.with_traceback(None)
