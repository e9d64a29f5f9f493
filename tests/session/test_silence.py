"""A driver that is gone, one that is silent, and one that is only busy; calls that take long."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from flightmesh.errors import InvalidQuery, NodeRefused, NodeSilent, NodeUnavailable
from flightmesh.session import patience
from flightmesh.session.patience import patiently
from flightmesh.session.silence import SILENT_SECONDS, Silence


def raising(error: Exception) -> Callable[[], int]:
    def question() -> int:
        raise error

    return question


def test_who_refuses_twice_in_a_row_is_gone() -> None:
    heard = Silence()
    refused = raising(NodeRefused("nobody listens"))
    assert heard.ask(refused) is None
    assert heard.ask(lambda: 7) == 7
    assert heard.ask(refused) is None
    with pytest.raises(NodeRefused):
        heard.ask(refused)


def test_who_is_silent_is_gone_only_after_long(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr("flightmesh.session.silence.time.monotonic", lambda: now)
    heard = Silence()
    silent = raising(NodeSilent("no answer in time"))
    for _ in range(5):
        assert heard.ask(silent) is None
    now += SILENT_SECONDS - 1
    assert heard.ask(silent) is None
    assert heard.ask(lambda: 7) == 7
    now += SILENT_SECONDS - 1
    assert heard.ask(silent) is None
    now += 2
    with pytest.raises(NodeSilent):
        heard.ask(silent)


def test_other_errors_are_raised_at_once() -> None:
    with pytest.raises(InvalidQuery):
        Silence().ask(raising(InvalidQuery("wrong")))


def test_a_long_call_has_its_answer_and_its_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "_STEP_SECONDS", 0.01)
    pings = threading.Semaphore(0)

    def answer() -> int:
        for _ in range(3):  # goes on while the other side is asked whether it is there
            assert pings.acquire(timeout=10)
        return 7

    assert patiently(answer, pings.release) == 7
    with pytest.raises(InvalidQuery, match="wrong"):
        patiently(raising(InvalidQuery("wrong")), lambda: None)


def test_a_long_call_ends_when_nobody_is_there_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "_STEP_SECONDS", 0.01)
    held = threading.Event()
    with pytest.raises(NodeUnavailable, match="nobody listens"):
        patiently(lambda: held.wait(30), raising(NodeRefused("nobody listens")))
    held.set()
