"""The checks of `flightmesh doctor` that need no mesh. tests/lab has it look at one."""

from __future__ import annotations

import socket
from collections.abc import Iterable

import pytest

from flightmesh.discovery.announcing import Announcer
from flightmesh.discovery.meshes import find_nodes
from flightmesh.doctor import versions
from flightmesh.doctor.clock import look_at_clock
from flightmesh.doctor.findings import Finding, Verdict
from flightmesh.doctor.greeting import Greeting, Sought, look_for_driver
from flightmesh.doctor.interfaces import look_at_interfaces
from flightmesh.doctor.multicast import look_at_multicast
from flightmesh.doctor.ports import look_at_ports
from flightmesh.doctor.token import look_at_token, read_given
from flightmesh.doctor.versions import compare_versions, look_at_versions
from flightmesh.protocol.enrolment import Hello
from flightmesh.protocol.node_messages import PROTOCOL_VERSION
from flightmesh.trust.tokens import Kind, new_token
from tests.discovery.announced import driver
from tests.namespaces import add_link, in_namespace, ip
from tests.waiting import wait_until

FINGERPRINT = "ab" * 32


def greeting(ahead: float = 0.0, protocol: int = PROTOCOL_VERSION, error: float = 0.01) -> Greeting:
    hello = Hello("flightmesh", "first", protocol, 8816, b"", 0.0)
    return Greeting("grpc+tls://10.0.0.5:8815", FINGERPRINT, hello, ahead, error)


def verdicts(findings: Iterable[Finding]) -> list[str]:
    return [finding.verdict.value for finding in findings]


@in_namespace
def test_interfaces_that_lead_nowhere() -> None:
    assert verdicts(look_at_interfaces(())) == ["note"]
    (unknown,) = look_at_interfaces(("eth7",))
    assert (unknown.verdict, unknown.says) == (Verdict.WRONG, "this machine has no interface 'eth7'")
    assert "it has lo" in unknown.advice
    ip("link set lo down")
    (down,) = look_at_interfaces(())
    assert (down.verdict, down.says) == (Verdict.WRONG, "no network interface is up")
    assert "ip link" in down.advice


@in_namespace
def test_interfaces_are_named_with_what_they_are() -> None:
    add_link("eth0", "10.0.0.2/24")
    add_link("wg0", "10.8.0.2/24")
    wait_until(lambda: [each.says for each in look_at_interfaces(())] == ["eth0 10.0.0.2, wg0 10.8.0.2 (VPN)"])
    assert verdicts(look_at_interfaces(())) == ["ok"]


@in_namespace
def test_multicast_that_works() -> None:
    works, alone = look_at_multicast((), ())
    assert (works.verdict, alone.verdict) == (Verdict.OK, Verdict.NOTE)
    announcer = Announcer(driver())
    works, others = look_at_multicast((), find_nodes())
    assert (works.verdict, others.verdict) == (Verdict.OK, Verdict.OK)
    assert "driver driver of flightmesh at 127.0.0.1:8815" in others.says
    announcer.close()


@in_namespace
def test_multicast_whose_port_somebody_keeps_to_himself() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as selfish:
        selfish.bind(("", 5353))
        (finding,) = look_at_multicast((), ())
    assert finding.verdict is Verdict.WRONG
    assert "in use" in finding.says
    assert "avahi" in finding.advice


def test_a_port_that_another_program_holds() -> None:
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
        (finding,) = look_at_ports({port: "a driver's clients"})
    assert finding.verdict is Verdict.WRONG
    assert f"{port}, for a driver's clients, is held by " in finding.says
    assert "--listen" in finding.advice
    assert look_at_ports({port: "a driver's clients"}) == [Finding("ports", Verdict.OK, f"{port} is free")]


@pytest.mark.parametrize(
    ("ahead", "error", "verdict", "says"),
    [
        (0.3, 0.01, Verdict.OK, "0.30 s"),
        (-4.0, 0.01, Verdict.OK, "4.00 s"),
        (30.0, 0.01, Verdict.NOTE, "the driver's clock is 30 s ahead of this machine's"),
        (-3600.0, 0.01, Verdict.WRONG, "the driver's clock is 3,600 s behind this machine's"),
        (6.0, 2.0, Verdict.OK, "6.00 s"),
    ],
)
def test_clocks_that_are_apart(ahead: float, error: float, verdict: Verdict, says: str) -> None:
    (finding,) = look_at_clock(greeting(ahead, error=error))
    assert finding.verdict is verdict
    assert says in finding.says
    assert bool(finding.advice) == (verdict is not Verdict.OK)


def test_versions_that_do_not_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    assert verdicts(look_at_versions()) == ["ok"]
    assert verdicts(compare_versions(greeting())) == ["ok"]
    (finding,) = compare_versions(greeting(protocol=99))
    assert (finding.verdict, "version 99" in finding.says) == (Verdict.WRONG, True)
    monkeypatch.setattr(versions, "PYARROW_FROM", 99)
    (finding,) = look_at_versions()
    assert (finding.verdict, "install pyarrow 99" in finding.advice) == (Verdict.WRONG, True)


def test_a_token_is_known_by_its_form_and_its_secret_is_not_shown() -> None:
    token = new_token(Kind.WORKER, FINGERPRINT)
    (finding,), read = read_given(token.text)
    assert (finding.verdict, read) == (Verdict.OK, token)
    assert finding.says == f"a worker's token, {token.id}, of the mesh whose CA is {FINGERPRINT[:12]}"
    assert token.text.rpartition("-")[2] not in str(finding)
    for damaged in ("fm1", "fm2.x.y", token.text[:-4]):
        (finding,), read = read_given(damaged)
        assert (finding.verdict, read) == (Verdict.WRONG, None)
        assert finding.advice
    assert read_given(None) == ([], None)


def test_a_driver_that_is_not_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
    (refused,), none = look_for_driver(Sought(f"127.0.0.1:{port}", None, None), ())
    assert (refused.verdict, none) == (Verdict.WRONG, None)
    (nobody,), none = look_for_driver(Sought(None, None, None), ())
    assert (nobody.verdict, none) == (Verdict.NOTE, None)
    (nonsense,), none = look_for_driver(Sought("no address:x", None, None), ())
    assert (nonsense.verdict, none) == (Verdict.WRONG, None)
    (unsure,), none = look_for_driver(
        Sought(None, None, None), (driver(mesh="a", hosts=("10.0.0.5",)), driver(mesh="b", hosts=("10.0.0.6",)))
    )
    assert (unsure.verdict, "--mesh" in unsure.advice) == (Verdict.WRONG, True)


def test_a_token_that_cannot_be_tried_is_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
    gone = Greeting(f"grpc+tls://127.0.0.1:{port}", FINGERPRINT, greeting().hello, 0.0, 0.0)
    for kind in Kind:
        (finding,) = look_at_token(new_token(kind, FINGERPRINT), gone)
        assert finding.verdict is Verdict.WRONG
        assert finding.says.startswith("the driver does not take it")
