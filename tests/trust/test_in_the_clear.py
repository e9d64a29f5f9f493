"""Nothing is sent without TLS that nobody asked to be: whoever is in the middle, or on the LAN, could make a mesh look so."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pyarrow.flight as flight
import pytest

from flightmesh.discovery.found import FoundNode
from flightmesh.errors import InvalidMessage, NodeUnavailable, NotTrusted
from flightmesh.protocol.node_messages import PROTOCOL_VERSION
from flightmesh.session import driver_access
from flightmesh.session.driver_access import find_access, trusting
from flightmesh.transport.flight_peers import Connection
from flightmesh.transport.security import ClientTls
from flightmesh.trust.authority import new_authority
from flightmesh.trust.tokens import Kind, new_token

ANNOUNCED = FoundNode("lab", "driver", "d", "i", PROTOCOL_VERSION, ("192.0.2.1",), 8815, 8816, 1, 1, False, "", "driver")
TOKEN = new_token(Kind.CLIENT, "ab" * 32)


@pytest.fixture(autouse=True)
def nobody_speaks_tls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver_access, "speaks_tls", lambda uri: False)
    for name in (driver_access.TOKEN_VARIABLE, driver_access.TOKEN_FILE_VARIABLE):
        monkeypatch.delenv(name, raising=False)


def announced(monkeypatch: pytest.MonkeyPatch, *nodes: FoundNode) -> None:
    def find_meshes(**_: Any) -> tuple[FoundNode, ...]:
        return nodes

    monkeypatch.setattr("flightmesh.discovery.meshes.find_meshes", find_meshes)


@pytest.mark.parametrize("address", ["192.0.2.1:8815", "[2001:db8::1]:8815", "driver.example.org:8815"])
def test_another_machine_without_tls_is_asked_nothing_unless_told_so(address: str) -> None:
    with pytest.raises(NotTrusted, match="does not speak TLS") as caught:
        find_access(address)
    assert f"grpc://{address}" in (caught.value.hint or "")
    assert find_access(f"grpc://{address}").uri == f"grpc://{address}"


@pytest.mark.parametrize("address", ["127.0.0.1:8815", "localhost:8815", "[::1]:8815"])
def test_this_machine_may_do_without(address: str) -> None:
    assert find_access(address).uri == f"grpc://{address}"


@pytest.mark.parametrize("address", ["mesh://", "mesh://lab"])
def test_who_has_a_token_believes_in_no_mesh_without_tls(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    announced(monkeypatch, ANNOUNCED)
    assert find_access(address).uri == "grpc://192.0.2.1:8815"  # a laboratory's, and nothing secret is at hand
    monkeypatch.setenv(driver_access.TOKEN_VARIABLE, TOKEN.text)
    with pytest.raises(NodeUnavailable, match="was found on this LAN"):
        find_access(address)


def test_a_mesh_with_tls_is_chosen_before_one_that_poses_as_it(monkeypatch: pytest.MonkeyPatch) -> None:
    mine = replace(ANNOUNCED, hosts=("192.0.2.2",), secure=True, ca=TOKEN.fingerprint[:16])
    announced(monkeypatch, ANNOUNCED, mine)
    asked: list[str] = []
    monkeypatch.setattr(driver_access, "with_token", lambda uri, token: asked.append(uri))
    find_access("mesh://lab", TOKEN.text)
    assert asked == ["grpc+tls://192.0.2.2:8815"]


@pytest.mark.parametrize("name", ["../../etc", "a\0b", "\x1b[31mred", "A B"])
def test_an_authority_of_no_mesh_is_not_looked_for(name: str) -> None:
    """Whoever answers says what his mesh is called, and its state would be looked for under that name."""
    stranger = new_authority(name)
    own = stranger.identity_of_driver("d-01020304", ["127.0.0.1"], 1)

    class Stranger(flight.FlightServerBase):  # type: ignore[misc]
        def do_action(self, context: Any, action: Any) -> list[bytes]:
            return [stranger.certificate]

    refusal = pytest.raises(InvalidMessage, match="is that of no mesh")
    with Stranger("grpc+tls://127.0.0.1:0", tls_certificates=[(own.certificate, own.key)]) as server, refusal:
        find_access(f"grpc+tls://127.0.0.1:{server.port}")


def test_an_endpoint_without_tls_gets_no_token() -> None:
    """Whoever named it: a worker says where it is."""
    authority = new_authority("lab")
    access = trusting("grpc+tls://192.0.2.1:8815", authority.certificate, new_token(Kind.CLIENT, authority.fingerprint))
    connection = access.connect()
    with pytest.raises(NotTrusted, match="an address without TLS"):
        connection.get("grpc://192.0.2.9:8817", b"ticket")
    connection.close()
    with pytest.raises(NotTrusted, match="an address without TLS"):
        Connection("grpc://192.0.2.9:8818", tls=ClientTls(authority.certificate))
