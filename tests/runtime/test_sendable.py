"""Plans that no worker can be sent are refused when they are submitted."""

from __future__ import annotations

from dataclasses import replace

import pyarrow as pa
import pytest

from flightmesh.errors import UnsupportedFeature
from flightmesh.runtime import sendable
from flightmesh.runtime.sendable import require_sendable
from flightmesh.stage.graph import StageGraph
from tests.hand_made import GRAPHS

GRAPH = GRAPHS["co_partitioned"](3)


def with_column(kind: pa.DataType) -> StageGraph:
    """The graph, with one column of its result of this type."""
    *others, last = GRAPH.edges
    first, *rest = last.fields
    return replace(GRAPH, edges=(*others, replace(last, fields=(replace(first, type=kind), *rest))))


def lists(levels: int) -> pa.DataType:
    """A list of lists."""
    kind = pa.int64()
    for level in range(levels):
        kind = pa.list_(kind) if level % 2 else pa.struct([("a", pa.string()), ("b", kind)])
    return kind


def test_usual_plans_are_sent() -> None:
    for make in GRAPHS.values():
        require_sendable(make(3))
    require_sendable(with_column(lists(63)))


def test_rows_that_no_batch_can_carry_are_refused() -> None:
    with pytest.raises(UnsupportedFeature, match="in more than 63 levels, as the column 'k' has them") as caught:
        require_sendable(with_column(lists(64)))
    assert caught.value.hint == "nest fewer lists"


def test_numbers_that_no_message_can_carry_are_refused() -> None:
    first, *rest = GRAPH.stages
    with pytest.raises(UnsupportedFeature, match=r"cannot be sent to workers \(OverflowError: ") as caught:
        require_sendable(replace(GRAPH, stages=(replace(first, tasks=2**70), *rest)))
    assert caught.value.hint == "split the query with CREATE TABLE AS"


def test_plans_that_are_too_large_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sendable, "LARGEST_BODY", sendable.OVERHEAD + 100)
    with pytest.raises(UnsupportedFeature, match=r"a stage of the query takes .* bytes, and at most 100 can be sent"):
        require_sendable(GRAPH)
