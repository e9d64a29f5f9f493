"""How an attempt asks for splits and takes them."""

from __future__ import annotations

from flightmesh.catalog.table import MemorySplit
from flightmesh.runtime.split_draws import SHORT_ROWS, SplitDraws

LONG = SHORT_ROWS + 1
FIRST, SECOND, THIRD = (MemorySplit(offset * LONG, LONG) for offset in range(3))
SHORT = MemorySplit(0, SHORT_ROWS)


def test_the_first_grant_comes_unasked() -> None:
    draws = SplitDraws()
    assert draws.request() is None, "placing the task was the request"
    assert not draws.is_ready
    draws.hand(0, (FIRST,))
    assert draws.is_ready
    assert draws.request() is None, "there is one to read"
    assert draws.take() == FIRST
    assert not draws.asks_ahead, "single long splits are not asked for before they are needed"
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


def test_asks_ahead_while_a_short_one_is_read() -> None:
    draws = SplitDraws()
    draws.hand(0, (SHORT,))
    assert draws.take() == SHORT
    assert draws.asks_ahead
    assert draws.request() == 1


def test_a_scan_with_a_limit_takes_no_more_than_it_reads() -> None:
    draws = SplitDraws(short=0)
    draws.hand(0, (SHORT,))
    assert draws.take() == SHORT
    assert not draws.asks_ahead


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
