"""Readiness: the notify protocol over real sockets, the watchdog, the file for probes, and both commands that say it."""

import os
import signal
import threading
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from flightmesh.cli.children import Children, Said
from flightmesh.config import Config
from flightmesh.errors import InvalidConfig
from flightmesh.node.readiness import Readiness
from flightmesh.runtime.mesh_driver import MeshDriver
from tests.node.fake_driver import FakeDriver
from tests.node.processes import flightmesh
from tests.node.service_manager import ServiceManager
from tests.waiting import wait_until


def manager_at(tmp_path: Path, kind: str) -> ServiceManager:
    return ServiceManager(f"@flightmesh-test-{os.getpid()}-{tmp_path.name}" if kind == "abstract" else tmp_path / "notify")


@pytest.mark.parametrize("kind", ["path", "abstract"])
def test_what_a_service_manager_hears(tmp_path: Path, kind: str) -> None:
    with manager_at(tmp_path, kind) as manager:
        readiness = Readiness({"NOTIFY_SOCKET": manager.address})
        readiness.waiting("waiting for\nthe driver")
        readiness.ready("registered")
        readiness.waiting("no member any more")
        readiness.ready("registered")
        readiness.close()
        readiness.close()
        readiness.ready("too late")
        readiness.waiting("too late")
        manager.wait_heard("STOPPING=1")
        assert manager.heard == [
            "STATUS=waiting for the driver",
            "READY=1\nSTATUS=registered",
            "STATUS=no member any more",
            "READY=1\nSTATUS=registered",
            "STOPPING=1",
        ]


def test_the_file_is_there_while_the_node_is_ready(tmp_path: Path) -> None:
    file = tmp_path / "ready"
    file.write_text("left by a killed one")
    readiness = Readiness({"FLIGHTMESH_READY_FILE": str(file)})
    seen = [file.exists()]
    for tell in (readiness.waiting, readiness.ready, readiness.waiting, readiness.ready):
        tell("so it is")
        seen.append(file.exists())
    assert seen == [False, False, True, False, True]
    assert file.read_text() == "so it is\n"
    readiness.stopping()
    readiness.ready("too late")
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_cannot_be_made_is_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(InvalidConfig, match=r"readiness file .* cannot be made: No such file or directory"):
        Readiness({"FLIGHTMESH_READY_FILE": str(tmp_path / "gone" / "ready")})
    with pytest.raises(InvalidConfig, match="cannot be made: Is a directory"):
        Readiness({"FLIGHTMESH_READY_FILE": str(tmp_path)})


