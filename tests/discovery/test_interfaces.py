"""Which addresses of this machine are offered, and which of others' are tried first."""

from __future__ import annotations

import pytest

from flightmesh.discovery.interfaces import Kind, Local, best_first, check_interfaces, local_addresses
from flightmesh.errors import InvalidConfig
from tests.namespaces import add_link, in_namespace, ip
from tests.waiting import wait_until

LOCAL = (
    Local(Kind.LAN, "eth0", "10.0.0.2", 24),
    Local(Kind.VPN, "wg0", "10.8.0.2", 24),
    Local(Kind.CONTAINERS, "docker0", "172.17.0.1", 16),
)


def names(chosen: tuple[str, ...] = ()) -> list[tuple[str, str]]:
    return [(each.interface, each.address) for each in local_addresses(chosen)]


@in_namespace
def test_loopback_where_there_is_nothing_else() -> None:
    assert names() == [("lo", "127.0.0.1")]
    add_link("eth0", "10.0.0.2/24")
    wait_until(lambda: names() == [("eth0", "10.0.0.2")])
    ip("link set eth0-far down")  # the cable is pulled out
    wait_until(lambda: names() == [("lo", "127.0.0.1")])


@in_namespace
def test_lans_come_before_vpns_and_those_before_bridges_of_containers() -> None:
    add_link("docker0", "172.17.0.1/16", "bridge")
    add_link("wg0", "10.8.0.2/24")
    add_link("eth0", "10.0.0.2/24")
    ip("link add port type veth peer name port-far")
    ip("link set port master docker0")
    ip("link set port up")
    ip("link set port-far up")
    wait_until(lambda: [name for name, _ in names()] == ["eth0", "wg0", "docker0"])


@in_namespace
def test_interfaces_are_chosen_by_name_or_address() -> None:
    add_link("eth0", "10.0.0.2/24")
    add_link("eth1", "10.1.0.2/24")
    ip("addr add 10.1.0.3/24 dev eth1")
    wait_until(lambda: len(names()) == 3)
    assert names(("eth1",)) == [("eth1", "10.1.0.2"), ("eth1", "10.1.0.3")]
    assert names(("10.1.0.3", "lo")) == [("eth1", "10.1.0.3"), ("lo", "127.0.0.1")]
    check_interfaces(("eth1", "10.0.0.2"))
    with pytest.raises(InvalidConfig, match="no interface 'eth7'") as refused:
        check_interfaces(("eth7",))
    assert refused.value.hint == "it has eth0, eth0-far, eth1, eth1-far, lo"


@in_namespace
def test_ipv6_only_where_there_is_nothing_older() -> None:
    add_link("eth0", "fd00::5/64")
    wait_until(lambda: names() == [("eth0", "fd00::5")])
    ip("addr add 10.0.0.2/24 dev eth0")
    assert names() == [("eth0", "10.0.0.2")]


@pytest.mark.parametrize(
    ("hosts", "expected"),
    [
        (("192.0.2.9", "10.0.0.9"), ("10.0.0.9", "192.0.2.9")),
        (("10.8.0.9", "10.0.0.9"), ("10.0.0.9", "10.8.0.9")),
        (("172.17.0.1", "192.0.2.9"), ("192.0.2.9", "172.17.0.1")),
        (("172.17.0.5", "192.0.2.9"), ("172.17.0.5", "192.0.2.9")),
        (("10.0.0.9", "node.example"), ("node.example", "10.0.0.9")),
        (("fd00::9", "10.0.0.9", "10.0.0.9"), ("10.0.0.9", "fd00::9")),
        (("10.8.0.2", "10.0.0.2"), ("10.8.0.2", "10.0.0.2")),
    ],
    ids=str,
)
def test_the_address_likeliest_to_be_reached_comes_first(hosts: tuple[str, ...], expected: tuple[str, ...]) -> None:
    assert best_first(hosts, LOCAL) == expected
