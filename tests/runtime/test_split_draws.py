"""How an attempt asks for splits and takes them."""

from __future__ import annotations

from flightmesh.catalog.table import MemorySplit
from flightmesh.runtime.split_draws import SplitDraws

FIRST, SECOND, THIRD = (MemorySplit(offset, 10) for offset in (0, 10, 20))


def test_the_first_grant_comes_unasked() -> None:
    draws = SplitDraws()
    assert draws.request() is None, "placing the task was the request"
    assert not draws.is_ready
    draws.hand(0, (FIRST,))
    assert draws.is_ready
    assert draws.request() is None, "there is one to read"
    assert draws.take() == FIRST
    assert not draws.asks_ahead, "single splits are not asked for before they are needed"
    assert draws.request() == 1
    assert draws.request() is None, "that one is not answered yet"


def test_asks_ahead_while_several_are_granted() -> None:
    draws = SplitDraws()
    draws.hand(0, (FIRST, SECOND))
    assert draws.take() == FIRST
    assert draws.request() is None
    assert draws.take() == SECOND
    assert draws.asks_ahead
    assert draws.request() == 1
    draws.hand(1, (THIRD,))
    assert draws.take() == THIRD


def test_the_end_may_come_unasked() -> None:
    draws = SplitDraws()
    draws.hand(0, (FIRST,))
    draws.hand(1, ())
    assert draws.take() == FIRST
    assert draws.request() is None
    assert draws.is_ready
    assert draws.take() is None


def test_what_comes_twice_or_unasked_is_dropped() -> None:
    draws = SplitDraws()
    draws.hand(0, (FIRST,))
    draws.hand(0, (FIRST,))
    assert draws.take() == FIRST
    assert not draws.is_ready
    draws.hand(1, (SECOND,))
    assert not draws.is_ready, "rows that nobody asked for"
    draws.request()
    draws.hand(0, (FIRST,))
    assert not draws.is_ready
    draws.hand(1, ())
    draws.hand(1, (SECOND,))
    assert draws.take() is None