def test_a_folder_that_goes_later_stops_no_node(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    readiness = Readiness({"FLIGHTMESH_READY_FILE": str(folder / "ready")})
    folder.rmdir()
    readiness.ready("registered")
    readiness.close()
    assert "cannot be made: No such file or directory" in caplog.text


def test_a_manager_that_is_gone_is_said_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    readiness = Readiness({"NOTIFY_SOCKET": str(tmp_path / "nobody")})
    readiness.ready("registered")
    readiness.close()
    assert [record.getMessage() for record in caplog.records] == [
        "the service manager did not hear that READY=1: No such file or directory"
    ]


@pytest.mark.parametrize(
    "variables",
    [
        {"NOTIFY_SOCKET": "relative"},
        {"NOTIFY_SOCKET": "@"},
        {"NOTIFY_SOCKET": "/x", "WATCHDOG_USEC": "soon"},
        {"WATCHDOG_USEC": "0"},
    ],
)
def test_variables_that_make_no_sense(variables: dict[str, str]) -> None:
    with pytest.raises(InvalidConfig, match=r"NOTIFY_SOCKET is|WATCHDOG_USEC is"):
        Readiness(variables)


def test_the_watchdog_is_fed_at_half_its_time_while_the_node_answers(tmp_path: Path) -> None:
    answering, asked = [True], []

    def answers(seconds: float) -> bool:
        asked.append(time.monotonic())
        return answering[0]

    variables = {"WATCHDOG_USEC": "400000", "WATCHDOG_PID": str(os.getpid())}
    with manager_at(tmp_path, "path") as manager:
        readiness = Readiness({"NOTIFY_SOCKET": manager.address, **variables})
        readiness.watch(answers)
        manager.wait_heard("WATCHDOG=1", 3)
        assert asked[2] - asked[0] > 0.39
        answering[0] = False
        silent = len(asked)
        wait_until(lambda: len(asked) > silent + 2)
        fed = manager.count("WATCHDOG=1")
        wait_until(lambda: len(asked) > silent + 4)
        assert manager.count("WATCHDOG=1") == fed
        answering[0] = True
        manager.wait_heard("WATCHDOG=1", fed + 1)
        readiness.close()


@pytest.mark.parametrize("variables", [{}, {"WATCHDOG_USEC": "1000", "WATCHDOG_PID": "1"}])
def test_a_watchdog_of_another_process_is_not_fed(tmp_path: Path, variables: dict[str, str]) -> None:
    asked: list[float] = []
    with manager_at(tmp_path, "path") as manager:
        readiness = Readiness({"NOTIFY_SOCKET": manager.address, **variables})
        readiness.watch(lambda seconds: bool(asked.append(seconds)))
        readiness.close()
        manager.wait_heard("STOPPING=1")
        assert manager.heard == ["STOPPING=1"]
        assert asked == []


def test_the_driver_says_it(tmp_path: Path) -> None:
    file = tmp_path / "ready"
    with manager_at(tmp_path, "abstract") as manager:
        told = {"NOTIFY_SOCKET": manager.address, "WATCHDOG_USEC": "500000", "FLIGHTMESH_READY_FILE": str(file)}
        with flightmesh("driver", "--insecure", "--listen", "127.0.0.1:0", **told) as driver:
            manager.wait_heard("READY=1")
            assert file.read_text().startswith("clients grpc://127.0.0.1:")
            manager.wait_heard("WATCHDOG=1", 3)
            driver.signal(signal.SIGTERM)
            assert driver.wait_code() == 0
        manager.wait_heard("STOPPING=1")
        assert manager.count("READY=1") == 1
    assert not file.exists()


def test_a_worker_is_ready_while_it_is_a_member(tmp_path: Path) -> None:
    file = tmp_path / "ready"
    with manager_at(tmp_path, "path") as manager, ExitStack() as ends:
        told = {"NOTIFY_SOCKET": manager.address, "WATCHDOG_USEC": "1000000", "FLIGHTMESH_READY_FILE": str(file)}
        with FakeDriver() as driver:
            command = ("worker", "--insecure", "--driver", driver.address, "--name", "w", "--memory", "64MiB")
            worker = ends.enter_context(flightmesh(*command, **told))
            manager.wait_heard("READY=1")
            assert file.read_text() == f"registered at grpc://{driver.address} as w-0000\n"
        wait_until(lambda: not file.exists(), what="the file to go with the membership")
        manager.wait_heard("WATCHDOG=1", manager.count("WATCHDOG=1") + 2)  # no member, but alive
        with FakeDriver(driver.uri, "second") as driver:
            manager.wait_heard("READY=1", 2)
            assert file.exists()
            manager.wait_heard("WATCHDOG=1", manager.count("WATCHDOG=1") + 2)
            worker.signal(signal.SIGTERM)
            manager.wait_heard("STOPPING=1")
            assert not file.exists()
            driver.may_leave = True
            assert worker.wait_code() == 0
        statuses = [said for said in manager.heard if said.startswith("STATUS=")]
        assert statuses[0].startswith("STATUS=waiting for the driver at ") and driver.address in statuses[0]
        assert "nobody listens at the driver's address" in statuses[1]


def test_a_driver_whose_loop_is_stuck_does_not_answer() -> None:
    mesh, stuck = MeshDriver(Config(memory=64 << 20)), threading.Event()
    asking = threading.Thread(target=lambda: mesh._read(lambda table: stuck.wait(20)))
    asking.start()
    try:
        wait_until(lambda: not mesh.answers(0.05))
        stuck.set()
        asking.join()
        assert mesh.answers(5.0)
    finally:
        stuck.set()
        mesh.close()
    assert not mesh.answers(0.05)


def test_nodes_started_by_a_node_do_not_speak_in_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with manager_at(tmp_path, "path") as manager:
        monkeypatch.setenv("NOTIFY_SOCKET", manager.address)
        monkeypatch.setenv("FLIGHTMESH_READY_FILE", str(tmp_path / "ready"))
        children = Children("text")
        children.start("d", ["driver", "--insecure", "--listen", "127.0.0.1:0"])
        while not (isinstance(news := children.news.get(timeout=60), Said) and "driver ready" in news.line):
            pass
        children.signal("d", signal.SIGTERM)
        while isinstance(children.news.get(timeout=60), Said):
            pass
        assert manager.heard == []
    assert not (tmp_path / "ready").exists()
