"""Which windows let each task drop rows beyond a rank before they are exchanged and sorted."""

from __future__ import annotations

import pytest

from tests.physical.test_windows import plan

ROW, RANK = "row_number() over (partition by g order by v)", "rank() over (partition by g order by v)"

DROPPING = {
    f"select g from t qualify {ROW} <= 3": "row_number <= 3",
    f"select g from t qualify 3 > {ROW}": "row_number <= 2",
    f"select g from t qualify {RANK} in (1, 4)": "rank <= 4",
    f"select g from t qualify {RANK} between 2 and 5 and v > 1": "rank <= 5",
    f"select g from (select g, v, {ROW} as r, {RANK} as s from t) where r = 1 and s < 9": "row_number <= 1",
    "select g from t qualify dense_rank() over (order by v) = 2": "dense_rank <= 2",
    "select distinct on (g) g, v from t order by g, v": "row_number <= 1",
    f"select g, sum(v) over (partition by g order by v rows 2 preceding) from t qualify {ROW} < 3": "row_number <= 2",
    f"select g, sum(v) over (partition by g order by v) from t qualify {RANK} < 3": "rank <= 2",
}

KEEPING = (
    f"select g from t qualify {ROW} > 3",
    f"select g from t qualify {ROW} <= 0",
    f"select g from t qualify {ROW} <= 3 or v = 1",
    f"select g, sum(v) over (partition by g) from t qualify {ROW} <= 3",
    f"select g, sum(v) over (partition by g order by v) from t qualify {ROW} <= 3",
    f"select g, lead(v) over (partition by g order by v) from t qualify {ROW} <= 3",
    f"select g, ntile(2) over (partition by g order by v) from t qualify {RANK} <= 3",
    f"select g, count(*) over (partition by g order by v, h rows 1 preceding) from t qualify {ROW} <= 3",
    f"select g, max(v) over (partition by g order by v rows between 2 preceding and 1 following) from t qualify {ROW} <= 3",
)


@pytest.mark.parametrize("query", DROPPING)
def test_rows_are_dropped_below(query: str) -> None:
    text = plan(query)
    top = next(line.strip() for line in text.splitlines() if line.strip().startswith("Top"))
    assert DROPPING[query] in top
    assert text.index("Window") < text.index("Exchange", text.index("Window")) < text.index("Top")


@pytest.mark.parametrize("query", KEEPING)
def test_rows_are_kept_where_later_ones_matter(query: str) -> None:
    assert "Top" not in plan(query)
