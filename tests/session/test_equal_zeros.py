"""0.0 and -0.0 are equal, so they are one group, one partition, one row of a set: a predicate that tells them apart sees what
came of them."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
import pytest

import flightmesh


@pytest.fixture(scope="module")
def session() -> Iterator[flightmesh.Session]:
    with flightmesh.connect() as made:
        made.register("t", pa.table({"k": [0.0, -0.0, 1.0, 0.0], "v": [1, 2, 3, 4]}))
        yield made


@pytest.mark.parametrize("negative", ["signbit(k)", "k::varchar = '-0.0'"])
@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("select k, v, sum(v) over (partition by k) as s from t", [(2, 7)]),
        ("select k, v, row_number() over (partition by k order by v) as s from t", [(2, 2)]),
        ("select k, min(v) as v, sum(v) as s from t group by k", []),
        ("select k, 1 as v, 1 as s from t union select k, 1, 1 from t", []),
        ("select k, v, 1 as s from t union all select k, v, 2 from t", [(2, 1), (2, 2)]),
    ],
)
def test_a_predicate_that_tells_equal_values_apart_stays_above(
    session: flightmesh.Session, text: str, rows: list[tuple[int, int]], negative: str
) -> None:
    found = session.sql(f"select v, s from ({text}) where {negative} order by v, s").to_arrow()
    assert [(row["v"], row["s"]) for row in found.to_pylist()] == rows


def test_a_comparison_still_goes_below(session: flightmesh.Session) -> None:
    plan = session.explain("select * from (select k, sum(v) as s from t group by k) where k > 0.5")
    assert plan.splitlines()[-1].endswith("where k#0 > 0.5")
