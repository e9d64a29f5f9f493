"""Deep nesting: queries of hundreds of levels run, those of thousands are refused, none ends the process."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator

import pytest

import flightmesh
from flightmesh.errors import InvalidQuery
from flightmesh.expression.headroom import with_headroom
from tests.frontend_sql.tables import plan
from tests.meshes import ANYWHERE, AnySession, session_anywhere


def _calls(depth: int) -> str:
    return "select " + "abs(" * depth + "a" + ")" * depth + " as x from (select 1 as a) s"


def _derived(depth: int) -> str:
    return "select * from (" * depth + "select 1 as x" + "".join(f") s{i}" for i in range(depth))


def _sums(depth: int) -> str:
    return "select a" + "+1" * depth + f" - {depth} as x from (select 1 as a) s"


_SHAPES: tuple[Callable[[int], str], ...] = (_calls, _derived, _sums)


@pytest.fixture(params=ANYWHERE)
def session(request: pytest.FixtureRequest) -> Iterator[AnySession]:
    with session_anywhere(request.param, request) as made:
        yield made


@pytest.mark.parametrize("shape", _SHAPES)
def test_hundreds_of_levels_run(session: AnySession, shape: Callable[[int], str]) -> None:
    assert session.sql(shape(300)).to_arrow().to_pylist() == [{"x": 1}]


def test_a_thousand_terms_run(session: AnySession) -> None:
    assert session.sql(_sums(1000)).to_arrow().to_pylist() == [{"x": 1}]


@pytest.mark.parametrize("shape", _SHAPES)
def test_ten_thousand_levels_are_refused(shape: Callable[[int], str]) -> None:
    usual = sys.getrecursionlimit()
    with pytest.raises(InvalidQuery, match="the query is nested too deeply"):
        plan(shape(10_000))
    assert sys.getrecursionlimit() == usual


def test_errors_and_places_are_the_same_on_the_larger_stack() -> None:
    text = "select " + "(" * 200 + "nope" + ")" * 200 + " from t"
    with pytest.raises(InvalidQuery, match="there is no column 'nope'") as caught:
        plan(text)
    assert caught.value.position is not None
    assert caught.value.position.column == 208


def test_shallow_work_stays_on_its_thread() -> None:
    assert with_headroom(threading.current_thread) is threading.current_thread()


def test_deep_queries_of_several_threads_at_once() -> None:
    found: list[int] = []
    with flightmesh.connect(threads=2) as session:
        text = _sums(500)
        threads = [
            threading.Thread(target=lambda: found.extend(session.sql(text).to_arrow()["x"].to_pylist())) for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert found == [1] * 4


def test_usual_work_of_several_threads_goes_on_side_by_side() -> None:
    meeting = threading.Barrier(2, timeout=10)
    others = threading.Thread(target=lambda: with_headroom(meeting.wait))
    others.start()
    with_headroom(meeting.wait)  # each waits for the other: one at a time would break the barrier
    others.join()
    assert not meeting.broken


def test_work_inside_work_is_done_again_as_a_whole() -> None:
    outer_runs: list[str] = []

    def inner(depth: int) -> int:
        return 0 if depth == 0 else 1 + inner(depth - 1)

    def outer() -> int:
        outer_runs.append(threading.current_thread().name)
        return with_headroom(lambda: inner(5_000))

    assert with_headroom(outer) == 5_000
    assert len(outer_runs) == 2
    assert outer_runs[1] == "flightmesh-deep"
