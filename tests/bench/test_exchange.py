"""What `bench shuffle` runs: all rows are dealt once, by hash, and counted where they come to."""

from __future__ import annotations

from pathlib import Path

import pytest

from flightmesh.bench.benchmarks.shuffle import SHUFFLE
from flightmesh.bench.data import tables_of
from flightmesh.bench.own_exchange import OwnExchange

ROWS = 2000
OPTIONS = {"threads": 2, "cores": []}


@pytest.mark.parametrize("engine", ["embedded", "mesh"])
def test_all_rows_are_dealt(engine: str, tmp_path: Path) -> None:
    SHUFFLE.make(tmp_path, "0.001")
    own = OwnExchange({**OPTIONS, "engine": engine, "scratch": str(tmp_path)})
    try:
        own.load(tables_of(tmp_path))
        narrow, wide = (_run(own, number) for number in (1, 3))
        with pytest.raises(ValueError, match="a text is: "):
            own.run("select count(*) from dealt")
    finally:
        own.close()
    for figures in (narrow, wide):
        assert ROWS < figures["rows"] <= ROWS + 2, "and the counts of one or two tasks"
        assert figures["remote"] == 0 or engine == "mesh"
    assert narrow["exchanged"] > 8 * ROWS and wide["exchanged"] > 15 * narrow["exchanged"]


def _run(own: OwnExchange, number: int) -> dict[str, float]:
    rows = own.run(SHUFFLE.queries[number].sql)
    assert {tuple(column.to_pylist()) for column in rows.columns} == {(ROWS,)}
    return own.figures()
