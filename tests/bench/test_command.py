"""The whole command, on few queries over small data, beside the DuckDB of the tests' own environment."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from flightmesh.bench.environments import folder_of
from flightmesh.bench.sides import REFERENCE
from flightmesh.config import available_cores
from tests.cli.running import flightmesh
from tests.tpch.data import tpch_folder
from tests.waiting import wait_until


@pytest.fixture
def arguments(tmp_path: Path) -> list[str]:
    """Of the command. Its cache has an environment for DuckDB already: this Python."""
    folder = folder_of(REFERENCE, tmp_path / "cache")
    (folder / "bin").mkdir(parents=True)
    python = folder / "bin" / "python"
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    (folder / "installed").touch()
    data = tpch_folder("0.1")
    return ["bench", "tpch", "--scale", "0.1", "--data", str(data), "--cache", str(tmp_path / "cache"), "--out", str(tmp_path)]


def test_from_data_to_documents(arguments: list[str], tmp_path: Path) -> None:
    done = flightmesh(*arguments, "--queries", "3,6", "--rounds", "2", "--threads", "1")
    assert done.returncode == 0, done.stderr
    document = json.loads((tmp_path / "tpch-0.1.json").read_text())
    assert list(document["queries"]) == ["3", "6"]
    for by_side in document["queries"].values():
        assert list(by_side) == ["embedded", "mesh", "duckdb"]
        for one in by_side.values():
            assert one["seconds"] == min(one["rounds"]) > 0
            assert one["peak"] > 2**20
            assert len(one["rounds"]) == 2
        assert by_side["mesh"]["planning"] > 0
        assert by_side["duckdb"]["planning"] is None
    assert (tmp_path / "tpch-0.1.md").read_text() == done.stdout.removesuffix("\n")
    assert "q03  embedded" in done.stderr


def test_made_data_is_kept(arguments: list[str], tmp_path: Path) -> None:
    """And is made for the scale; what queries are is said."""
    at = arguments.index("--data")
    command = ["bench", "h2o", "--scale", "0.0001", *arguments[at + 2 :], "--queries", "1", "--rounds", "1"]
    done = flightmesh(*command, "--ours", "embedded", "--threads", "1")
    assert done.returncode == 0, done.stderr
    assert "generating h2o at scale 0.0001" in done.stderr
    assert (tmp_path / "cache" / "data" / "h2o-0.0001" / "grouped.parquet").exists()
    document = json.loads((tmp_path / "h2o-0.0001.json").read_text())
    assert list(document["queries"]["1"]) == ["embedded", "duckdb"]
    assert "- Q1: sum by a text of 100 values" in done.stdout


def test_growth_with_threads(arguments: list[str], tmp_path: Path) -> None:
    """Of one scale, since its data is given; with more threads than there are cores, which is said."""
    threads = ("1", str(available_cores() + 1))
    done = flightmesh(*arguments, "--queries", "6", "--rounds", "1", "--ours", "embedded", "--threads", ",".join(threads))
    assert done.returncode == 0, done.stderr
    names = {path.name for path in tmp_path.glob("tpch-*.md")}
    assert names == {"tpch-growth.md", *(f"tpch-0.1-{count}-threads.md" for count in threads)}
    assert (tmp_path / "tpch-growth.md").read_text() == done.stdout.removesuffix("\n")
    curves = json.loads((tmp_path / "tpch-growth.json").read_text())["curves"]
    assert [(c["side"], c["threads"], list(c["sums"])) for c in curves] == [
        (side, int(count), ["0.1"]) for side in ("embedded", "duckdb") for count in threads
    ]
    assert "## Overhead only" in done.stdout


def test_ctrl_c_ends_all_processes(arguments: list[str]) -> None:
    command = [sys.executable, "-m", "flightmesh", *arguments, "--queries", "6", "--rounds", "100000", "--ours", "embedded"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("duckdb: starting"):
            break
    tree = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGINT)
    assert process.stderr.read().splitlines()[-1:] == ["cancelled"]
    assert process.wait(60) == 130
    process.stderr.close()
    assert tree
    wait_until(lambda: not any(one.is_running() for one in tree), 30, "the runners to end")
