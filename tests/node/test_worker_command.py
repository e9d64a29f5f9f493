"""`flightmesh worker` as a process: what it prints, how signals end it, what it leaves."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from flightmesh.cli.addresses import is_loopback, listen_uri, node_uri
from flightmesh.exchange.spill import SpillArea
from flightmesh.ids import JobId
from flightmesh.protocol.messages import ReleaseJob, TaskState
from flightmesh.protocol.node_messages import Drain
from tests.hand_made import deep_limiting
from tests.node.fake_driver import FakeDriver
from tests.node.processes import flightmesh
from tests.node.tasks import run_scan, write_rows
from tests.waiting import wait_until

SPILLING = ("--memory", "8MiB")


def started(driver: FakeDriver, spill: Path, *more: str) -> tuple[str, ...]:
    return ("worker", "--insecure", "--driver", driver.address, "--name", "w", "--slots", "2", "--spill-dir", str(spill), *more)


def spill_something(driver: FakeDriver, folder: Path) -> None:
    table = write_rows(folder / "t.parquet", 1_000_000)
    assert run_scan(driver, deep_limiting(1, table=table), table).state is TaskState.FINISHED
    wait_until(lambda: driver.beats[-1].load.spill_files)


def spilled(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_without_insecure_it_says_what_is_missing() -> None:
    with flightmesh("worker", "--driver", "127.0.0.1:1") as worker:
        assert worker.wait_code() == 2
    assert "--insecure" in worker.said
    assert "TLS" in worker.said


def test_it_says_when_it_is_ready_and_logs_lines_of_json(tmp_path: Path) -> None:
    with FakeDriver() as driver, flightmesh(*started(driver, tmp_path, "--memory", "64MiB"), FLIGHTMESH_LOG="json") as worker:
        worker.wait_said(rf"worker w ready, registered at grpc://{driver.address} as w-0000\n")
        worker.signal(signal.SIGTERM)
        driver.may_leave = True
        assert worker.wait_code() == 0
    logged = [json.loads(line) for line in worker.said.splitlines() if line.startswith("{")]
    assert [line["node"] for line in logged] == ["w"] * len(logged)
    assert any("registered as w-0000" in line["message"] for line in logged)
    assert (driver.registrations[0].slots, driver.registrations[0].memory) == (2, 64 << 20)
    assert driver.registrations[0].pid == worker.process.pid


def test_the_driver_comes_from_the_environment(tmp_path: Path) -> None:
    arguments = ("worker", "--insecure", "--spill-dir", str(tmp_path))
    with FakeDriver() as driver, flightmesh(*arguments, FLIGHTMESH_DRIVER=f"grpc://{driver.address}") as worker:
        worker.wait_said(r"worker \S+ ready")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_drains(tmp_path: Path, number: signal.Signals) -> None:
    with FakeDriver() as driver, flightmesh(*started(driver, tmp_path, *SPILLING), FLIGHTMESH_LOG="text") as worker:
        worker.wait_said("ready")
        spill_something(driver, tmp_path)
        worker.signal(number)
        wait_until(lambda: driver.beats[-1].drain is Drain.DRAINING)
        worker.wait_said(r"w \| \d\d:\d\d:\d\d draining: waiting for job 1 \(0 tasks running, .* not read yet\)")
        driver.order(ReleaseJob(JobId(1)))
        assert not driver.left
        driver.may_leave = True
        assert worker.wait_code() == 0
        assert [left.reason for left in driver.left] == ["it was drained"]
    assert "worker w has left" in worker.said
    assert spilled(tmp_path) == [tmp_path / "t.parquet"]


def test_the_second_signal_ends_it_at_once(tmp_path: Path) -> None:
    with FakeDriver() as driver, flightmesh(*started(driver, tmp_path, *SPILLING)) as worker:
        worker.wait_said("ready")
        spill_something(driver, tmp_path)
        assert len(spilled(tmp_path)) > 1
        worker.signal(signal.SIGINT)
        wait_until(lambda: driver.beats[-1].drain is Drain.DRAINING)
        worker.signal(signal.SIGINT)
        assert worker.wait_code(5.0) == 130
    assert "ended at once" in worker.said
    assert "Traceback" not in worker.said
    assert spilled(tmp_path) == [tmp_path / "t.parquet"]


def test_one_that_finds_no_driver_ends_with_the_first_signal(tmp_path: Path) -> None:
    arguments = ("worker", "--insecure", "--driver", "127.0.0.1:1", "--spill-dir", str(tmp_path))
    with flightmesh(*arguments, FLIGHTMESH_LOG="text") as worker:
        worker.wait_said("waiting for the driver at grpc://127.0.0.1:1")
        worker.signal(signal.SIGINT)
        assert worker.wait_code() == 0


def test_what_a_killed_one_left_goes_at_the_next_start(tmp_path: Path) -> None:
    living = SpillArea(tmp_path / "spill")
    living.reserve(living.channel("c"), 10, 1)
    assert living.folder is not None
    with FakeDriver() as driver:
        spill = tmp_path / "spill"
        with flightmesh(*started(driver, spill, *SPILLING)) as worker:
            worker.wait_said("ready")
            spill_something(driver, tmp_path)
            worker.signal(signal.SIGKILL)
            worker.wait_code()
        left = [folder for folder in spill.iterdir() if folder != living.folder]
        assert len(left) == 1
        assert any(path.stat().st_size for path in spilled(left[0]))
        with flightmesh(*started(driver, spill), FLIGHTMESH_LOG="text") as worker:
            worker.wait_said(f"removed {left[0]}")
            assert list(spill.iterdir()) == [living.folder]
    living.close()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--driver", "somewhere"), "HOST:PORT is expected"),
        (("--driver", "127.0.0.1:1", "--memory", "much"), "not a size"),
        (("--driver", "127.0.0.1:1", "--allow-root", "/no/such/folder"), "is not a folder"),
        (("--driver", "127.0.0.1:1", "--listen", "0.0.0.0"), "is no address that others could be told"),
        (("--driver", "127.0.0.1:1", "--listen", "203.0.113.1"), "hint: 203.0.113.1 is no address of this machine"),
        (("--driver", "127.0.0.1:1", "--config", "nowhere.yaml"), "nowhere.yaml"),
        (("--driver", "127.0.0.1:1", "--name", "a b"), "not 'a b'"),
        (("--driver", "127.0.0.1:1", "--serve", "orders"), "NAME=PATH"),
        (("--driver", "127.0.0.1:1", "--serve", "a b=/tmp"), "NAME=PATH is expected"),
        (("--driver", "127.0.0.1:1", "--serve", "orders=/tmp/no-such-file"), "to be served as orders, is not there"),
        (("--driver", "127.0.0.1:1", "--serve", "orders=/tmp", "--serve-replica", "Orders=/tmp"), "is served twice"),
    ],
)
def test_mistakes_on_the_command_line(arguments: tuple[str, ...], message: str) -> None:
    with flightmesh("worker", "--insecure", *arguments, COLUMNS="200") as worker:
        assert worker.wait_code() in (1, 2)
    assert message in " ".join(worker.said.split())
    assert "Traceback" not in worker.said


def test_nobody_has_to_read_what_it_prints(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    with FakeDriver() as driver:
        command = [sys.executable, "-m", "flightmesh", *started(driver, tmp_path)]
        process = subprocess.Popen(command, stdout=writing, stderr=writing, start_new_session=True)
        os.close(writing)
        try:
            wait_until(lambda: driver.beats)
            os.close(reading)
            driver.fence(driver.ids[0])
            wait_until(lambda: driver.beats[-1].worker == "w-0001")
            driver.may_leave = True
            process.wait(20)
        finally:
            process.kill()
            process.wait()
    assert [left.worker for left in driver.left] == ["w-0001"]


def test_a_worker_that_was_given_another_workers_address_says_so(tmp_path: Path) -> None:
    with FakeDriver() as driver, flightmesh(*started(driver, tmp_path)) as first:
        first.wait_said("ready")
        address = driver.registrations[0].address.client.removeprefix("grpc://")
        with flightmesh("worker", "--insecure", "--driver", address, "--spill-dir", str(tmp_path)) as second:
            assert second.wait_code() == 1
        assert "ask the driver" in second.said


def test_addresses(capsys: pytest.CaptureFixture[str]) -> None:
    assert node_uri("127.0.0.1:8815") == node_uri("grpc://127.0.0.1:8815") == "grpc://127.0.0.1:8815"
    assert listen_uri(None, True) == "grpc://127.0.0.1:0"
    assert listen_uri("localhost", True, 8815) == "grpc://localhost:8815"
    assert listen_uri("[::1]:99", True) == "grpc://[::1]:99"
    assert listen_uri("::1", True) == "grpc://[::1]:0"
    assert not capsys.readouterr().err
    assert listen_uri("192.0.2.7", True) == "grpc://192.0.2.7:0"
    assert "WARNING: listening at 192.0.2.7 without TLS" in capsys.readouterr().err
    for text in ("grpc+tls://a:1", "a", "a:b", "a:0", "a:99999"):
        with pytest.raises(typer.BadParameter):
            node_uri(text)
    for text in ("0.0.0.0", "::", "host:x", "[::]:1"):
        with pytest.raises(typer.BadParameter):
            listen_uri(text, True)
    assert all(is_loopback(host) for host in ("127.0.0.1", "grpc://127.1.2.3:4", "localhost:1", "[::1]:4", "::1"))
    assert not any(is_loopback(host) for host in ("10.0.0.1:3", "example.org", "[fe80::1]:4"))
