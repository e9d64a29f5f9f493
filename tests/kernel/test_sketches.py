"""Sketches of distinct values and of order: their errors over several distributions, and that merging changes nothing."""

from __future__ import annotations

import itertools

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest

from flightmesh.errors import DataError
from flightmesh.kernel.distinct_sketch import distinct_sketches, merged_sketches
from flightmesh.kernel.group import Grouping, group_rows, one_group
from flightmesh.kernel.quantile_sketch import merged_quantile_sketches, quantile_sketches
from flightmesh.sketches.distinct import MOST_HASHES, REGISTERS, counts_of_sketches
from flightmesh.sketches.quantiles import MOST_BUCKETS, quantiles_of_sketches

ROWS = 60_000
FRACTIONS = (0.0, 0.001, 0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99, 0.999, 1.0)


def _distributions() -> dict[str, npt.NDArray[np.float64]]:
    rng = np.random.default_rng(5)
    both = np.concatenate([rng.normal(-1000, 1, ROWS // 2), rng.normal(1000, 1, ROWS - ROWS // 2)])
    return {
        "uniform": rng.random(ROWS),
        "normal": rng.normal(size=ROWS),
        "in order": np.sort(rng.normal(5, 100, ROWS)),
        "heavy tail": rng.pareto(1, ROWS) + 1,
        "many powers": rng.lognormal(0, 5, ROWS) * rng.choice((-1, 1), ROWS),
        "two peaks": both,
        "times": 1.6e15 + rng.integers(0, 10**14, ROWS),
        "money": np.round(rng.lognormal(3, 1, ROWS), 2),
        "bits": rng.integers(0, 2**62, ROWS).view(np.float64),
    }


DISTRIBUTIONS = _distributions()


def _cut(rng: np.random.Generator, rows: int) -> list[int]:
    return [0, *sorted(rng.integers(0, rows + 1, 6).tolist()), rows]


@pytest.mark.parametrize("count", [0, 1, 300, MOST_HASHES, MOST_HASHES + 1, 700, 3_000, 20_000, 300_000])
def test_distinct_counts_are_exact_and_then_close(count: int) -> None:
    rng = np.random.default_rng(count)
    errors = []
    for _ in range(3):
        values = pa.array(np.concatenate([rng.permutation(count), rng.integers(0, max(count, 1), min(count, 1000))]) * 7)
        sketch = distinct_sketches(one_group(len(values)), values)
        assert sketch.nbytes <= REGISTERS + 16
        errors.append(counts_of_sketches(sketch)[0].as_py() / count - 1 if count else counts_of_sketches(sketch)[0].as_py())
    assert max(map(abs, errors)) <= (0 if count <= MOST_HASHES else 4 * 1.04 / REGISTERS**0.5)


@pytest.mark.parametrize("seed", range(12))
def test_sketches_of_distinct_values_merge_in_any_way(seed: int) -> None:
    rng = np.random.default_rng(seed)
    groups, spread = int(rng.choice((1, 3, 40, 2000))), int(rng.choice((3, 600, 40_000)))
    rows = 20_000
    values = pa.array(rng.integers(0, spread, rows), mask=rng.random(rows) < 0.2)
    if seed % 3 == 0:
        values = values.cast(pa.string())
    ids = rng.integers(0, groups, rows)
    whole = counts_of_sketches(distinct_sketches(Grouping(ids, groups, ids), values))
    pairs = group_rows([pa.array(ids), values], rows).rows
    exact = np.bincount(ids[pairs[values.take(pa.array(pairs)).is_valid().to_numpy(zero_copy_only=False)]], minlength=groups)
    few = exact <= MOST_HASHES
    assert (whole.to_numpy()[few] == exact[few]).all()
    parts, numbers = [], []
    for a, b in itertools.pairwise(_cut(rng, rows)):
        parts.append(distinct_sketches(Grouping(ids[a:b], groups, ids), values.slice(a, b - a)))
        numbers.append(np.arange(groups))
    order = rng.permutation(groups * len(parts))
    merging = Grouping(np.concatenate(numbers)[order], groups, order)
    merged = merged_sketches(merging, pa.concat_arrays(parts).take(pa.array(order)))
    assert counts_of_sketches(merged).equals(whole)
    again = merged_sketches(Grouping(np.arange(groups), groups, order), merged)
    assert counts_of_sketches(again.slice(groups // 2)).equals(whole.slice(groups // 2))


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_quantiles_are_close_in_rank_or_value(name: str) -> None:
    values = DISTRIBUTIONS[name]
    sketch = quantile_sketches(one_group(ROWS), pa.array(values))
    assert sketch.nbytes <= 16 * (MOST_BUCKETS + 3)
    powers = len(np.unique(np.frexp(values)[1] * 2 + (values < 0)))
    ordered = np.sort(values)
    for fraction in FRACTIONS:
        found = quantiles_of_sketches(sketch, fraction)[0].as_py()
        exact = ordered[max(int(np.ceil(fraction * ROWS)), 1) - 1]
        assert abs(found - exact) <= 2 * powers / MOST_BUCKETS * max(abs(exact), abs(found))
        low, high = (np.searchsorted(ordered, found, side) / ROWS for side in ("left", "right"))
        assert low - 0.002 <= fraction <= high + 0.002 or name == "bits"


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_sketches_of_order_are_the_same_bytes_however_they_are_merged(name: str) -> None:
    rng = np.random.default_rng(len(name))
    values, groups = rng.permutation(DISTRIBUTIONS[name]), 5
    mask = rng.random(ROWS) < 0.1
    ids = np.minimum(rng.geometric(0.5, ROWS), groups) - 1
    whole = quantile_sketches(Grouping(ids, groups, ids), pa.array(values, mask=mask))
    parts = [
        quantile_sketches(Grouping(ids[a:b], groups, ids), pa.array(values[a:b], mask=mask[a:b]))
        for a, b in itertools.pairwise(_cut(rng, ROWS))
    ]
    order = rng.permutation(groups * len(parts))
    merging = Grouping(np.tile(np.arange(groups), len(parts))[order], groups, order)
    assert merged_quantile_sketches(merging, pa.concat_arrays(parts).take(pa.array(order))).equals(whole)


def test_few_distinct_values_have_exact_quantiles() -> None:
    rng = np.random.default_rng(2)
    values = rng.choice(rng.normal(size=MOST_BUCKETS) * 10.0 ** rng.integers(-200, 200, MOST_BUCKETS), 30_000)
    values[:50] = np.nan
    values[50:60] = [np.inf, -np.inf, 0.0, -0.0, 5e-324, -5e-324, 1.7e308, -1.7e308, 1.0, -1.0]
    values = values[: len(values) - 2]
    kept = np.unique(values)[:: len(np.unique(values)) // 1000 + 1]
    values = rng.choice(kept, 20_001)
    sketch = quantile_sketches(one_group(len(values)), pa.array(values))
    ordered = np.sort(values)
    for fraction in FRACTIONS:
        found = quantiles_of_sketches(sketch, fraction)[0].as_py()
        assert found == pytest.approx(ordered[max(int(np.ceil(fraction * len(values))), 1) - 1], rel=0, nan_ok=True)


def test_nothing_seen_is_no_value() -> None:
    none = pa.nulls(3, pa.float64())
    for sketch in (
        quantile_sketches(one_group(3), none),
        merged_quantile_sketches(one_group(0), pa.array([], pa.large_binary())),
    ):
        assert quantiles_of_sketches(sketch, 0.5).to_pylist() == [None]
    for sketch in (distinct_sketches(one_group(3), none), merged_sketches(one_group(0), pa.array([], pa.large_binary()))):
        assert counts_of_sketches(sketch).to_pylist() == [0]


@pytest.mark.parametrize("garbage", [b"x", b"x" * 5000, b"\xff" * REGISTERS])
def test_what_is_no_sketch_is_refused(garbage: bytes) -> None:
    array = pa.array([garbage], pa.large_binary())
    with pytest.raises(DataError, match="no sketch"):
        counts_of_sketches(array)
    if len(garbage) < REGISTERS:
        with pytest.raises(DataError, match="no sketch"):
            quantiles_of_sketches(array, 0.5)
