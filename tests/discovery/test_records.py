"""A node as DNS-SD records and back, and records of strangers."""

from __future__ import annotations

from typing import Any

import pytest
from zeroconf import ServiceInfo

from flightmesh.discovery.records import SERVICE, from_service, to_service
from tests.discovery.announced import driver, worker

KEYS = {"mesh", "role", "id", "inc", "ver", "cores", "mem", "sec", "ca", "peer", "name", "host"}


def said(**other: Any) -> ServiceInfo:
    """A driver's records; what is named is otherwise."""
    properties = {key: value or "" for key, value in to_service(driver(), ["10.0.0.5"]).decoded_properties.items()}
    arguments = {"port": 8815, "parsed_addresses": ["10.0.0.5"], **other}
    changed = properties | arguments.pop("properties", {})
    return ServiceInfo(SERVICE, f"d.{SERVICE}", properties={k: v for k, v in changed.items() if v is not None}, **arguments)


@pytest.mark.parametrize(
    "node",
    [
        driver(),
        worker(incarnation="n2-4193"),
        driver(secure=False, ca="", name="Ännes driver"),
        worker(node="my.host-4193", name="my.host"),
        worker(node=f"{'a' * 63}-4193"),
    ],
)
def test_there_and_back(node: Any) -> None:
    service = to_service(node, ["10.0.0.5", "10.1.0.5"])
    assert from_service(service) == node.at(("10.0.0.5", "10.1.0.5"))
    assert "." not in service.get_name()
    assert len(service.get_name()) <= 63


def test_addresses_that_were_chosen_are_said_instead_of_the_machines() -> None:
    node = driver(hosts=("node.example", "192.0.2.7"))
    assert from_service(to_service(node, ["10.0.0.5"])) == node


def test_names_that_were_chosen_come_before_the_machines_addresses() -> None:
    found = from_service(to_service(driver(hosts=("node.example",)), ["10.0.0.5"]))
    assert found is not None
    assert found.hosts == ("node.example", "10.0.0.5")


def test_no_more_addresses_are_said_than_one_record_holds() -> None:
    found = from_service(to_service(driver(), [f"192.168.100.{n}" for n in range(100, 130)]))
    assert found is not None
    assert found.hosts == tuple(f"192.168.100.{n}" for n in range(100, 115))


def test_only_what_anybody_may_know_is_said() -> None:
    assert set(to_service(driver(), ["10.0.0.5"]).decoded_properties) == KEYS


@pytest.mark.parametrize("key", sorted(KEYS - {"ca", "inc"}))
def test_what_lacks_a_field_is_no_node(key: str) -> None:
    assert from_service(said(properties={key: None})) is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"properties": {"mesh": "Not a label"}},
        {"properties": {"mesh": "\x1b[31mred"}},
        {"properties": {"role": "king"}},
        {"properties": {"id": "../../etc"}},
        {"properties": {"name": "\x1b]0;title\x07"}},
        {"properties": {"name": "two\nlines"}},
        {"properties": {"ver": "one"}},
        {"properties": {"ver": "-1"}},
        {"properties": {"mem": "9" * 40}},
        {"properties": {"peer": "65536"}},
        {"properties": {"sec": "maybe"}},
        {"properties": {"ca": "0123"}},
        {"properties": {"inc": "z z"}},
        {"properties": {"host": "a b"}},
        {"properties": {"host": "10.0.0.5,,10.0.0.6"}},
        {"port": 0},
    ],
    ids=str,
)
def test_what_is_not_of_the_form_is_no_node(wrong: dict[str, Any]) -> None:
    assert from_service(said()) is not None
    assert from_service(said(**wrong)) is None


def test_bytes_that_are_no_text_are_no_node() -> None:
    assert (
        from_service(
            ServiceInfo(SERVICE, f"d.{SERVICE}", port=1, properties={b"mesh": b"\xff\xfe"}, parsed_addresses=["10.0.0.5"])
        )
        is None
    )
