"""Bits of arrays as masks: of any part of an array, with NULLs and without."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from flightmesh.kernel.values import stored_integers, unpack_bits, validity


@pytest.mark.parametrize("start", [0, 1, 7, 8, 9, 64])
@pytest.mark.parametrize("count", [0, 1, 7, 8, 9, 100])
@pytest.mark.parametrize("nulls", [0.0, 0.3, 1.0])
def test_masks_of_parts(start: int, count: int, nulls: float) -> None:
    rng = np.random.default_rng(start * 1000 + count)
    values = rng.random(200) < 0.5
    none = rng.random(200) < nulls
    array = pa.array(values, mask=none)[start : start + count]
    assert unpack_bits(array).tolist() == (values & ~none)[start : start + count].tolist()
    mask = validity(array)
    if array.null_count == 0:
        assert mask is None
    else:
        assert mask is not None and mask.tolist() == (~none)[start : start + count].tolist()
        mask[:] = False  # it is the caller's own
        assert validity(array) is not None and array.is_valid().to_numpy(zero_copy_only=False).sum() == count - array.null_count


def test_validity_of_types_without_a_bitmap() -> None:
    mask = validity(pa.nulls(3))
    assert mask is not None and mask.tolist() == [False] * 3
    whole = pa.array(["a", None, "b"]).dictionary_encode()
    mask = validity(whole[1:])
    assert mask is not None and mask.tolist() == [False, True]


@pytest.mark.parametrize("kind", [pa.int8(), pa.uint16(), pa.int32(), pa.uint64(), pa.date32(), pa.timestamp("us")])
def test_integers_as_they_are_stored(kind: pa.DataType) -> None:
    array = pa.array([1, 2, 3, 4], pa.int32() if kind == pa.date32() else pa.int64()).cast(kind)[1:]
    found = stored_integers(array)
    assert found.tolist() == [2, 3, 4] and found.itemsize * 8 == kind.bit_width
