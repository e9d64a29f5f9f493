"""Key sets hold every key that any part was given, whatever form they have come to; digests carry them unchanged."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from flightmesh.errors import InvalidMessage
from flightmesh.exchange.key_digests import digest_of, key_set_of, united
from flightmesh.kernel.key_set import MOST_CODES, MOST_IN_BLOOM, KeyCollector, KeySet
from flightmesh.kernel.values import Array
from flightmesh.protocol.codec import decode, encode
from flightmesh.protocol.messages import KeyDigest, KeyForm

LARGEST_DIGEST = 256 * 1024


def collected(columns: list[Array]) -> KeySet:
    collector = KeyCollector()
    for column in columns:
        collector.add(column)
    return collector.result()


def numbers(count: int, spread: int, seed: int = 1) -> Array:
    generator = np.random.default_rng(seed)
    return pa.array(generator.integers(-spread, spread, count), mask=generator.random(count) < 0.05)


@pytest.mark.parametrize(
    ("count", "spread", "form"),
    [
        (100, 1000, KeyForm.BITMAP),
        (100, 1 << 60, KeyForm.CODES),
        (150_000, 1_000_000, KeyForm.BLOOM),
        (30_000, 500_000, KeyForm.BITMAP),
        (3 * MOST_CODES, 1 << 40, KeyForm.BLOOM),
        (2 * MOST_IN_BLOOM, 1 << 40, KeyForm.BOUNDS),
    ],
    ids=str,
)
@pytest.mark.parametrize("tasks", [1, 3])
def test_every_key_passes_what_was_collected_and_sent(count: int, spread: int, form: KeyForm, tasks: int) -> None:
    column = numbers(count, spread)
    shares = [
        column[index::tasks] if tasks == 1 else column.take(pa.array(range(index, count, tasks))) for index in range(tasks)
    ]
    told = [digest_of(4, collected([share[:50], share[50:70_000], share[70_000:]])) for share in shares]
    whole = united(told)
    assert whole.form is form
    assert len(whole.data) <= LARGEST_DIGEST
    assert decode(encode(whole), KeyDigest) == whole
    made = key_set_of(whole).key_filter()
    assert made.passes(column.drop_null()).all()
    assert not made.passes(pa.nulls(3, pa.int64())).any()
    values = column.drop_null().to_numpy()
    assert (whole.low, whole.high) == (values.min(), values.max())
    if form is not KeyForm.BOUNDS:
        others = np.setdiff1d(np.random.default_rng(9).integers(-spread, spread, 20_000), values)
        assert made.passes(pa.array(others)).mean() < 0.3


def test_parts_of_different_forms() -> None:
    few, many, none = numbers(10, 50), numbers(3 * MOST_CODES, 1 << 40, seed=2), pa.nulls(5, pa.int64())
    whole = united([digest_of(0, collected([part])) for part in (none, few, many)])
    assert whole.form is KeyForm.BLOOM
    made = key_set_of(whole).key_filter()
    assert made.passes(few.drop_null()).all()
    assert made.passes(many.drop_null()).all()


@pytest.mark.parametrize(
    "columns", [[], [pa.nulls(2, pa.int64())], [pa.array([], pa.string())]], ids=["none", "nulls", "texts"]
)
def test_no_keys(columns: list[Array]) -> None:
    told = united([digest_of(1, collected(columns)), digest_of(1, collected(columns))])
    assert told.high < told.low
    assert not key_set_of(told).key_filter().passes(pa.array([0, 1, -1])).any()


def test_texts_count_by_their_hash() -> None:
    names = pa.array([f"name {n}" for n in range(1000)])
    told = digest_of(2, collected([names[:500]]))
    assert not told.ordered
    made = key_set_of(told).key_filter()
    assert made.passes(names[:500]).all()
    assert made.passes(names[500:]).mean() < 0.1


@pytest.mark.parametrize(
    ("form", "data"), [(KeyForm.CODES, b"1234567"), (KeyForm.BITMAP, b"123"), (KeyForm.BLOOM, b"12345678")], ids=str
)
def test_bytes_of_another_form_are_refused(form: KeyForm, data: bytes) -> None:
    with pytest.raises(InvalidMessage, match=form.value):
        key_set_of(KeyDigest(0, 1, 9, True, form, data))
