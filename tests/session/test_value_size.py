"""What plans are counted with."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa
import pytest

from flightmesh.session.value_size import value_size


@dataclass(frozen=True, slots=True)
class Pair:
    left: object
    right: object


@pytest.mark.parametrize("value", ["x" * 10_000, b"x" * 10_000, pa.scalar("x" * 10_000), pa.array([1] * 1250)])
def test_values_are_counted_with_their_bytes(value: object) -> None:
    for held in (
        value,
        (value,),
        [value],
        {value if isinstance(value, str) else 1: value},
        Pair(1, value),
        Pair((Pair(value, 1),), 2),
    ):
        assert 10_000 <= value_size(held) < 12_000


def test_what_is_shared_is_counted_once() -> None:
    value = "x" * 10_000
    assert value_size(Pair(Pair(value, value), (value, [value]))) < 12_000
    assert value_size(Pair(value, value[:-1])) > 19_000


def test_depth_is_no_matter() -> None:
    value: object = 1
    for _ in range(50_000):
        value = Pair(value, None)
    assert value_size(value) > 50_000 * 40
