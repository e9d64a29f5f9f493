"""Substring search by whole batches equals pyarrow's, also over slices, NULLs and needles across borders."""

from __future__ import annotations

import random

import pyarrow as pa
import pyarrow.compute as pc

from flightmesh.expression.functions.likes import like
from flightmesh.expression.functions.search import contains, contains_in_order


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


def test_several_needles_are_found_in_their_order_and_do_not_share_letters() -> None:
    text = pa.array(["abcd", "cdab", "abc", "ab-bc-cd", None, "", "cdabcd"])
    assert contains_in_order(text, ("ab", "cd")).to_pylist() == [True, False, False, True, None, False, True]
    assert contains_in_order(text, ("ab", "bc")).to_pylist() == [False, False, False, True, None, False, False]
    assert contains_in_order(pa.nulls(2, pa.string()), ("a", "b")).to_pylist() == [None, None]


def test_patterns_of_several_words_are_those_of_pyarrow() -> None:
    draw = random.Random(4)
    for _ in range(400):
        alphabet = draw.choice(["ab", "abé", "日本a"])
        values = ["".join(draw.choices(alphabet, k=draw.randrange(12))) if draw.random() < 0.9 else None for _ in range(20)]
        text = pa.array(values, pa.string()).slice(draw.randrange(3), draw.randrange(15))
        words = ["".join(draw.choices(alphabet, k=draw.randrange(1, 4))) for _ in range(draw.randrange(2, 4))]
        for pattern in (f"%{'%'.join(words)}%", f"%{'%'.join(words)}", f"{'%'.join(words)}%", f"%{'_'.join(words)}%"):
            assert like(text, pattern).equals(pc.match_like(text, pattern)), (values, pattern)
