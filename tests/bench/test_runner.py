"""A side's process: what it answers, how it fails, that nothing of it is left."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from flightmesh.bench.runner import QueryFailed, Runner, SideFailed
from flightmesh.bench.sides import Side
from flightmesh.bench.usage import Watch
from tests.waiting import wait_until

HEAD = f"""
import subprocess, sys, time
sys.path.insert(0, {str(Path(__file__).parents[2] / "flightmesh" / "bench" / "peers")!r})
import pyarrow as pa
from protocol import serve
class Engine:
    version = "7"
    def __init__(self, options):
        print("a library prints this")
    def load(self, tables): pass
    def close(self): pass
    def run(self, sql):
        {{}}
        return pa.table({{{{"a": [1]}}}})
serve(Engine)
"""
Opened = Callable[[str], Runner]


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Opened]:
    """Opens a runner whose engine runs a line of Python for each query."""
    runners = []

    def start(line: str) -> Runner:
        script = tmp_path / "run.py"
        script.write_text(HEAD.format(line))
        side = Side("made", "an engine for tests", str(script), ("itself",))
        runners.append(Runner(side, Path(sys.executable), {"cores": [min(psutil.Process().cpu_affinity())]}, tmp_path / "log"))
        return runners[-1]

    yield start
    for runner in runners:
        runner.end()


def test_a_failed_query_is_not_the_end(opened: Opened) -> None:
    runner = opened("assert sql != 'bad', 'no such\\n table'")
    assert runner.version == "7"
    with pytest.raises(QueryFailed, match="AssertionError: no such table"):
        runner.ask(30, "run", sql="bad", rows=None)
    assert runner.ask(30, "run", sql="good", rows=None)["seconds"] >= 0


def test_an_end_without_an_answer_is_told_with_its_last_words(opened: Opened) -> None:
    runner = opened("import os; print('out of memory', file=sys.stderr, flush=True); os._exit(3)")
    with pytest.raises(SideFailed, match=r"ended with code 3: .*out of memory"):
        runner.ask(30, "run", sql="x", rows=None)
    with pytest.raises(SideFailed, match="ended with code 3"):
        runner.ask(30, "run", sql="x", rows=None)


def test_who_does_not_answer_is_ended_with_its_children(opened: Opened) -> None:
    runner = opened("self.child = subprocess.Popen(['sleep', '600']); time.sleep(0 if sql == 'start' else 600)")
    runner.ask(30, "run", sql="start", rows=None)
    (child,) = psutil.Process(runner.pid).children()
    with pytest.raises(SideFailed, match="no answer within 0 s"):
        runner.ask(0.01, "run", sql="wait", rows=None)
    runner.kill()
    wait_until(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE, 30, "the child to end")
    assert not psutil.pid_exists(runner.pid)


def test_what_is_used_counts_children(opened: Opened) -> None:
    """Half a second of a child that computes, and its 64 MiB."""
    burn = "import time; a = bytearray(64 << 20)\nwhile time.process_time() < 0.5: pass"
    runner = opened(f"subprocess.run([sys.executable, '-c', {burn!r}], check=True)")
    with Watch(runner.pid) as watch:
        runner.ask(60, "run", sql="x", rows=None)
    assert watch.usage.cpu >= 0.45
    assert watch.usage.byte_seconds > 0
    assert watch.usage.peak >= psutil.Process(runner.pid).memory_info().rss // 2
