"""Ways to a driver: an address, a list, a DNS name, announcements."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Iterator

import pytest

from flightmesh.discovery.announcing import Announcer
from flightmesh.discovery.dns import DnsSource
from flightmesh.discovery.found import DriverAddress
from flightmesh.discovery.mdns import MdnsSource
from flightmesh.discovery.opening import Sought, open_source
from flightmesh.discovery.sources import DriverSource
from flightmesh.discovery.static import StaticSource, read_location
from flightmesh.errors import InvalidConfig
from flightmesh.protocol.node_messages import PROTOCOL_VERSION
from tests.discovery.announced import driver, worker
from tests.namespaces import in_namespace
from tests.waiting import ended, wait_until

FULL_FINGERPRINT = "0123456789abcdef" + "0" * 48


def locations(source: DriverSource) -> list[str]:
    return [each.location for each in source.candidates()]


@contextlib.contextmanager
def mdns(mesh: str | None = "flightmesh", ca: str = FULL_FINGERPRINT) -> Iterator[MdnsSource]:
    source = MdnsSource(mesh, ca)
    try:
        yield source
    finally:
        source.close()


@pytest.mark.parametrize(
    ("text", "host", "port", "secure"),
    [
        ("10.0.0.5:9000", "10.0.0.5", 9000, None),
        ("node.example", "node.example", 8815, None),
        ("[fd00::5]:9000", "fd00::5", 9000, None),
        ("fd00::5", "fd00::5", 8815, None),
        ("[fd00::5]", "fd00::5", 8815, None),
        ("grpc://10.0.0.5:9000", "10.0.0.5", 9000, False),
        ("grpc+tls://node.example:9000/", "node.example", 9000, True),
    ],
)
def test_an_address_is_read_as_people_write_it(text: str, host: str, port: int, secure: bool | None) -> None:
    assert read_location(text, "--driver") == DriverAddress(host, port, "--driver", secure=secure)


@pytest.mark.parametrize(
    "text", ["", ":8815", "host:", "host:0", "host:65536", "host:x", "a b:1", "http://h:1", "[fd00::5]9", "[::1", "h:²"]
)
def test_an_address_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(InvalidConfig, match="is not HOST:PORT"):
        read_location(text, "--driver")


def test_peers_are_tried_in_order() -> None:
    source = open_source(Sought(peers=("10.0.0.5", "10.0.0.6:9000"), mdns=False))
    assert locations(source) == ["10.0.0.5:8815", "10.0.0.6:9000"]
    assert source.waiting_for() == "the driver at 10.0.0.5:8815 or 10.0.0.6:9000"


def test_a_driver_that_was_named_is_the_only_way() -> None:
    source = open_source(Sought(driver="10.0.0.5:9000", peers=("10.0.0.6",), dns="drivers.example"))
    assert isinstance(source, StaticSource)
    assert locations(source) == ["10.0.0.5:9000"]


def test_no_way_at_all_is_said() -> None:
    with pytest.raises(InvalidConfig, match="no way to find a driver"):
        open_source(Sought(mdns=False))


def test_who_waits_goes_on_when_the_source_is_closed() -> None:
    source = open_source(Sought(peers=("10.0.0.5",), dns="drivers.example", mdns=False))
    threading.Timer(0.05, source.close).start()
    ended(lambda: source.wait_changed(600.0), 10.0)


def test_a_dns_name_is_looked_up_anew_each_time() -> None:
    answers = [["10.0.0.5", "10.0.0.6", "10.0.0.5"], ["10.0.0.7"]]
    source = DnsSource("drivers.example:9000", lambda host, port: answers.pop(0))
    assert locations(source) == ["10.0.0.5:9000", "10.0.0.6:9000"]
    assert source.candidates() == (DriverAddress("10.0.0.7", 9000, "DNS drivers.example"),)


def test_a_name_that_cannot_be_looked_up_is_said_once_and_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    answers: list[list[str] | OSError] = [OSError(-2, "Name or service not known")] * 2

    def look_up(host: str, port: int) -> list[str]:
        answer = answers.pop(0) if answers else ["10.0.0.5"]
        if isinstance(answer, OSError):
            raise answer
        return answer

    source = DnsSource("drivers.example", look_up)
    assert (locations(source), locations(source)) == ([], [])
    assert caplog.messages == ["cannot look up drivers.example: Name or service not known"]
    assert source.waiting_for() == "a driver at the DNS name drivers.example, port 8815 (Name or service not known)"
    assert locations(source) == ["10.0.0.5:8815"]
    assert source.waiting_for() == "a driver at the DNS name drivers.example, port 8815"


def test_a_resolver_that_hangs_costs_its_deadline_and_one_thread() -> None:
    asked: list[str] = []
    goes_on = threading.Event()

    def look_up(host: str, port: int) -> list[str]:
        asked.append(host)
        goes_on.wait()
        return ["10.0.0.5"]

    source = DnsSource("drivers.example", look_up, seconds=0.05)
    assert (locations(source), locations(source)) == ([], [])
    assert asked == ["drivers.example"]
    goes_on.set()
    wait_until(lambda: locations(source) == ["10.0.0.5:8815"])


def test_the_systems_resolver_is_asked() -> None:
    assert "127.0.0.1:8815" in locations(DnsSource("localhost"))


@in_namespace
def test_several_ways_are_one() -> None:
    announcer = Announcer(driver(hosts=("10.0.0.6", "10.0.0.7")))
    source = open_source(Sought(peers=("10.0.0.6",), mesh="flightmesh", ca=FULL_FINGERPRINT))
    wait_until(lambda: locations(source) == ["10.0.0.6:8815", "10.0.0.7:8815"])
    source.close()
    announcer.close()


@in_namespace
def test_a_driver_that_comes_after_is_told_at_once() -> None:
    with mdns() as source:
        assert source.candidates() == ()
        assert source.waiting_for() == "a driver of the mesh flightmesh on the LAN"
        threading.Timer(0.05, lambda: made.append(Announcer(driver()))).start()
        made: list[Announcer] = []
        started = time.monotonic()
        source.wait_changed(600.0)
        (address,) = source.candidates()
        assert time.monotonic() - started < 60.0
        assert address == DriverAddress(
            "127.0.0.1", 8815, "mDNS", "flightmesh", True, "0123456789abcdef", PROTOCOL_VERSION, "d-00000001", "aa01", 8816
        )
        wait_until(lambda: made)
        made[0].close()
        wait_until(lambda: source.candidates() == ())


@in_namespace
def test_only_drivers_of_the_mesh_that_is_sought_are_told(caplog: pytest.LogCaptureFixture) -> None:
    nodes = [
        driver(),
        worker(port=1),
        driver(node="d-2", port=2, mesh="other"),
        driver(node="d-3", port=3, ca="f" * 16),
        driver(node="d-4", port=4, ca="", secure=False, name="open"),
        driver(node="d-5", port=5, protocol=99, name="newer"),
    ]
    announcers = [Announcer(node) for node in nodes]
    with caplog.at_level(logging.WARNING), mdns() as source, mdns(ca="") as insecure, mdns(mesh=None, ca="f" * 64) as by_token:
        wait_until(lambda: len(source._browser.nodes()) == len(insecure._browser.nodes()) == len(nodes))
        assert locations(source) == ["127.0.0.1:8815"]
        assert locations(insecure) == ["127.0.0.1:4"]
        wait_until(lambda: locations(by_token) == ["127.0.0.1:3"])
    newer = (
        "the driver newer of the mesh flightmesh at 127.0.0.1 speaks version 99 of the protocol, "
        f"this flightmesh version {PROTOCOL_VERSION}"
    )
    insecurely = "the driver open of the mesh flightmesh is insecure, which a token is not for"
    assert {newer, insecurely} <= set(caplog.messages)
    assert "the driver driver of the mesh flightmesh is secure: it asks for a token" in caplog.messages
    for each in announcers:
        each.close()


@in_namespace
def test_other_meshes_that_are_there_are_named_to_who_waits() -> None:
    announcers = [Announcer(driver(ca="f" * 16)), Announcer(driver(node="d-2", port=2, mesh="other"))]
    with mdns() as source:
        wait_until(lambda: source.candidates() == () and "other at" in source.waiting_for())
        wait_until(lambda: source.candidates() == () and "flightmesh at" in source.waiting_for())
        there = "there are other meshes: flightmesh at 127.0.0.1, other at 127.0.0.1"
        assert source.waiting_for() == f"a driver of the mesh flightmesh on the LAN; {there}"
    for each in announcers:
        each.close()


@in_namespace
def test_why_nobody_will_do_is_said() -> None:
    announcer = Announcer(driver(protocol=99))
    with mdns() as source:
        wait_until(lambda: source.candidates() == () and "version 99" in source.waiting_for())
    announcer.close()
