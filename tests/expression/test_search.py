"""Substring search by whole batches equals pyarrow's, also over slices, NULLs and needles across borders."""

from __future__ import annotations

import random

import pyarrow as pa
import pyarrow.compute as pc

from flightmesh.expression.functions.search import contains


def test_equals_pyarrow_on_random_texts() -> None:
    draw = random.Random(3)
    for _ in range(300):
        alphabet = draw.choice(["ab", "abé", "日本a"])
        values = ["".join(draw.choices(alphabet, k=draw.randrange(7))) if draw.random() < 0.9 else None for _ in range(20)]
        text = pa.array(values, pa.string()).slice(draw.randrange(3), draw.randrange(15))
        needle = "".join(draw.choices(alphabet, k=draw.randrange(6)))
        assert contains(text, needle).equals(pc.match_substring(text, pattern=needle)), (values, needle)


def test_a_needle_does_not_match_across_two_texts() -> None:
    assert contains(pa.array(["ab", "cd"]), "bc").to_pylist() == [False, False]
