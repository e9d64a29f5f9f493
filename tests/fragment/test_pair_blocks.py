"""Joins without keys: every pair once, in order of probe rows, in blocks bounded by rows and by bytes."""

from __future__ import annotations

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from flightmesh.config import Config
from flightmesh.fragment.pair_blocks import BLOCK_BYTES, PairBlocks
from flightmesh.session import connect
from tests.comparison import assert_same_rows


def numbers(name: str, rows: int) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([pa.array(range(rows), pa.int64())], names=[name])


@pytest.mark.parametrize("build", [1, 2, 5, 7, 8, 20])
@pytest.mark.parametrize("probes", [(1, 30, 3), (7, 8)])
def test_every_pair_once_in_order(build: int, probes: tuple[int, ...]) -> None:
    blocks = PairBlocks(numbers("b", build), 7)
    for probe in probes:
        seen: list[tuple[int, int]] = []
        for block in blocks.of(numbers("a", probe)):
            assert 0 < block.pairs.num_rows <= 7
            left, right = block.rows(np.arange(block.pairs.num_rows))
            assert left.tolist() == block.pairs.column("a").to_pylist()
            assert right.tolist() == block.pairs.column("b").to_pylist()
            seen += zip(left.tolist(), right.tolist(), strict=True)
        assert seen == [(i, j) for i in range(probe) for j in range(build)]


@pytest.mark.parametrize("sides", [(0, 3), (3, 0)])
def test_no_pairs_of_nothing(sides: tuple[int, int]) -> None:
    assert list(PairBlocks(numbers("b", sides[1]), 7).of(numbers("a", sides[0]))) == []


def test_blocks_of_long_texts_have_fewer_pairs() -> None:
    texts = pa.RecordBatch.from_arrays([pa.array(["x" * 100_000] * 50)], names=["b"])
    blocks = list(PairBlocks(texts, 131_072).of(numbers("a", 40)))
    assert sum(block.pairs.num_rows for block in blocks) == 2000
    assert max(block.pairs.nbytes for block in blocks) <= BLOCK_BYTES


def test_conditions_over_pairs_agree_with_duckdb() -> None:
    rng = np.random.default_rng(3)
    a = pa.table(
        {
            "x": pa.array([None if v % 9 == 0 else int(v) for v in rng.integers(0, 100, 300)]),
            "s": [f"{i % 7}" for i in range(300)],
        }
    )
    b = pa.table(
        {
            "y": pa.array([None if v % 9 == 0 else int(v) for v in rng.integers(0, 100, 40)]),
            "t": [f"{i % 5}" for i in range(40)],
        }
    )
    with connect(config=Config(threads=2, morsel_rows=64)) as session, duckdb.connect() as reference:
        for name, table in (("a", a), ("b", b)):
            session.register(name, table)
            reference.register(name, table)
        for query in (
            "select * from a join b on x < y and s <> t",
            "select * from a left join b on x > y + 60 or s > t and x = 3",
            "select * from a full join b on x > y + 90 or t > '3' and s = '9'",
            "select * from a where x not in (select y from b where t > s)",
            "select x, exists (select 1 from b where y > x and t > s) as e from a",
        ):
            assert_same_rows(session.sql(query).to_arrow(), reference.sql(query).to_arrow_table())
