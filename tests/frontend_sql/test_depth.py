"""Deep nesting: queries of hundreds of levels run, and chains of a thousand terms; those of thousands are refused; none ends a
process, or makes a worker seem lost."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator

import pyarrow as pa
import pytest

import flightmesh
from flightmesh.errors import InvalidQuery, UnsupportedFeature
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


TERMS = 1000
_CHAINS = {
    "+": ("select " + "+".join(["a"] * TERMS) + " as x from deep where a = 2", 2 * TERMS),
    "*": ("select " + "*".join(["d"] * TERMS) + " as x from deep where a = 2", 1.0),
    "||": ("select length(" + "||".join(["s"] * TERMS) + ") as x from deep where a = 2", TERMS),
    "or": ("select count(*) as x from deep where " + " or ".join(f"a = {2 * n} and b > {n}" for n in range(TERMS)), 3),
    "and": ("select bool_and(" + " and ".join(f"a + b <> -{n + 1}" for n in range(TERMS)) + ") as x from deep", True),
    "calls": ("select " + "abs(" * TERMS + "a" + ")" * TERMS + " as x from deep where a = 2", 2),
    "texts": ("select " + "upper(lower(" * 500 + "s" + "))" * 500 + " as x from deep where a = 2", "X"),
    "not": ("select " + "not " * TERMS + "(a > b) as x from deep where a = 2", False),
    "=": ("select " + " = ".join(["(a > b)"] * 301) + " as x from deep where a = 2", False),
    "case": (
        "select " + "".join(f"case when a = {n + 9} then {n} else " for n in range(TERMS)) + "b" + " end" * TERMS
        + " as x from deep where a = 2", 3,
    ),
    "union all": (f"select sum(x) as x from ({' union all '.join(['select a as x from deep where a = 2'] * TERMS)})", 2000),
}  # fmt: skip


@pytest.fixture
def deep(session: AnySession) -> Iterator[AnySession]:
    """The session with a table `deep`, which others that share its mesh do not see afterwards."""
    session.upload("deep", pa.table({"a": list(range(5)), "b": [3] * 5, "s": ["x"] * 5, "d": [1.0] * 5}))
    yield session
    session.drop("deep")


@pytest.mark.parametrize("chain", _CHAINS)
def test_a_thousand_terms_over_columns_run(deep: AnySession, chain: str) -> None:
    sql, expected = _CHAINS[chain]
    assert deep.sql(sql).to_arrow().to_pylist() == [{"x": expected}]


def _limits(depth: int) -> str:
    return (
        "select * from (" * depth
        + "select a as x from deep"
        + "".join(f") s{n} where x < {n + 9} limit {n + 5}" for n in range(depth))
    )


def _cases(depth: int) -> str:
    return (
        "select "
        + "".join(f"case when a = {n + 9} then {n} else " for n in range(depth))
        + "1 // a"
        + " end" * depth
        + " as x from deep"
    )


@pytest.mark.parametrize("sql", [_limits(300), _cases(500)], ids=("limits", "cases"))
def test_what_is_too_deep_to_run_is_an_error_and_the_next_query_runs(deep: AnySession, sql: str) -> None:
    with pytest.raises(UnsupportedFeature, match="the query is nested too deeply") as caught:
        deep.sql(sql).to_arrow()
    assert caught.value.hint == "split it with CREATE TABLE AS"
    assert deep.sql("select count(*) as x from deep").to_arrow().to_pylist() == [{"x": 5}]


def test_lists_are_nested_as_deeply_as_rows_can_be_sent(session: AnySession) -> None:
    deepest = session.sql("select " + "[" * 63 + "1" + "]" * 63 + " as x")
    rows: object = deepest.to_arrow().to_pylist()[0]["x"]
    for _ in range(63):
        assert isinstance(rows, list)
        (rows,) = rows
    assert rows == 1
    with pytest.raises(UnsupportedFeature, match="lists within each other in more than 63 levels"):
        session.sql("select " + "[" * 1000 + "1" + "]" * 1000 + " as x")


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


def test_usual_work_does_not_wait_for_deep_work() -> None:
    deep_runs, usual_is_over = threading.Event(), threading.Event()
    waited: list[bool] = []

    def dive(depth: int) -> None:
        if depth:
            dive(depth - 1)
        else:
            deep_runs.set()
            waited.append(usual_is_over.wait(10))

    diver = threading.Thread(target=lambda: with_headroom(lambda: dive(5_000)))
    diver.start()
    assert deep_runs.wait(10)
    assert with_headroom(lambda: 7) == 7
    with pytest.raises(ZeroDivisionError):
        with_headroom(lambda: 1 // 0)
    usual_is_over.set()
    diver.join()
    assert waited == [True]
    assert with_headroom(threading.current_thread) is threading.current_thread()


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
