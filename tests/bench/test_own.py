"""The sides of this engine that keep columns in memory read a file once."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from flightmesh.bench.own import Own
from flightmesh.bench.sides import OURS, named


@pytest.mark.parametrize("name", ["embedded", "cached", "mesh-cached"])
def test_columns_are_kept_where_the_side_says_so(name: str, tmp_path: Path) -> None:
    pq.write_table(pa.table({"v": range(40_000)}), tmp_path / "t.parquet", row_group_size=10_000)
    (side,) = named(name, OURS, "--ours")
    own = Own({"threads": 2, "scratch": str(tmp_path), **side.options})
    try:
        own.load({"t": str(tmp_path / "t.parquet")})
        query = "select sum(v) as s from t where v % 2 = 1"
        assert own.run(query) == own.run(query) == pa.table({"s": [400_000_000]}).cast(own.run(query).schema)
        text = own._session.explain(query, level="analyze")
    finally:
        own.close()
    assert ("from memory" in text) == (name != "embedded")
