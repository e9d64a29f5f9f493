"""The systemd units: accepted by systemd's own checks, locked down, and not so tight that a node could not work."""

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from flightmesh import connect
from tests.deploy.confined import read_unit
from tests.node.processes import NodeCommand
from tests.packages import need

UNITS = sorted((Path(__file__).parents[2] / "nodes" / "systemd").glob("*.service"))
CONFINED = Path(__file__).parent / "confined.py"
HERE = ("--listen", "127.0.0.1", "--port", "0", "--peer-port", "0", "--no-mdns")
WORST_EXPOSURE = 1.5
"""Of 10; systemd calls anything below 2 `OK`, and its own services mostly lie between 2 and 9."""
PROBE = """
import mmap, os, socket
for attempt in (
    lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW),
    lambda: mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC),
    lambda: os.chroot("/"),
    lambda: os.setpriority(os.PRIO_PROCESS, 0, 0),
):
    try:
        attempt()
        print("done")
    except OSError as refusal:
        print("refused")
"""


def analyze(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [need("systemd-analyze", "systemd"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_there_are_two() -> None:
    assert [unit.name for unit in UNITS] == ["flightmesh-driver.service", "flightmesh-worker.service"]


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_systemd_accepts_it(unit: Path, tmp_path: Path) -> None:
    program = tmp_path / "flightmesh"  # nothing is installed here
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    placed = tmp_path / unit.name
    placed.write_text(unit.read_text().replace("/usr/local/bin/flightmesh", str(program)))
    verified = analyze("verify", "--man=no", placed)
    assert (verified.returncode, verified.stdout + verified.stderr) == (0, "")
    placed.write_text(placed.read_text().replace("Type=notify", "Type=notify\nProtectEverything=yes"))
    assert "ProtectEverything" in analyze("verify", "--man=no", placed).stderr


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_it_is_locked_down(unit: Path) -> None:
    shown = analyze("security", "--offline=yes", "--no-pager", unit)
    level = re.search(r"Overall exposure level for \S+: ([0-9.]+)", shown.stdout)
    assert level, shown.stdout + shown.stderr
    assert float(level[1]) <= WORST_EXPOSURE


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_it_is_ready_watched_and_given_time(unit: Path) -> None:
    settings = dict(read_unit(unit))
    assert settings["Type"] == "notify"
    assert (settings["User"], settings["ProtectSystem"], settings["NoNewPrivileges"]) == ("flightmesh", "strict", "yes")
    assert int(settings["WatchdogSec"]) > 0
    assert settings["Restart"] == "on-failure"
    tries = int(settings["StartLimitBurst"]) * int(settings["RestartSec"])
    assert tries < int(settings["StartLimitIntervalSec"]), "a node that ends at once would be started for ever"


class ConfinedDriver(NodeCommand):
    program = (sys.executable, str(CONFINED), str(UNITS[0]), *NodeCommand.program)


class ConfinedWorker(NodeCommand):
    program = (sys.executable, str(CONFINED), str(UNITS[1]), *NodeCommand.program)


@pytest.fixture
def ends() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def started(ends: ExitStack, command: NodeCommand) -> NodeCommand:
    ends.callback(command.wait_code)
    ends.callback(command.process.kill)
    return command


def test_the_restrictions_restrict() -> None:
    need("systemd-analyze", "systemd")
    probe = [sys.executable, CONFINED, UNITS[0], sys.executable, "-c", PROBE]
    ran = subprocess.run(probe, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout.split()) == (0, ["refused"] * 4), ran.stderr


def test_a_mesh_works_under_them(ends: ExitStack, tmp_path: Path) -> None:
    """With TLS, tokens, spilling: all that a node does."""
    need("systemd-analyze", "systemd")
    driver = started(ends, ConfinedDriver("driver", "--state", str(tmp_path), *HERE))
    uri = driver.wait_said(r"clients (grpc\+tls://[^\s,]+)")[1]
    tokens = tmp_path / "flightmesh"
    joining = ("--driver", uri.removeprefix("grpc+tls://"), "--token-file", str(tokens / "worker.token"))
    small = ("--name", "w", "--memory", "8MiB", "--spill-dir", str(tmp_path), "--allow-root", str(tmp_path))
    worker = started(ends, ConfinedWorker("worker", *joining, *small, *HERE))
    worker.wait_said("worker w ready")
    pq.write_table(pa.table({"k": np.arange(300_000), "v": ["row"] * 300_000}), tmp_path / "t.parquet")
    with connect(uri, token_file=tokens / "client.token") as session:
        query = f"select count(*), min(upper(v)), max(k) from (select * from '{tmp_path}/t.parquet' order by v, k desc) t"
        assert list(session.sql(query).to_arrow().to_pylist()[0].values()) == [300_000, "ROW", 299_999]
    for node in (worker, driver):
        node.signal(signal.SIGTERM)
        assert node.wait_code() == 0, node.said
