"""A key filter lets every key pass, few others, and no NULL; bounds that hold no key are told."""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from flightmesh.kernel.key_filter import LARGEST_TABLE, KeyFilter, build_key_filter
from flightmesh.kernel.values import Array

ROWS = 20_000
DAY = datetime.date(2020, 1, 1)


def numbers(kind: pa.DataType, spread: int) -> Array:
    generator = np.random.default_rng(7)
    return pa.array(generator.integers(0, spread, ROWS), mask=generator.random(ROWS) < 0.1).cast(kind)


COLUMNS = {
    "int8": numbers(pa.int8(), 100),
    "int32": numbers(pa.int32(), 50_000),
    "int64 wide": numbers(pa.int64(), 1 << 60),
    "uint64": numbers(pa.uint64(), 1 << 62),
    "float": numbers(pa.float64(), 40_000),
    "decimal": numbers(pa.decimal128(30, 2), 40_000),
    "date": numbers(pa.int32(), 20_000).cast(pa.date32()),
    "timestamp": numbers(pa.int64(), 1 << 50).cast(pa.timestamp("us")),
    "text": numbers(pa.int64(), 30_000).cast(pa.string()),
    "dictionary": numbers(pa.int64(), 300).cast(pa.string()).dictionary_encode(),
}


@pytest.mark.parametrize("name", COLUMNS)
def test_keys_pass_and_few_others_do(name: str) -> None:
    column = COLUMNS[name]
    plain = column.dictionary_decode() if pa.types.is_dictionary(column.type) else column
    keys = plain[: ROWS // 20]
    made = build_key_filter([keys[:100], keys[100:]])
    passed = made.passes(column)
    wanted = set(keys.to_pylist()) - {None}
    right = np.array([value in wanted for value in plain.to_pylist()])
    assert passed[right].all(), "a key was dropped"
    assert not passed[plain.is_null().to_numpy(zero_copy_only=False)].any(), "NULL passed"
    wrong = passed & ~right
    assert wrong.sum() <= (0 if made.table is not None else 0.05 * ROWS)


@pytest.mark.parametrize(
    "column", [pa.array([], pa.int64()), pa.nulls(3, pa.int32()), pa.nulls(2, pa.string())], ids=["none", "nulls", "no texts"]
)
def test_nothing_passes_where_there_are_no_keys(column: Array) -> None:
    made = build_key_filter([column])
    probe = pa.array([0, 1, None], pa.int64()).cast(column.type)
    assert not made.passes(probe).any()
    assert not made.ordered or not made.may_hold(-10, 10)


def test_bounds() -> None:
    made = build_key_filter([pa.array([5, 7, 100])])
    asked: list[tuple[int, int]] = [(0, 4), (0, 5), (6, 6), (6, 7), (8, 99), (50, 1000), (101, 2**62), (-(2**63), 2**63 - 1)]
    assert [made.may_hold(*bounds) for bounds in asked] == [False, True, False, True, False, True, False, True]


def test_bounds_of_keys_that_lie_far_apart() -> None:
    made = build_key_filter([pa.array([-(2**62), 0, 2**62])])
    assert made.words is not None
    assert not made.may_hold(1, 2)  # few keys are known one by one
    assert made.may_hold(0, 2)
    assert not made.may_hold(2**62 + 1, 2**63 - 1)
    many = build_key_filter([pa.array(np.arange(-(2**62), 2**62, 2**48))])
    assert many.words is not None and many.few is None
    assert many.may_hold(1, 2)  # of many only the bounds are
    assert made.passes(pa.array([-(2**62), 0, 2**62])).all()


@pytest.mark.parametrize("kind", [pa.int64(), pa.int32(), pa.uint32(), pa.date32()])
def test_keys_are_compared_where_few_lie_among_the_values(kind: pa.DataType) -> None:
    """With so far a look at the Bloom filter only where many do; either way keys pass, and here nothing else."""
    keys = pa.array([5, *range(40_000_000, 40_000_020), 2_000_000_000], pa.int64())
    made = build_key_filter([keys.cast(pa.uint32()).cast(kind) if kind == pa.uint32() else keys.cast(pa.int32()).cast(kind)])
    assert made.words is not None and made.few is not None
    for values in ([0, 4, 5, 6], [39_999_999, 40_000_000, 40_000_003, 40_000_004], [7, 8, 1000], [1, None, 2_000_000_000]):
        column = pa.array(values, pa.int64()).cast(pa.int32() if kind != pa.uint32() else kind).cast(kind)
        assert made.passes(column).tolist() == [value in keys.to_pylist() for value in values]
    assert made.passes(pa.array([], kind)).tolist() == []


def test_a_table_of_low_keys_is_addressed_by_the_values() -> None:
    made = build_key_filter([pa.array(range(100, 1000, 3))])
    assert made.low == 1
    probe = pa.array([-(2**63), -1, 0, 1, 99, 100, 101, 103, 997, 998, 1000, 2**63 - 1])
    assert made.passes(probe).tolist() == [v in range(100, 1000, 3) for v in probe.to_pylist()]
    assert not made.may_hold(1, 99)
    assert made.may_hold(1, 100)


@pytest.mark.parametrize("value", [-(2**63), 2**63 - 1, -1, LARGEST_TABLE + 11])
def test_values_far_from_the_table(value: int) -> None:
    made = build_key_filter([pa.array(range(10, 20))])
    assert made.table is not None
    assert not made.passes(pa.array([value])).any()


WIDE = np.arange(50, 50 + 100_000_000, 250)


@pytest.mark.parametrize("low", [-(2**63) + 20, -49_999_999, 0, 50, 2**63 - 100_000_100])
def test_keys_of_a_wide_range_have_a_bit_each(low: int) -> None:
    keys = WIDE - 50 + low
    made = build_key_filter([pa.array(keys[::-1])])
    assert made.bits is not None
    assert made.nbytes < 13_000_000
    assert made.passes(pa.array(keys)).all()
    last = int(keys[-1])
    others = [low - 1, low - 8, low + 1, low + 249, low + 251, last - 1, last + 1, last + 9, -(2**63), 2**63 - 1, -1]
    others = [other for other in others if -(2**63) <= other < 2**63 and (other - low) % 250]
    assert not made.passes(pa.array(others, pa.int64())).any()
    asked = [(low - 19, low - 1), (low, low), (low + 1, low + 249), (low + 1, low + 250), (low + 243, low + 253)]
    assert [made.may_hold(*bounds) for bounds in asked] == [False, True, False, True, True]
    assert made.may_hold(low + 1, last - 1) and made.may_hold(last, last + 90) and not made.may_hold(last + 1, last + 90)


def test_more_keys_than_a_bloom_filter_takes_have_bits_too() -> None:
    keys = np.arange(0, 3_000_000 * 7, 7)
    made = build_key_filter([pa.array(keys, pa.int32())])
    assert made.bits is not None
    probe = np.arange(-30, 3_000_000 * 7 + 30)
    assert (made.passes(pa.array(probe)) == ((probe % 7 == 0) & (probe >= 0) & (probe <= keys[-1]))).all()


@pytest.mark.parametrize("kind", [pa.int8(), pa.uint8(), pa.int32(), pa.uint32(), pa.int64(), pa.timestamp("us")])
@pytest.mark.parametrize("end", ["low", "high"])
def test_keys_at_the_ends_of_their_type(kind: pa.DataType, end: str) -> None:
    bits = kind.bit_width
    least, most = (0, 2**bits - 1) if pa.types.is_unsigned_integer(kind) else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    values = [least, least + 1, least + 2, most - 2, most - 1, most]
    plain = pa.uint64() if least == 0 else pa.int64()
    column = pa.array([None, *values], plain).cast(kind)
    keys = [1, 3] if end == "low" else [4, 6]
    passed = build_key_filter([column.take(pa.array(keys))]).passes(column)
    assert np.flatnonzero(passed).tolist() == keys
    assert np.flatnonzero(build_key_filter([column.take(pa.array(keys))]).passes(column[2:])).tolist() == [
        key - 2 for key in keys if key >= 2
    ]


@pytest.mark.parametrize(
    ("kind", "value"),
    [(pa.date32(), DAY), (pa.decimal128(5, 2), Decimal("1.25")), (pa.float64(), -0.0), (pa.float64(), float("nan"))],
)
def test_one_key(kind: pa.DataType, value: Any) -> None:
    made: KeyFilter = build_key_filter([pa.array([value], kind)])
    same = [0.0, -0.0] if value == 0.0 else [value]
    assert made.passes(pa.array(same, kind)).all()
