"""nodes, jobs, job and cancel, asked of a driver in this process whose workers the tests play; and the driver as a process."""

import json
import re
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from flightmesh.cli.asking import DriverAt
from flightmesh.cli.nodes import command as nodes_command
from flightmesh.config import Config, MeshConfig
from flightmesh.driver.events import JobOptions, ResultAt
from flightmesh.errors import InvalidInput
from flightmesh.ids import JobId, WorkerId
from flightmesh.node.driver_node import DriverNode
from flightmesh.protocol.client_messages import Nodes, NodeStatus
from flightmesh.protocol.codec import decode
from flightmesh.protocol.messages import RunTask, TaskReport, TaskState
from flightmesh.protocol.node_messages import Load
from flightmesh.transport.flight_client import ClientConnection
from tests.cli.running import command, environment, flightmesh, rows_of
from tests.hand_made import constant
from tests.node.driving import SECONDS, PlayedWorker, driver_node, played_worker

QUERY = JobOptions(result=ResultAt.WORKERS, text="select 1,\n  'two' from numbers")
PATIENT = Config(mesh=MeshConfig(silent_seconds=600.0, lost_seconds=600.0))
READY = re.compile(
    r"driver ready: clients (grpc://127\.0\.0\.1:(\d+)), workers: flightmesh worker --insecure --driver 127\.0\.0\.1:(\d+)"
)


@pytest.fixture(scope="module")
def driver() -> Iterator[DriverNode]:
    with driver_node(PATIENT) as node:
        yield node


@pytest.fixture(scope="module")
def worker(driver: DriverNode) -> Iterator[PlayedWorker]:
    with played_worker(driver, "left") as played:
        played.register()
        yield played


@pytest.fixture(scope="module")
def running(driver: DriverNode, worker: PlayedWorker) -> JobId:
    """A job whose one task runs."""
    job = driver.mesh.submit(constant(0), QUERY)
    worker.wait_ordered(RunTask)
    return job


@pytest.fixture(scope="module")
def failed(driver: DriverNode, worker: PlayedWorker, running: JobId) -> JobId:
    """A job whose one task has failed."""
    job = driver.mesh.submit(constant(0), QUERY)
    order = worker.wait_ordered(RunTask, 2)[-1]
    error = InvalidInput("the file is torn", hint="get it again")
    worker.report(TaskReport(order.attempt, 0, TaskState.FAILED, error=error.to_wire()))
    assert driver.mesh.wait_ended(job, SECONDS)
    return job


def at(driver: DriverNode) -> list[str]:
    return ["--driver", driver.client_uri.removeprefix("grpc://")]


def test_nodes_are_listed_with_their_state(driver: DriverNode, worker: PlayedWorker) -> None:
    head, _, first, second = rows_of(flightmesh("nodes", *at(driver)))
    assert head.split()[:4] == ["NAME", "ROLE", "STATE", "ID"]
    assert first.split()[:5] == ["driver", "driver", "alive", driver.mesh.incarnation, driver.client_uri]
    node = driver.mesh.nodes()[-1]
    assert second.split()[:7] == ["left", "worker", "alive", node.id, "grpc://127.0.0.1:9", "2", "2"]


