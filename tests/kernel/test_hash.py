"""The row hash against a reference in plain Python: every type, any batch, any offset."""

from __future__ import annotations

import struct
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flightmesh.errors import InternalError
from flightmesh.kernel.hash import COMBINE, GOLDEN, MIX_1, MIX_2, NULL_HASH, VERSION, hash_columns
from tests.random_tables import KINDS, random_column

WORD = (1 << 64) - 1
PINNED = ["0xc97f68c5aee55832", "0x2ec8f2d990b950b1", "0xf09d9f0a6be5f946"]


def mix(x: int) -> int:
    x ^= x >> 30
    x = x * int(MIX_1) & WORD
    x ^= x >> 27
    x = x * int(MIX_2) & WORD
    return x ^ (x >> 31)


def hash_bytes(text: bytes) -> int:
    def step(h: int, word: bytes) -> int:
        h = (h ^ int.from_bytes(word, "little")) * int(MIX_1) & WORD
        return h ^ (h >> 29)

    h = len(text) * int(GOLDEN) & WORD
    for at in range(0, len(text) - 7, 8):
        h = step(h, text[at : at + 8])
    return mix(step(h, text[-8:] if len(text) >= 8 else text))


def hash_value(value: Any) -> int:
    if value is None:
        return int(NULL_HASH)
    if isinstance(value, bytes):
        return hash_bytes(value)
    if isinstance(value, str):
        return hash_bytes(value.encode())
    if isinstance(value, float):
        bits = struct.pack("<d", float("nan") if value != value else value + 0.0)
        return mix(int.from_bytes(bits, "little") + int(GOLDEN) & WORD)
    return mix((int(value) & WORD) + int(GOLDEN) & WORD)


def hash_unscaled(value: int) -> int:
    low, high = value & WORD, (value >> 64) & WORD
    return mix(mix(low + int(GOLDEN) & WORD) ^ (high * int(COMBINE) & WORD))


TEXTS = st.lists(st.none() | st.binary(max_size=50), max_size=40)


@settings(max_examples=150, deadline=None)
@given(values=TEXTS, start=st.integers(0, 5), large=st.booleans())
def test_strings_of_any_length(values: list[bytes | None], start: int, large: bool) -> None:
    array = pa.array(values, pa.large_binary() if large else pa.binary()).slice(start)
    assert hash_columns([array]).tolist() == [hash_value(v) for v in values[start:]]


@pytest.mark.parametrize("length", [1, 7, 8, 9, 16, 18, 31])
def test_strings_of_one_length(length: int) -> None:
    values = [bytes((7 * i + j) % 256 for j in range(length)) for i in range(30)]
    assert hash_columns([pa.array(values)]).tolist() == [hash_value(v) for v in values]


@settings(max_examples=60, deadline=None)
@given(values=st.lists(st.none() | st.integers(-128, 127), max_size=30), start=st.integers(0, 3))
def test_integers_hash_alike_in_every_width(values: list[int | None], start: int) -> None:
    expected = [hash_value(v) for v in values[start:]]
    for type_ in (pa.int8(), pa.int16(), pa.int32(), pa.int64()):
        assert hash_columns([pa.array(values, type_).slice(start)]).tolist() == expected


@settings(max_examples=60, deadline=None)
@given(values=st.lists(st.none() | st.floats(allow_nan=True, allow_infinity=True), max_size=30))
def test_floats_have_one_zero_and_one_nan(values: list[float | None]) -> None:
    odd = [*values, 0.0, -0.0, float("nan"), -float("nan")]
    assert hash_columns([pa.array(odd, pa.float64())]).tolist() == [hash_value(v) for v in odd]


@settings(max_examples=60, deadline=None)
@given(values=st.lists(st.none() | st.integers(-(10**38) + 1, 10**38 - 1), max_size=30), start=st.integers(0, 3))
def test_decimals_use_both_words(values: list[int | None], start: int) -> None:
    array = pa.array([None if v is None else Decimal(v) for v in values], pa.decimal128(38, 0)).slice(start)
    expected = [int(NULL_HASH) if v is None else hash_unscaled(v) for v in values[start:]]
    assert hash_columns([array]).tolist() == expected


def test_the_values_of_this_version_are_pinned() -> None:
    """A change of these numbers is a change of VERSION: peers of two versions would deal equal keys to different tasks."""
    columns = [
        pa.array([1, None, -5], pa.int32()),
        pa.array(["", "flight", "a mesh of flights"]),
        pa.array([1.5, float("nan"), None]),
        pa.array([True, False, None]),
    ]
    assert VERSION == 1
    assert [hex(h) for h in hash_columns(columns).tolist()] == PINNED


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), kinds=st.lists(st.sampled_from(KINDS), min_size=1, max_size=4), rows=st.integers(1, 60))
def test_a_row_hashes_alike_in_any_batch(seed: int, kinds: list[str], rows: int) -> None:
    rng = np.random.default_rng(seed)
    columns = [random_column(rng, kind, rows, 10, 0.2) for kind in kinds]
    together = hash_columns(columns)
    alone = [int(hash_columns([c.slice(i, 1) for c in columns])[0]) for i in range(rows)]
    assert together.tolist() == alone
    order = rng.permutation(rows)
    assert (hash_columns([c.take(pa.array(order)) for c in columns]) == together[order]).all()


def test_dictionaries_hash_as_their_values_whatever_the_dictionary() -> None:
    plain = pa.array(["x", None, "yy", "x"])
    other = pa.DictionaryArray.from_arrays(pa.array([2, None, 0, 2]), pa.array(["yy", "unused", "x"]))
    null_inside = pa.DictionaryArray.from_arrays(pa.array([1, 0, 2, 1]), pa.array([None, "x", "yy"]))
    for encoded in (plain.dictionary_encode(), other, null_inside, other.slice(0, 4)):
        assert (hash_columns([encoded]) == hash_columns([plain])).all()
    assert (hash_columns([other.slice(2)]) == hash_columns([plain.slice(2)])).all()


def test_views_null_columns_and_nothing_at_all() -> None:
    words = ["a", None, "a longer string than twelve bytes"]
    assert (hash_columns([pa.array(words, pa.string_view())]) == hash_columns([pa.array(words)])).all()
    assert hash_columns([pa.nulls(2)]).tolist() == [int(NULL_HASH)] * 2
    assert len(hash_columns([pa.array([], pa.string())])) == 0
    with pytest.raises(InternalError):
        hash_columns([])


def test_values_under_a_null_do_not_matter() -> None:
    mask = np.array([False, True, False])
    left = pa.array(np.array([1, 2, 3]), mask=mask)
    right = pa.array(np.array([1, 99, 3]), mask=mask)
    assert (hash_columns([left]) == hash_columns([right])).all()


def test_misaligned_buffers_hash_alike() -> None:
    values = np.arange(100, dtype=np.int64)
    moved = pa.py_buffer(b"x" + values.tobytes()).slice(1)
    assert (hash_columns([pa.Array.from_buffers(pa.int64(), 100, [None, moved])]) == hash_columns([pa.array(values)])).all()


def test_high_bits_spread_small_integers_evenly() -> None:
    hashes = hash_columns([pa.array(np.arange(64_000))])
    counts = np.bincount((hashes >> np.uint64(58)).astype(np.int64), minlength=64)
    assert counts.min() > 800
    assert counts.max() < 1200
