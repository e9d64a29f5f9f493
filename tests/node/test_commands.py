"""What a client's command means."""

from __future__ import annotations

from pathlib import Path

import msgpack
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flightmesh.errors import FlightmeshError, InvalidMessage
from flightmesh.node.commands import is_plan, read_params, read_run, read_upload
from flightmesh.protocol.client_messages import Delivery, Route, Run, UploadTable
from flightmesh.protocol.codec import encode
from flightmesh.session.remote_params import pack_params
from tests.tpch.data import NUMBERS, queries

PLANS = Path(__file__).parents[2] / "plans"


def test_text_is_sql_or_a_plan() -> None:
    assert read_run(b"select 1") == Run(sql="select 1")
    assert read_run("sélect 1".encode()) == Run(sql="sélect 1")
    assert read_run(b"steps: {a: {sql: select 1}}").plan == "steps: {a: {sql: select 1}}"


@pytest.mark.parametrize("path", sorted(PLANS.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_plan_is_known_for_one(path: Path) -> None:
    assert is_plan(path.read_text())


@pytest.mark.parametrize("number", NUMBERS)
def test_no_query_is_taken_for_a_plan(number: int) -> None:
    assert not is_plan(queries()[number])


@pytest.mark.parametrize(
    ("text", "plan"),
    [
        ("# a comment\n\nplan: x\nsteps:\n  a: {sql: select 1}", True),
        ("---\nsteps: {}", True),
        ('{"steps": {"a": {"sql": "select 1"}}}', True),
        ('"steps":\n  a: {sql: select 1}', True),
        ("\ufeffinputs: {}\nsteps: {}", True),
        ("steps:", True),
        ("select steps from plan", False),
        ("-- steps:\nselect 1", False),
        ("from steps", False),
        ("with steps as (select 1) select * from steps", False),
        ("select '\nsteps: 1'", False),
        ("output", False),
        ("", False),
    ],
)
def test_how_a_plan_is_told_from_sql(text: str, plan: bool) -> None:
    assert is_plan(text) is plan


def test_maps() -> None:
    run = Run(sql="select 1", delivery=Delivery.COMPLETE, results=Route.DRIVER)
    assert read_run(encode(run)) == run
    assert read_run(msgpack.packb({"sql": "select 1"})) == Run(sql="select 1")
    assert read_run(msgpack.packb({"plan": "steps: {}", "results": "through-driver"})).results is Route.DRIVER


@pytest.mark.parametrize(
    "command",
    [
        msgpack.packb({"sql": 1}),
        msgpack.packb({"sq": "select 1"}),
        msgpack.packb({}),
        msgpack.packb({"sql": "select 1", "plan": "steps: {}"}),
        msgpack.packb({"sql": "select 1", "delivery": "slow"}),
        msgpack.packb({1: 2}),
        b"\xff\xfe",
        b"\x81\xa3sql",
        b"\xc1",
    ],
)
def test_what_is_none_of_these(command: bytes) -> None:
    with pytest.raises(InvalidMessage):
        read_run(command)


@given(st.binary(max_size=200))
@settings(max_examples=2000, deadline=None)
def test_any_bytes_are_something_or_a_typed_error(data: bytes) -> None:
    for read in (read_run, read_params, lambda command: read_upload(command, ())):
        try:
            read(data)
        except FlightmeshError as error:
            assert isinstance(error, InvalidMessage)


def test_a_command_has_an_end() -> None:
    with pytest.raises(InvalidMessage, match="too long"):
        read_run(b"x" * (17 << 20))


def test_which_table_an_upload_makes() -> None:
    assert read_upload(msgpack.packb({"name": "t", "temporary": True}), ()) == UploadTable("t", True)
    assert read_upload(None, ("with.dot", 'a"b')) == UploadTable('"with.dot"."a""b"')
    for command, path in ((b"t", ()), (None, ()), (None, ("",)), (msgpack.packb({"temporary": True}), ())):
        with pytest.raises(InvalidMessage):
            read_upload(command, path)


def test_parameters() -> None:
    assert read_params(None) is None
    assert read_params(pack_params([1, "x", None])) == [1, "x", None]
    assert read_params(pack_params({"a": 1, "b": "x"})) == {"a": 1, "b": "x"}
    two = pa.BufferOutputStream()
    with pa.ipc.new_stream(two, pa.schema([("a", pa.int64())])) as writer:
        writer.write_batch(pa.record_batch({"a": [1, 2]}))
    with pytest.raises(InvalidMessage, match="one row, not 2"):
        read_params(bytes(two.getvalue()))
