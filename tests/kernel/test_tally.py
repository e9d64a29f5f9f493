"""Tallies against sums in Python: what they take in is exact, and what they cannot take they leave alone."""

from __future__ import annotations

import datetime
import random
from collections import Counter
from decimal import Decimal

import pyarrow as pa

from flightmesh.kernel.tally import LARGEST_RANGE, Tally, is_tally_key, is_tally_sum

MONEY, TOTAL = pa.decimal128(15, 2), pa.decimal128(38, 2)


def rows_of(tally: Tally) -> list[tuple[object, ...]]:
    key, measures = tally.groups()
    return list(zip(key.to_pylist(), *(m.to_pylist() for m in measures), strict=True))


def test_counts_and_sums_of_random_batches() -> None:
    draw = random.Random(1)
    tally = Tally(pa.int64(), [None, TOTAL, pa.decimal128(38, 0)])
    counts: Counter[int] = Counter()
    sums: dict[int, tuple[Decimal, int]] = {}
    for middle in (500, 300, 900, 10, 500):
        keys = [draw.randrange(middle - 200, middle + 200) for _ in range(400)]
        prices = [Decimal(draw.randrange(-(10**9), 10**9)).scaleb(-2) for _ in keys]
        numbers = [draw.randrange(-1000, 1000) for _ in keys]
        assert tally.add(pa.array(keys), [None, pa.array(prices, MONEY), pa.array(numbers, pa.int16())])
        for key, price, number in zip(keys, prices, numbers, strict=True):
            counts[key] += 1
            old = sums.get(key, (Decimal(0), 0))
            sums[key] = old[0] + price, old[1] + number
    assert rows_of(tally) == [(key, counts[key], *sums[key]) for key in sorted(counts)]


def test_keys_keep_their_type() -> None:
    days = [datetime.date(2026, 1, n) for n in (5, 3, 5)]
    for values, kind in (([7, 9, 7], pa.int8()), ([7, 9, 7], pa.uint32()), (days, pa.date32())):
        tally = Tally(kind, [None])
        assert tally.add(pa.array(values, kind), [None])
        key, (count,) = tally.groups()
        assert key.equals(pa.array(sorted(set(values)), kind))
        assert sum(count.to_pylist()) == 3


def test_what_does_not_fit_is_left_alone() -> None:
    tally = Tally(pa.int64(), [TOTAL])
    few = pa.array([1, 2, 3])
    assert tally.add(few, [pa.array([1, 2, 3], MONEY)])
    before = rows_of(tally)
    large = Decimal(1 << 50)
    for keys, values in (
        (pa.array([1, None, 2]), [1, 2, 3]),
        (few, [1, None, 2]),
        (few, [large, large, large]),
        (pa.array([1, 2, 1000]), [1, 2, 3]),
        (pa.array([-1000, 2, 3]), [1, 2, 3]),
        (pa.array([], pa.int64()), []),
    ):
        assert not tally.add(keys, [pa.array(values, pa.decimal128(18, 2))])
        assert rows_of(tally) == before
    wide = pa.array(range(LARGEST_RANGE + 1))
    assert not Tally(pa.int64(), [None]).add(wide, [None])
    assert Tally(pa.int64(), [None]).add(wide.slice(1), [None])


def test_sums_stay_exact_over_many_batches() -> None:
    tally, half = Tally(pa.int64(), [pa.decimal128(38, 0)]), (1 << 51) + 1
    taken = 0
    while tally.add(pa.array([5]), [pa.array([half])]):
        taken += 1
    assert taken == 3
    assert rows_of(tally) == [(5, 3 * half)]


def test_types() -> None:
    assert is_tally_key(pa.int64()) and is_tally_key(pa.date32())
    assert not any(map(is_tally_key, (pa.uint64(), pa.float64(), pa.bool_(), pa.string(), pa.timestamp("us"), MONEY)))
    assert is_tally_sum(MONEY, TOTAL) and is_tally_sum(pa.int32(), pa.decimal128(38, 0))
    assert not is_tally_sum(pa.float64(), pa.float64())
    assert not is_tally_sum(pa.decimal128(19, 2), TOTAL)
    assert not is_tally_sum(pa.uint64(), pa.decimal128(38, 0))
