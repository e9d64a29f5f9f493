"""Values of any depth through their bytes and back, in parts; and parts that make no value."""

from __future__ import annotations

from typing import Any

import msgpack
import pyarrow as pa
import pytest

from flightmesh.errors import InvalidMessage
from flightmesh.expression.nodes import Call, Case, Cast, Column, Expression, Field, Literal, When, children
from flightmesh.ids import AttemptId, ColumnId, JobId, StageId, TaskId, WorkerId
from flightmesh.physical.operators import FilterRows, LimitRows, Operator, ValuesRows, operator_inputs
from flightmesh.protocol.codec import decode, encode
from flightmesh.protocol.messages import PlanStage, RunTask, WorkerMessage
from flightmesh.protocol.node_messages import Orders
from flightmesh.protocol.parts import PART, WHOLE
from flightmesh.stage.graph import Stage

INT = pa.int64()
K = Column(ColumnId(1), "k", INT)
ATTEMPT = AttemptId(TaskId(JobId(1), StageId(1), 0), 0)
POSITIVE = Call("greater", (K, Literal(pa.scalar(0, INT))), pa.bool_())


def chain(levels: int) -> Expression:
    """Calls, casts and CASEs within each other."""
    node: Expression = K
    for level in range(levels):
        if level % 3 == 0:
            node = Call("add", (node, Literal(pa.scalar(level, INT))), INT)
        elif level % 3 == 1:
            node = Case((When(POSITIVE, K),), node, INT)
        else:
            node = Cast(node, INT)
    return node


def limits(levels: int) -> Operator:
    """Operators over each other; every tenth has an expression that is deep, too."""
    deep = Call("greater", (chain(100), K), pa.bool_())
    node: Operator = ValuesRows((Field(K.id, "k", INT),), pa.record_batch({K.key: [1]}))
    for level in range(levels):
        node = LimitRows(node, level) if level % 10 else FilterRows(node, deep)
    return node


def flat(root: Any, inside: Any) -> list[tuple[type, str, int]]:
    """What a tree is, without comparing deep values: each node with what it is called and how many are in it."""
    found, waiting = [], [root]
    while waiting:
        node = waiting.pop()
        found.append((type(node), str(getattr(node, "function", getattr(node, "count", ""))), len(inside(node))))
        waiting.extend(inside(node))
    return found


@pytest.mark.parametrize("levels", [30, 100, 250, 1_000, 30_000])
def test_expressions_of_any_depth_come_back(levels: int) -> None:
    node = chain(levels)
    made = decode(encode(node, Expression), Expression)
    assert flat(made, children) == flat(node, children)


def test_a_message_with_a_deep_plan_comes_back() -> None:
    root = limits(2_000)
    plan = PlanStage(JobId(1), Stage(StageId(1), root, 1, (), (), ()), (), ())
    sent = Orders("d", WorkerId("w"), 7, (plan, RunTask(ATTEMPT)))
    made = decode(encode(sent), Orders)
    assert made.first == 7
    assert made.messages[1] == sent.messages[1]
    assert flat(made.messages[0].stage.root, operator_inputs) == flat(root, operator_inputs)


def test_what_stands_twice_is_written_once() -> None:
    node = chain(1_000)
    once, twice = (len(encode(each, Expression)) for each in (node, Call("add", (node, node), INT)))
    assert twice < once * 1.2


def test_what_is_not_deep_is_one_map() -> None:
    assert isinstance(msgpack.unpackb(encode(chain(30), Expression)), dict)
    assert isinstance(msgpack.unpackb(encode(chain(1_000), Expression)), msgpack.ExtType)


def whole(*parts: Any) -> bytes:
    packed: bytes = msgpack.packb(msgpack.ExtType(WHOLE, msgpack.packb([msgpack.packb(part) for part in parts])))
    return packed


def part(number: Any) -> msgpack.ExtType:
    return msgpack.ExtType(PART, msgpack.packb(number))


COLUMN = msgpack.unpackb(encode(K, Expression))
CAST = msgpack.unpackb(encode(Cast(K, INT), Expression))
VALUES = msgpack.unpackb(encode(limits(0), Operator))


def test_parts_written_by_hand_are_read() -> None:
    assert decode(whole(COLUMN, {**CAST, "operand": part(0)}), Expression) == Cast(K, INT)


@pytest.mark.parametrize(
    "data",
    [
        whole(),
        whole(COLUMN, part(0), part(1)),
        whole(COLUMN, {**CAST, "operand": part(1)}),
        whole(COLUMN, {**CAST, "operand": part(-1)}),
        whole(COLUMN, {**CAST, "operand": part(None)}),
        whole(COLUMN, {**CAST, "operand": part([])}),
        whole(COLUMN, {**CAST, "operand": msgpack.ExtType(9, b"\0")}),
        whole({**CAST, "operand": part(0)}, COLUMN),
        whole(VALUES, {**CAST, "operand": part(0)}),
        whole({"_": "RunTask", "attempt": 1}, COLUMN),
        whole(7, COLUMN),
        msgpack.packb(msgpack.ExtType(WHOLE, b"\xc1")),
        msgpack.packb(msgpack.ExtType(WHOLE, msgpack.packb(3))),
        msgpack.packb(msgpack.ExtType(5, b"")),
        msgpack.packb({**CAST, "operand": part(0)}),
    ],
    ids=range(15),
)
def test_parts_that_make_no_value_are_a_typed_error(data: bytes) -> None:
    with pytest.raises(InvalidMessage, match="do not make"):
        decode(data, Expression)
    with pytest.raises(InvalidMessage, match="do not make"):
        decode(data, WorkerMessage)
