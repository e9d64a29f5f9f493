"""What tests start: as a process of its own would be, and gone with the tests."""

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import flightmesh
from tests.cli.running import command
from tests.node.processes import is_alive
from tests.started import Started, run
from tests.waiting import wait_until

ABORTED = """
import os, signal, subprocess
from tests.started import FLIGHTMESH, Started
driver = Started([*FLIGHTMESH, "driver", "--insecure", "--listen", "127.0.0.1:0"], stdout=1)
print("other", Started(["sleep", "600"], stdout=subprocess.DEVNULL).pid, "driver", driver.pid, flush=True)
os.read(0, 1)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_it_ends_with_tests_that_are_killed() -> None:
    aborted = [sys.executable, "-c", ABORTED]
    with subprocess.Popen(aborted, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as tests:
        assert tests.stdin is not None and tests.stdout is not None
        lines = iter(tests.stdout.readline, "")
        words = next(line for line in lines if line.startswith("other")).split()
        pids = [int(words[1]), int(words[3])]
        assert all(map(is_alive, pids))
        tests.stdin.close()
        assert tests.wait(20) == -signal.SIGKILL
        wait_until(lambda: not any(map(is_alive, pids)), 20, f"{pids} to end")


def test_it_is_what_a_process_of_its_own_is(tmp_path: Path) -> None:
    script = "pwd; echo $WORD; read line; echo $line >&2; exit 3"
    done = run(["sh", "-c", script], given="given\n", cwd=tmp_path, env={"WORD": "word"}, seconds=20)
    assert (done.returncode, done.stdout, done.stderr) == (3, f"{tmp_path}\nword\n", "given\n")
    done = run(command("--version"), seconds=20)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"flightmesh {flightmesh.__version__}\n", "")
    assert run(command("nonsense"), seconds=20).returncode == 2


def test_signals_reach_it() -> None:
    with tempfile.TemporaryFile() as said:
        process = Started(["sleep", "600"], stdout=said.fileno())
        assert (process.poll(), os.getsid(process.pid)) == (None, process.pid)
        process.send_signal(signal.SIGTERM)
        assert (process.wait(20), process.poll()) == (-signal.SIGTERM, -signal.SIGTERM)
        process.kill()
