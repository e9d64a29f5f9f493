"""A client that was not told where its driver is."""

from __future__ import annotations

import threading
import time

import pytest

from flightmesh.discovery.announcing import Announcer
from flightmesh.discovery.found import FoundNode
from flightmesh.discovery.meshes import choose, find_meshes
from flightmesh.errors import FlightmeshError, InvalidConfig, NodeUnavailable
from flightmesh.protocol.node_messages import PROTOCOL_VERSION
from tests.discovery.announced import driver, worker
from tests.namespaces import in_namespace

LEFT = driver(mesh="left", hosts=("10.0.0.5",))
RIGHT = driver(mesh="right", hosts=("10.0.0.6",), node="d-2", name="second", ca="f" * 16)
NEWER = driver(mesh="newer", hosts=("10.0.0.7",), node="d-3", protocol=99)
NAMESAKE = driver(mesh="left", hosts=("10.0.0.8",), node="d-4", ca="e" * 16)


@in_namespace
def test_drivers_are_found_and_no_time_is_lost() -> None:
    announcers = [Announcer(node) for node in (driver(mesh="b"), worker(), driver(mesh="a", node="d-2"))]
    started = time.monotonic()
    found = find_meshes(60.0)
    assert time.monotonic() - started < 30.0
    assert [node.mesh for node in found] == ["a", "b"]
    for each in announcers:
        each.close()


@in_namespace
def test_a_mesh_that_is_named_is_waited_for_while_others_answer() -> None:
    announcer, late = Announcer(driver(mesh="a")), []
    timer = threading.Timer(1.0, lambda: late.append(Announcer(driver(mesh="b", node="d-2"))))
    timer.start()
    assert "b" in [node.mesh for node in find_meshes(60.0, mesh="b")]
    timer.join()
    for each in (announcer, *late):
        each.close()


@in_namespace
def test_nobody_is_waited_for_no_longer_than_was_said() -> None:
    started = time.monotonic()
    assert find_meshes(0.4) == ()
    assert time.monotonic() - started >= 0.4


def test_the_mesh_that_is_meant_is_chosen() -> None:
    assert choose([LEFT]) == LEFT
    assert choose([LEFT, RIGHT], mesh="right") == RIGHT
    assert choose([LEFT, RIGHT], ca="f" * 64) == RIGHT
    assert choose([LEFT, NEWER], mesh="left") == LEFT


def test_of_a_driver_that_was_started_anew_the_one_heard_last_is_chosen() -> None:
    again = driver(mesh="left", hosts=("10.0.0.9",), node="d-9")
    assert choose([again, LEFT]) == again


@pytest.mark.parametrize(
    ("found", "mesh", "ca", "error", "message", "hint"),
    [
        ([], None, "", NodeUnavailable, "no mesh was found on this LAN", "--driver HOST:PORT"),
        ([], "left", "", NodeUnavailable, "no mesh left was found on this LAN", "flightmesh doctor"),
        (
            [LEFT],
            "right",
            "",
            NodeUnavailable,
            "no mesh right .*; there is left .driver driver at 10.0.0.5.",
            "flightmesh driver",
        ),
        ([LEFT], None, "f" * 64, NodeUnavailable, "none that your token is for .*; there is left", "flightmesh doctor"),
        (
            [RIGHT, LEFT],
            None,
            "",
            InvalidConfig,
            "2 meshes on this LAN: left .*, right .driver second at 10.0.0.6.",
            "--mesh left",
        ),
        ([LEFT, NAMESAKE], "left", "", InvalidConfig, "2 meshes of one name", "--driver HOST:PORT"),
        (
            [NEWER],
            None,
            "",
            InvalidConfig,
            f"version 99 of the protocol, this flightmesh version {PROTOCOL_VERSION}",
            "same release",
        ),
    ],
)
def test_what_cannot_be_chosen_is_said(
    found: list[FoundNode], mesh: str | None, ca: str, error: type[FlightmeshError], message: str, hint: str
) -> None:
    with pytest.raises(error, match=message) as refused:
        choose(found, mesh, ca)
    assert hint in (refused.value.hint or "")
