"""Ctrl-C while a query runs: prompt, and with the exit code that shells expect."""

import signal
import subprocess
import time
from pathlib import Path

from tests.cli.running import ENDLESS, command, environment


def start(query: str, numbers: Path, *more: str) -> subprocess.Popen[str]:
    """A command whose query runs: it has printed the row of the statement before."""
    args = command("shell", "-r", f"n={numbers}", *more)
    process = subprocess.Popen(
        args,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(PYTHONUNBUFFERED="1"),
    )
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write(f".mode csv\nselect 'started' as word;\n{query};\nselect 'never' as word;\n")
    process.stdin.close()
    assert process.stdout.readline() == "word\n"
    assert process.stdout.readline() == "started\n"
    return process


def test_ctrl_c_cancels(numbers: Path) -> None:
    process = start(ENDLESS, numbers)
    assert process.poll() is None
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    code = process.wait(30)
    assert process.stdout is not None and process.stderr is not None
    assert code == 130
    assert time.monotonic() - began < 5
    assert process.stderr.read() == "cancelled\n"
    assert process.stdout.read() == ""
