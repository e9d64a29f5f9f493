"""Prepared statements are kept for a while, not for ever, and not too many."""

from __future__ import annotations

import pyarrow as pa
import pytest

from flightmesh.errors import InvalidQuery
from flightmesh.node.flight_sql import prepared as room
from flightmesh.node.flight_sql.prepared import PreparedStatement, PreparedStatements


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(room, "time", made)
    return made


def statement(clock: Clock, text: str = "select 1") -> PreparedStatement:
    return PreparedStatement(text, (), used=clock.now)


def test_use_renews_the_lease(clock: Clock) -> None:
    kept = PreparedStatements(10)
    used, unused = kept.add(statement(clock)), kept.add(statement(clock, "select 2"))
    assert used != unused
    for _ in range(3):
        clock.now += 6
        assert kept.find(used).text == "select 1"
    assert len(kept) == 1
    with pytest.raises(InvalidQuery, match="no such prepared statement") as caught:
        kept.find(unused)
    assert "10 s" in (caught.value.hint or "")


def test_values_stay_bound_until_the_next(clock: Clock) -> None:
    kept = PreparedStatements(10)
    handle = kept.add(statement(clock))
    assert kept.find(handle).values is None
    kept.bind(handle, {"1": pa.scalar(5)}, 8)
    kept.bind(handle, {"1": pa.scalar(6)}, 8)
    assert kept.find(handle).values == {"1": pa.scalar(6)}
    kept.close(handle)
    kept.close(handle)
    assert len(kept) == 0
    with pytest.raises(InvalidQuery):
        kept.bind(handle, {}, 0)


def test_those_unused_the_longest_go_first(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "MOST", 3)
    kept = PreparedStatements(10)
    first, second, third = (kept.add(statement(clock)) for _ in range(3))
    kept.find(first)
    kept.add(statement(clock))
    assert len(kept) == 3
    assert kept.find(first)
    assert kept.find(third)
    with pytest.raises(InvalidQuery):
        kept.find(second)


def test_bytes_are_bounded(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "MOST_BYTES", 4000)
    kept = PreparedStatements(10)
    small = kept.add(statement(clock))
    large = kept.add(statement(clock, "x" * 1000))
    kept.bind(large, {}, 3000)
    assert kept.find(large)
    assert len(kept) == 1
    with pytest.raises(InvalidQuery):
        kept.find(small)
