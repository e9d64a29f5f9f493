"""Nodes on a LAN, none of them told an address: they find each other, leave, are killed and cut off, and come again."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from nodes.lab import CLIENT, empty_lab
from tests.lab.foreign_mdns import browse
from tests.lab.members import GOODBYE_SECONDS, JOINED, LISTENING, NOTICE_SECONDS, Mesh, examined, join, listed, mesh_of
from tests.lab.places import sweep, tag_of_this_process
from tests.packages import need
from tests.waiting import again_if_slow, wait_until

pytestmark = pytest.mark.xdist_group("lab")


@pytest.fixture(scope="module")
def mesh() -> Iterator[Mesh]:
    need("ip", "iproute2")
    sweep()
    with empty_lab(["n1", "n2", "n3", "n4", "o1", "o2", CLIENT], tag_of_this_process("l")) as made:
        yield mesh_of(made, ["n2", "n3"])


def test_a_client_without_an_address_finds_the_mesh(mesh: Mesh) -> None:
    assert listed(mesh.made) == {"driver": "driver", "n2": "worker", "n3": "worker"}
    ran = mesh.made.run(CLIENT, "flightmesh", "sql", "--mesh", "flightmesh", "--format", "csv", "select 6 * 7 as answer")
    assert (ran.returncode, ran.stdout.split()) == (0, ["answer", "42"]), ran.stderr


def test_an_mdns_that_is_not_ours_sees_the_nodes(mesh: Mesh) -> None:
    records = browse(mesh.made.network, CLIENT, nodes=3)
    texts = [dict(text.split("=", 1) for text in said) for said in records["TXT"].values()]
    assert sorted((text["role"], text["name"], text["mesh"]) for text in texts) == [
        ("driver", "driver", "flightmesh"),
        ("worker", "n2", "flightmesh"),
        ("worker", "n3", "flightmesh"),
    ]
    assert {address for said in records["A"].values() for address in said} == {
        mesh.made.network.addresses[place] for place in ("n1", "n2", "n3")
    }
    fingerprint, secret = mesh.token.split(".")[1], mesh.token.rpartition("-")[2]
    assert {text["ca"] for text in texts} == {fingerprint[:16]}
    assert secret not in str(records)


def test_the_doctor_finds_nothing_wrong(mesh: Mesh) -> None:
    findings = examined(mesh.made, CLIENT)
    assert {(found["check"], found["verdict"]) for found in findings} == {
        (check, "ok") for check in ("interfaces", "multicast", "ports", "clock", "token", "versions", "driver")
    }
    (others,) = [found["says"] for found in findings if "answered" in found["says"]]
    assert all(
        f"{role} {name} of flightmesh" in others for role, name in (("driver", "driver"), ("worker", "n2"), ("worker", "n3"))
    )
    at_driver = examined(mesh.made, "n1", "--token-file", mesh.made.keep("join", mesh.token))
    said = [found["says"] for found in at_driver]
    assert [found for found in at_driver if found["verdict"] != "ok"] == []
    assert [line for line in said if line.startswith("8815 is held by a flightmesh node")]
    assert "the driver lets workers join by it" in said
    assert mesh.token.rpartition("-")[2] not in str(findings + at_driver)


@again_if_slow
def test_who_says_goodbye_is_gone_at_once(mesh: Mesh) -> None:
    node = mesh.made.start_worker("n4", mesh.token)
    node.wait_said(JOINED)
    wait_until(lambda: "n4" in mesh.alive())
    assert node.leave() == 0
    mesh.wait_gone("n4", time.monotonic(), GOODBYE_SECONDS)


@again_if_slow
def test_who_is_killed_is_noticed_and_comes_again_at_its_address(mesh: Mesh) -> None:
    mesh.made.nodes["n3"].kill()
    mesh.wait_gone("n3", time.monotonic(), NOTICE_SECONDS)
    join(mesh, ["n3"])


@again_if_slow
def test_who_is_cut_off_is_noticed_and_comes_again(mesh: Mesh) -> None:
    mesh.made.network.cut("n3")
    try:
        mesh.wait_gone("n3", time.monotonic(), NOTICE_SECONDS)
    finally:
        mesh.made.network.mend("n3")
        wait_until(lambda: mesh.alive() == {"n2", "n3"}, 60.0)


def test_workers_find_a_driver_that_is_started_anew_and_one_that_comes_after_them(mesh: Mesh) -> None:
    mesh.made.nodes["n1"].kill()
    wait_until(lambda: not mesh.workers())
    early = mesh.made.start_worker("n4", mesh.token)
    early.wait_said(LISTENING)
    mesh.made.start_driver("n1")
    wait_until(lambda: mesh.alive() == {"n2", "n3", "n4"}, 60.0)
    assert early.leave() == 0


def test_two_meshes_on_one_lan_stay_apart(mesh: Mesh) -> None:
    made = mesh.made
    driver = made.start_driver("o1", "other")
    worker = made.start_worker("o2", made.token_for_workers(driver))
    worker.wait_said(JOINED)
    ours, theirs = made.client_token("n1"), made.client_token("o1")
    assert listed(made, "--mesh", "flightmesh", "--token-file", ours) == {"driver": "driver", "n2": "worker", "n3": "worker"}
    assert listed(made, "--token-file", theirs) == {"driver": "driver", "o2": "worker"}  # a token says which mesh it is for
    wrong = [
        found for found in examined(made, CLIENT, "--mesh", "flightmesh", "--token-file", theirs) if found["verdict"] == "wrong"
    ]
    assert [found["check"] for found in wrong] == ["driver"]
    assert "none that your token is for" in wrong[0]["says"] or "no mesh flightmesh" in wrong[0]["says"]
    for place in (CLIENT, "n3", "o2"):  # also where a node is, which is sent answers, too
        unsure = made.run(place, "flightmesh", "nodes")
        assert unsure.returncode != 0
        assert "there are 2 meshes on this LAN: flightmesh" in " ".join(unsure.stderr.split())
        assert "--mesh" in unsure.stderr
    for node in (worker, driver):
        assert node.leave() == 0
    assert mesh.alive() == {"n2", "n3"}
