"""The laboratory's LAN by itself: announcements cross it, cables are pulled, and nothing is left of it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from flightmesh.discovery import multicast
from flightmesh.discovery.announcing import Announcer
from flightmesh.discovery.browsing import NodeBrowser
from nodes.lab import LabFailed, Network, lan
from nodes.lab.network import folder_of, namespaces
from tests.discovery.announced import driver, worker
from tests.lab.foreign_mdns import browse
from tests.lab.places import sweep, tag_of_this_process
from tests.namespaces import inside
from tests.packages import need
from tests.waiting import wait_until

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def network() -> Iterator[Network]:
    need("ip", "iproute2")
    sweep()
    with lan(tag_of_this_process("n"), ["n1", "n2", "client"]) as made:
        yield made


def test_announcements_cross_it_and_follow_addresses_and_cables(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(multicast, "LOOK_SECONDS", 0.1)
    n1, n2, client = (network.namespace(place) for place in ("n1", "n2", "client"))
    announcers = [inside(n1, lambda: Announcer(driver())), inside(n2, lambda: Announcer(worker()))]
    browser = inside(client, NodeBrowser)

    def hosts() -> dict[str, tuple[str, ...]]:
        return {node.role: node.hosts for node in browser.nodes()}

    wait_until(lambda: hosts() == {"driver": (network.addresses["n1"],), "worker": (network.addresses["n2"],)})
    network.readdress("n1", "10.213.77.99")
    wait_until(lambda: hosts()["driver"] == ("10.213.77.99",))
    network.cut("client")
    wait_until(lambda: hosts() == {})
    network.mend("client")
    wait_until(lambda: set(hosts()) == {"driver", "worker"})
    for each in announcers:
        each.close()
    wait_until(lambda: hosts() == {})
    browser.close()


def test_an_mdns_that_is_not_ours_sees_the_services_and_their_records(network: Network) -> None:
    n1, n2 = network.namespace("n1"), network.namespace("n2")
    announcers = [inside(n1, lambda: Announcer(driver())), inside(n2, lambda: Announcer(worker()))]
    records = browse(network, "client", nodes=2)
    service = "_flightmesh._tcp.local"
    for node, place in ((driver(), "n1"), (worker(), "n2")):
        instance, address = f"{node.node}.{service}", network.addresses[place]
        assert instance in records["PTR"][service]
        assert records["SRV"][instance] == {f"{node.node}.local:{node.port}"}
        assert records["A"][f"{node.node}.local"] == {address}
        assert records["TXT"][instance] == {
            "mesh=flightmesh",
            f"role={node.role}",
            f"id={node.node}",
            "inc=aa01",
            f"ver={node.protocol}",
            "cores=8",
            f"mem={16 << 30}",
            "sec=1",
            "ca=0123456789abcdef",
            f"peer={node.peer_port}",
            f"name={node.name}",
            f"host={address}",
        }
    for each in announcers:
        each.close()


def test_a_rate_limits_what_a_place_sends(network: Network) -> None:
    network.limit("n1", "5mbit")
    shown = subprocess.run(
        network.command("n1", ["tc", "qdisc", "show", "dev", "eth0"]), capture_output=True, text=True, check=True
    )
    assert "tbf" in shown.stdout
    assert "5Mbit" in shown.stdout


def test_a_place_has_one_name(network: Network) -> None:
    for name in ("n1", "switch", "Upper", "much-too-long-a-name"):
        with pytest.raises(LabFailed, match="cannot be the name of a place"):
            network.add(name)


def test_what_a_crash_leaves_behind_is_taken_down() -> None:
    """A process builds a LAN, starts a program in it and is gone without cleaning up."""
    tag = tag_of_this_process("c")
    crash = f"""
import os, subprocess
from nodes.lab.mesh import build
from nodes.lab.network import Network, folder_of
made = build(Network({tag!r}), folder_of({tag!r}), ["n1"])
sleep = made.network.command("n1", ["sleep", "600"])
started = subprocess.Popen(sleep, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
print(started.pid, flush=True)
os._exit(9)
"""
    crashed = subprocess.run([sys.executable, "-c", crash], capture_output=True, text=True, cwd=ROOT, check=False)
    assert crashed.returncode == 9, crashed.stderr
    pid = int(crashed.stdout)
    assert Path(f"/proc/{pid}").exists()
    assert folder_of(tag).is_dir()
    for _ in range(2):  # the second finds nothing
        subprocess.run([sys.executable, "nodes/lab", "--tag", tag, "down"], cwd=ROOT, check=True)
        assert not any(tag in name for name in namespaces())
        assert not folder_of(tag).exists()
    wait_until(lambda: not _runs(pid))


def test_the_command_line_says_what_is_wrong() -> None:
    said = subprocess.run(
        [sys.executable, "nodes/lab", "--tag", "none", "run", "n1", "true"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (said.returncode, said.stderr) == (
        1,
        "lab: there is no place 'n1': `python nodes/lab --tag none up` builds a laboratory\n",
    )


def _runs(pid: int) -> bool:
    try:
        return "(sleep) Z" not in Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
