"""What was lately written is not written again, and is not kept for ever."""

from __future__ import annotations

from typing import Any

import pytest

from flightmesh.ids import JobId
from flightmesh.protocol import codec, latest
from flightmesh.protocol.codec import decode, encode
from flightmesh.protocol.latest import remembering
from flightmesh.protocol.messages import PlanStage
from tests.hand_made import GRAPHS


def test_a_value_is_written_once_while_it_is_among_the_latest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(latest, "KNOWN", 2)
    written: list[list[int]] = []

    def write(value: list[int]) -> str:
        written.append(value)
        return str(value)

    remembered = remembering(write)
    one, equal, other = [1], [1], [2]
    assert [remembered(each) for each in (one, one, equal, one, other)] == ["[1]", "[1]", "[1]", "[1]", "[2]"]
    assert [value is one for value in written] == [True, False, False]
    assert remembered(one) == "[1]"
    assert len(written) == 4, "the third took its place"


def test_what_is_large_is_forgotten_with_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(latest, "KNOWN_ITEMS", 10)
    written: list[list[int]] = []

    def write(value: list[int]) -> dict[str, list[int]]:
        written.append(value)
        return {"items": value}

    remembered = remembering(write)
    small, large, third = [1, 2, 3], list(range(100)), [4, 5]
    for each in (small, small, large, large, third, third, large, small, third):
        assert remembered(each) == {"items": each}
    assert written == [small, large, third, large, small, third]


def test_the_plan_of_a_stage_is_written_once_for_all_messages(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = GRAPHS["co_partitioned"](3).stages[0]
    first = encode(PlanStage(JobId(1), stage, (), ()))

    def never(*_: Any) -> bytes:
        raise AssertionError("a type was written again")

    monkeypatch.setattr(codec, "_type_bytes", never)
    second = encode(PlanStage(JobId(2), stage, (), ()))
    assert decode(first, PlanStage).stage == decode(second, PlanStage).stage == stage
    with pytest.raises(AssertionError, match="written again"):
        encode(PlanStage(JobId(3), GRAPHS["co_partitioned"](3).stages[0], (), ()))
