"""A table of bits answers as a set does."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flightmesh.kernel import bit_table as module
from flightmesh.kernel.bit_table import MARGIN, bit_table

LEAST, GREATEST = -(1 << 63), (1 << 63) - 1


@given(
    low=st.one_of(st.integers(LEAST + MARGIN, GREATEST - 200), st.integers(-300, 300)),
    offsets=st.sets(st.integers(0, 199), min_size=1),
    asked=st.lists(st.integers(-20, 220)),
    far=st.lists(st.integers(LEAST, GREATEST)),
    piece=st.sampled_from([8, 64, 1 << 25]),
)
def test_members_are_found_and_nothing_else(low: int, offsets: set[int], asked: list[int], far: list[int], piece: int) -> None:
    members = {low + offset for offset in offsets}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_PIECE", piece)
        table = bit_table(np.array(sorted(members), np.int64), min(members), max(members))
    codes = [code for code in [*(low + offset for offset in asked), *far, LEAST, GREATEST] if LEAST <= code <= GREATEST]
    assert table.among(np.array(codes, np.int64)).tolist() == [code in members for code in codes]
    for first in sorted(members)[:4]:
        for last in (first, first + 3, max(members)):
            inside = [code for code in members if first < code <= last]
            if first < last <= max(members):
                assert table.any_between(first + 1, last) == bool(inside)
            assert table.any_between(first, min(last, max(members)))


@pytest.mark.parametrize("kind", [np.int8, np.uint8, np.int16, np.uint32, np.int32, np.int64])
def test_codes_of_any_width(kind: type[np.integer]) -> None:
    table = bit_table(np.array([3, 5, 90]), 3, 90)
    assert table.among(np.arange(0, 127).astype(kind)).nonzero()[0].tolist() == [3, 5, 90]
