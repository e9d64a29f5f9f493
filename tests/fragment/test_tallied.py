"""Partial groupings that are added up in place give DuckDB's answers, also where only some of the batches fit."""

from __future__ import annotations

import random

import pyarrow as pa
import pytest

import flightmesh
from flightmesh.fragment.tallied import Tallied
from tests.comparison import assert_same_rows, reference

ROWS = 300_000
DRAW = random.Random(5)


def table(late: int | None) -> pa.Table:
    """Rows of which the last few have another key: NULL, or one far away."""
    keys: list[int | None] = [DRAW.randrange(1000, 41_000) for _ in range(ROWS - 50)]
    return pa.table(
        {
            "k": pa.array(keys + [late] * 50, pa.int64()),
            "d": pa.array(keys + [late] * 50, pa.int32()).cast(pa.date32()),
            "x": pa.array([None if n == ROWS - 9 else n % 777 - 300 for n in range(ROWS)], pa.int32()),
            "p": pa.array([n * 7 % 9_999_999 for n in range(ROWS)], pa.int64())
            .cast(pa.decimal128(19, 0))
            .cast(pa.decimal128(12, 2)),
            "f": pa.array([n / 7 for n in range(ROWS)]),
        }
    )


TALLIED = (
    "select k, count(*) c from t group by k",
    "select k, count(*) c, count(p) n, sum(p) s, avg(p) a from t group by k",
    "select d, sum(x) s, count(x) n from t group by d",
    "select n, count(*) from (select k, count(*) n from t group by k) group by n",
)
ORDINARY = (
    "select k, min(x) from t group by k",
    "select k, sum(f) from t group by k",
    "select k, d, count(*) from t group by k, d",
    "select k, sum(p) filter (where x > 0) from t group by k",
    "select k, count(distinct x) from t group by k",
)


@pytest.mark.parametrize("late", [2_000, None, 2_000_000])
def test_answers(late: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[int] = []
    groups = Tallied.groups
    monkeypatch.setattr(Tallied, "groups", lambda self: taken.append(self.rows) or groups(self))
    rows = table(late)
    with flightmesh.connect(threads=2) as session:
        session.register("t", rows)
        for sql in TALLIED + ORDINARY:
            taken.clear()
            assert_same_rows(session.sql(sql).to_arrow(), reference(sql, t=rows))
            assert (sum(taken) >= ROWS // 4) is (sql in TALLIED)
