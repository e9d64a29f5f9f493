"""What counts as right where rows tie: all that the text leaves open, and nothing else."""

from __future__ import annotations

import duckdb
import pytest

from tests.compare import duckdb_answer
from tests.ties import answer_of, assert_answers

ROWS = "(values ('a', 1, 10), ('b', 1, 20), ('c', 1, 30), ('d', 2, 40), ('e', 2, 50), (null, null, 60)) t(name, key, amount)"
LIMITED = f"select name, amount from {ROWS} order by key limit 4"


def is_right(sql: str, other: str) -> bool:
    """Whether the rows of another text are an answer to this one."""
    with duckdb.connect() as connection:
        expected = answer_of(connection, sql)
        try:
            assert_answers(duckdb_answer(connection, other), expected)
        except AssertionError:
            return False
        return True


def rows(*names: str | None, amounts: tuple[int, ...] = ()) -> str:
    known = {"a": 10, "b": 20, "c": 30, "d": 40, "e": 50, None: 60}
    values = [
        f"({n}, {'null' if name is None else repr(name)}, {amounts[n] if amounts else known[name]})"
        for n, name in enumerate(names)
    ]
    return f"select name, amount from (values {', '.join(values)}) r(place, name, amount) order by place"


@pytest.mark.parametrize(("names", "right"), [
    (("a", "b", "c", "d"), True),
    (("c", "a", "b", "e"), True),  # within a tie any order, and of the one that is cut any row
    (("a", "b", "d", "c"), False),  # not in the order of the keys
    (("a", "b", "d", "e"), False),  # a row of a whole tie is missing
    (("a", "b", "b", "d"), False),  # twice what is there once
    (("a", "b", "c", None), False),  # a row from behind the tie that is cut
    (("a", "b", "c"), False),
    (("a", "b", "c", "d", "e"), False),
])  # fmt: skip
def test_rows_that_tie(names: tuple[str | None, ...], right: bool) -> None:
    assert is_right(LIMITED, rows(*names)) is right


def test_values_count_within_a_tie() -> None:
    assert not is_right(LIMITED, rows("a", "b", "c", "d", amounts=(10, 20, 30, 50)))


@pytest.mark.parametrize("order", ["amount / 10", "2", "t.amount", "key nulls first, name"])
def test_keys_may_be_anything(order: str) -> None:
    sql = f"select name, amount from {ROWS} order by {order} limit 3"
    assert is_right(sql, sql)
    assert not is_right(sql, f"select name, amount from {ROWS} order by {order} desc limit 3")


def test_all_rows_tie_without_an_order() -> None:
    sql = f"select name, amount from {ROWS} limit 2"
    assert is_right(sql, rows("e", None))
    assert not is_right(sql, rows("e", "e"))


@pytest.mark.parametrize("sql", [
    f"select distinct name from {ROWS} order by amount + 1 limit 2",
    f"select name, sum(amount) s from {ROWS} group by all order by max(key) limit 2",
    f"select name from {ROWS} order by key limit 2 offset 1",
])  # fmt: skip
def test_what_cannot_be_compared_is_refused(sql: str) -> None:
    with duckdb.connect() as connection, pytest.raises((ValueError, duckdb.BinderException)):
        answer_of(connection, sql)
