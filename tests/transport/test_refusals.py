"""Refused calls are logged, and a flood of them does not fill the disk."""

from __future__ import annotations

import logging

import pytest

from flightmesh.transport import refusals
from flightmesh.transport.refusals import MOST_LINES, Refusals


def test_a_flood_makes_few_lines(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(refusals.time, "monotonic", lambda: now[0])
    noted = Refusals()
    with caplog.at_level(logging.WARNING):
        for number in range(1000):
            noted.note(f"peer {number}", "no token")
        assert caplog.messages == [f"refused a call of peer {number}: no token" for number in range(MOST_LINES)]
        caplog.clear()
        now[0] += 1
        noted.note("a late one", "no token")
        assert caplog.messages == [f"refused {1000 - MOST_LINES} more calls", "refused a call of a late one: no token"]
        caplog.clear()
        now[0] += 1
        noted.note("another", "no token")
        assert caplog.messages == ["refused a call of another: no token"]
