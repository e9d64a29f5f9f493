"""The table of times: what counts as right of another engine, and what it says of one that is not."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest

from tests.tpcds.data import reference
from tests.tpcds.outcome import answer
from tests.tpcds.timing import DUCKDB, OURS, as_text, timed

SQL = "select i_manager_id, avg(i_current_price) from item where i_manager_id < 3 group by all order by 1"


def test_another_engine_may_have_other_types_but_not_other_values(small: Path) -> None:
    right = answer(small, SQL).plain
    keys, averages = (column.to_pylist() for column in right.columns)
    rounded = pa.table({"k": keys, "a": [Decimal(f"{average:.6f}") for average in averages]})
    wrong = pa.table({"k": keys, "a": [average + 0.01 for average in averages]})
    assert timed("other", lambda sql: rounded, SQL, answer(small, SQL), 1).fault == ""
    assert timed(OURS, lambda sql: rounded, SQL, answer(small, SQL), 1).fault.startswith("AssertionError: columns")
    assert timed("other", lambda sql: wrong, SQL, answer(small, SQL), 1).fault.startswith("AssertionError: (1, ")
    assert timed("other", lambda sql: right.slice(1), SQL, answer(small, SQL), 1).fault == "AssertionError: 1 rows, expected 2"


@pytest.mark.parametrize("failure", [ValueError("no\n such   thing")])
def test_the_table(small: Path, failure: Exception) -> None:
    def fails(sql: str) -> pa.Table:
        raise failure

    good = timed(DUCKDB, lambda sql: reference(small).execute(sql).to_arrow_table(), SQL, answer(small, SQL), 2)
    bad = timed("other", fails, SQL, answer(small, SQL), 2)
    text = as_text({1: {OURS: good, "other": bad}, 2: {OURS: good, "other": good}})
    head, _, first, second, whole, *rest = text.splitlines()
    assert head == "| query | flightmesh: s | other: s | flightmesh / other |"
    assert first == f"| Q1 | {good.seconds:.3f} | - | - |"
    assert second.endswith(f"| {good.seconds:.3f} | {good.seconds:.3f} | 1.00 |")
    assert whole.startswith("| all (1) |")
    assert rest[-1] == "  Q1: ValueError: no such thing"
