"""Distinct keys that are found as codes and unpacked: the same as a set of the rows."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from flightmesh.kernel.distinct_keys import distinct_keys
from tests.random_tables import KINDS, random_column

UNPACKED = ("int", "small", "bool", "date", "timestamp", "decimal")


@pytest.mark.parametrize("seed", range(25))
def test_distinct_keys_are_those_of_the_rows(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows, spread = int(rng.choice((1, 7, 400, 5000))), int(rng.choice((2, 60, 100_000)))
    kinds = rng.choice([kind for kind in KINDS if kind in UNPACKED], int(rng.integers(1, 4)))
    columns = [random_column(rng, kind, rows, spread, float(rng.choice((0.0, 0.2, 1.0)))) for kind in kinds]
    columns.append(pa.array(rng.integers(0, 10**9, rows) // int(rng.choice((1, 10**8)))))
    found = distinct_keys(columns)
    assert found is not None
    assert [column.type for column in found] == [column.type for column in columns]
    rows_of = [list(zip(*(c.to_pylist() for c in part), strict=True)) for part in (found, columns)]
    assert len(rows_of[0]) == len(set(rows_of[0])) and set(rows_of[0]) == set(rows_of[1])


def test_what_does_not_unpack_is_left_to_grouping() -> None:
    wide = pa.array([-(2**62), 2**62])
    for columns in ([pa.array(["a", "b"])], [pa.array([0.5, 1.5])], [wide, wide]):
        assert distinct_keys(columns) is None


def test_the_ends_of_the_integers_beside_null() -> None:
    for ends in ([-(2**63), -(2**63) + 5], [2**63 - 6, 2**63 - 1]):
        found = distinct_keys([pa.array([None, *ends, ends[0]])])
        assert found is not None and set(found[0].to_pylist()) == {None, *ends}
