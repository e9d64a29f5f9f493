"""Nodes that come, change and go, as the others on their LAN see it."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Iterator

import pytest

from flightmesh.discovery import multicast
from flightmesh.discovery.announcing import Announcer
from flightmesh.discovery.browsing import NodeBrowser
from flightmesh.discovery.found import FoundNode
from tests.discovery.announced import driver, worker
from tests.namespaces import add_link, in_namespace, ip
from tests.waiting import again_if_slow, assert_within, wait_until


@contextlib.contextmanager
def announced(*nodes: FoundNode) -> Iterator[list[Announcer]]:
    announcers = [Announcer(node) for node in nodes]
    try:
        yield announcers
    finally:
        for each in announcers:
            each.close()


@contextlib.contextmanager
def browsing() -> Iterator[NodeBrowser]:
    browser = NodeBrowser()
    try:
        yield browser
    finally:
        browser.close()


def found(browser: NodeBrowser) -> set[FoundNode]:
    return set(browser.nodes())


@in_namespace
def test_a_node_is_found_with_all_that_it_says_of_itself() -> None:
    here = ("127.0.0.1",)
    with announced(driver(), worker()), browsing() as browser:
        wait_until(lambda: len(found(browser)) == 2)
        assert found(browser) == {driver().at(here), worker().at(here)}


@in_namespace
@again_if_slow
def test_a_goodbye_is_heard_at_once() -> None:
    with browsing() as browser:
        with announced(driver()):
            wait_until(lambda: found(browser))
            leaving = time.monotonic()
        wait_until(lambda: not found(browser))
        assert_within(2.0, leaving, "a goodbye")


@in_namespace
def test_one_name_for_two_nodes_is_no_trouble() -> None:
    with announced(worker(node="w1-1", name="twin"), worker(node="w1-2", name="twin")), browsing() as browser:
        wait_until(lambda: len(found(browser)) == 2)
        assert {(each.node, each.name) for each in found(browser)} == {("w1-1", "twin"), ("w1-2", "twin")}


@in_namespace
def test_a_node_that_was_started_anew_is_the_one_that_is_found() -> None:
    """Killed, so without a goodbye; then there again at its address under its id, as another incarnation."""
    with announced(driver(incarnation="01")), browsing() as browser:
        wait_until(lambda: {each.incarnation for each in found(browser)} == {"01"})
        with announced(driver(incarnation="02")):
            wait_until(lambda: {each.incarnation for each in found(browser)} == {"02"})


@in_namespace
def test_who_was_heard_last_comes_first() -> None:
    with browsing() as browser, announced(driver(node="d-1")):
        wait_until(lambda: len(found(browser)) == 1)
        with announced(driver(node="d-2")):
            wait_until(lambda: [each.node for each in browser.nodes()] == ["d-2", "d-1"])


@in_namespace
def test_what_a_node_says_anew_is_heard() -> None:
    with announced(worker()) as (announcer,), browsing() as browser:
        wait_until(lambda: found(browser))
        announcer.update(worker(cores=3))
        wait_until(lambda: {each.cores for each in found(browser)} == {3})
        with pytest.raises(ValueError, match="cannot become"):
            announcer.update(driver())


@in_namespace
def test_addresses_that_come_and_go_are_announced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(multicast, "LOOK_SECONDS", 0.1)
    add_link("eth0", "10.0.0.2/24")
    with announced(driver()), browsing() as browser:

        def hosts() -> set[tuple[str, ...]]:
            return {each.hosts for each in found(browser)}

        wait_until(lambda: hosts() == {("10.0.0.2",)})
        ip("addr add 10.9.0.3/24 dev eth0")
        ip("addr del 10.0.0.2/24 dev eth0")
        wait_until(lambda: hosts() == {("10.9.0.3",)})
        ip("link set eth0-far down")
        wait_until(lambda: hosts() == {("127.0.0.1",)})


@in_namespace
def test_a_machine_without_a_network_says_so_and_announces_when_it_has_one(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(multicast, "LOOK_SECONDS", 0.1)
    ip("link set lo down")
    with caplog.at_level(logging.WARNING), announced(driver()), browsing() as browser:
        assert caplog.messages.count(caplog.messages[0]) == 2  # the announcer's and the browser's
        assert "no network interface is up" in caplog.messages[0]
        ip("link set lo up")
        wait_until(lambda: found(browser))


@in_namespace
def test_who_closes_right_away_is_not_left_behind() -> None:
    with browsing() as browser:
        with announced(driver()):
            pass
        with announced(worker()):
            wait_until(lambda: worker().node in {each.node for each in found(browser)})
            assert {each.node for each in found(browser)} == {worker().node}