def test_a_node_that_is_gone_carries_nothing(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = Load(free_slots=1, running_tasks=4, exchange_bytes=66 << 20, spilled_bytes=0, cpu=1.5, rss=1 << 30, streams=4)
    states = ("alive", "draining", "lost", "left")
    nodes = tuple(
        NodeStatus(WorkerId(f"w-{n}"), "w", "worker", state, "h", n, "grpc://h:1", "grpc://h:2", 2, 1 << 30, 3.0, loaded)
        for n, state in enumerate(states)
    )
    monkeypatch.setattr(DriverAt, "ask", lambda *_: Nodes(nodes))
    nodes_command("127.0.0.1:1")
    lines = [line.split() for line in capsys.readouterr().out.splitlines()[2:]]
    assert [line[2:4] for line in lines] == [[state, f"w-{n}"] for n, state in enumerate(states)]
    for line in lines[:2]:
        assert line[5:9] == ["2", "1", "4", "1.5"]
        assert line[-4:] == ["4", "3.0", "s", "ago"]
    for line in lines[2:]:
        assert line[5:] == ["2", "3.0", "s", "ago"]


def test_the_address_comes_from_the_environment(driver: DriverNode, worker: PlayedWorker) -> None:
    lines = rows_of(flightmesh("nodes", "--format", "json", FLIGHTMESH_DRIVER=driver.client_uri))
    first, second = (json.loads(line) for line in lines)
    assert (first["role"], second["name"], second["slots"], second["load"]["free_slots"]) == ("driver", "left", 2, 2)


def test_jobs_are_listed_with_their_state(driver: DriverNode, running: JobId, failed: JobId) -> None:
    _, _, first, second = rows_of(flightmesh("jobs", *at(driver)))
    assert first.split()[:2] == [str(running), "running"]
    assert second.split()[:2] == [str(failed), "failed"]
    assert second.endswith("select 1, 'two' from numbers")


def test_jobs_for_programs(driver: DriverNode, running: JobId, failed: JobId) -> None:
    first, second = (json.loads(line) for line in rows_of(flightmesh("jobs", "--format", "json", *at(driver))))
    assert (first["job"], first["state"], first["tasks"], first["tasks_done"]) == (running, "running", 1, 0)
    assert second["error"]["code"] == "invalid_input"
    assert second["text"] == QUERY.text


def test_a_job_is_shown_with_stages_tasks_and_error(driver: DriverNode, failed: JobId) -> None:
    lines = rows_of(flightmesh("job", str(failed), *at(driver)))
    assert lines[0] == f"job {failed}: failed"
    assert any(line.startswith("error: the file is torn") for line in lines)
    assert "hint: get it again" in lines
    assert any(line.split()[:4] == ["0", "1", "0", "0"] for line in lines), "a stage of one task, none pending or running"
    assert any(line.split()[:5] == ["0", "0", "0", "failed", "left"] for line in lines), "the task, and where it ran"


def test_a_job_for_programs_is_one_object(driver: DriverNode, running: JobId) -> None:
    (line,) = rows_of(flightmesh("job", str(running), "--format", "json", *at(driver)))
    shown = json.loads(line)
    assert shown["status"]["job"] == running
    assert [task["state"] for task in shown["tasks"]] == ["running"]
    assert [edge["mode"] for stage in shown["stages"] for edge in stage["edges"]] == ["get"]


def test_a_job_is_cancelled(driver: DriverNode, worker: PlayedWorker, failed: JobId) -> None:
    job = driver.mesh.submit(constant(0), QUERY)
    assert rows_of(flightmesh("cancel", str(job), *at(driver))) == [f"job {job} is being cancelled"]
    assert driver.mesh.wait_ended(job, SECONDS)
    assert driver.mesh.status(job).state == "cancelled"
    assert rows_of(flightmesh("cancel", str(failed), *at(driver))) == [f"job {failed} is failed already"]


@pytest.mark.parametrize("name", ["job", "cancel"])
def test_an_unknown_job_is_an_error_with_a_hint(driver: DriverNode, name: str) -> None:
    result = flightmesh(name, "4711", *at(driver))
    assert (result.returncode, result.stdout) == (1, "")
    assert "there is no job 4711" in result.stderr
    assert "hint: `flightmesh jobs`" in result.stderr


@pytest.mark.parametrize("args", [["nodes"], ["jobs"], ["job", "1"], ["cancel", "1"]], ids=lambda args: args[0])
def test_without_an_address_a_mesh_is_looked_for(args: list[str]) -> None:
    result = flightmesh(*args)
    assert result.returncode == 1
    assert "no mesh was found on this LAN" in result.stderr
    assert "--driver HOST:PORT" in result.stderr


def test_where_nobody_listens_the_error_says_so() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: refused, and nobody else's
        result = flightmesh("nodes", "--driver", f"127.0.0.1:{taken.getsockname()[1]}")
    assert result.returncode == 1
    assert "no driver answers at grpc://127.0.0.1" in result.stderr
    assert "hint: start one with `flightmesh driver`" in result.stderr


def test_a_port_that_is_not_a_drivers_for_clients_is_named(driver: DriverNode, worker: PlayedWorker) -> None:
    for uri in (driver.mesh_uri, worker.node.uri):
        result = flightmesh("nodes", "--driver", uri)
        assert result.returncode == 1
        assert f"{uri} is no driver's client address" in result.stderr
        assert "hint: --driver takes the address that a driver prints" in result.stderr


def test_somebody_who_never_answers_is_given_up() -> None:
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen()
        result = flightmesh("jobs", "--driver", f"127.0.0.1:{mute.getsockname()[1]}")
    assert result.returncode == 1
    assert re.match(r"error: the driver at grpc://127\.0\.0\.1:\d+ did not answer within 5 s\n", result.stderr)
    assert "hint: is it a driver? it may be stopped" in result.stderr


@contextmanager
def driver_process(*args: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """`flightmesh driver`, and the line that says that it is ready."""
    process = subprocess.Popen(
        command("driver", *args),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
        start_new_session=True,
    )
    try:
        assert process.stdout is not None
        yield process, process.stdout.readline()
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate(timeout=SECONDS)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_driver_says_when_it_is_ready_and_ends_in_order(number: signal.Signals) -> None:
    with driver_process("--insecure", "--listen", "127.0.0.1:0") as (process, line):
        ready = READY.match(line)
        assert ready, line
        assert ready[2] == ready[3] != "0"
        connection = ClientConnection(ready[1])
        nodes: Nodes = decode(connection.action("nodes", b"", SECONDS)[0], Nodes)
        connection.close()
        assert [node.pid for node in nodes.nodes] == [process.pid]
        process.send_signal(number)
        said, complaint = process.communicate(timeout=SECONDS)
        assert (process.returncode, said) == (0, "driver has ended\n"), complaint


def test_a_port_in_use_is_an_error(driver: DriverNode) -> None:
    address = driver.client_uri.removeprefix("grpc://")
    result = flightmesh("driver", "--insecure", "--listen", address)
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.startswith("error: driver-client cannot listen at grpc://127.0.0.1"), "and nothing of gRPC's own words"
    assert len(result.stderr.splitlines()) == 2


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["--listen", "127.0.0.1:notaport"], "a host, or HOST:PORT is expected"),
        (["--listen", "0.0.0.0:8815"], "no address that others could be told"),
        (["--config", "nowhere.yaml"], "cannot read the configuration nowhere.yaml"),
        (["--allow-root", "/nowhere/at/all"], "the root /nowhere/at/all is not a folder"),
    ],
)
def test_mistakes_in_a_drivers_options(args: list[str], words: str, tmp_path: Path) -> None:
    result = flightmesh("driver", "--insecure", *args, cwd=None)
    assert result.returncode in (1, 2)
    assert words in " ".join(re.sub("[│╭╮╰╯─]", " ", result.stderr).split())
