"""Ctrl-C while a query runs: prompt, and with the exit code that shells expect."""

import os
import signal
import tempfile
import time
from pathlib import Path

from tests.cli.running import ENDLESS, command, environment
from tests.started import Started


def test_ctrl_c_cancels(numbers: Path) -> None:
    """The query runs when the row of the statement before it has been printed."""
    taken, given = os.pipe()
    read, written = os.pipe()
    with tempfile.TemporaryFile() as errors:
        shell = command("shell", "-r", f"n={numbers}")
        streams = {"stdin": taken, "stdout": written, "stderr": errors.fileno()}
        process = Started(shell, env=environment(PYTHONUNBUFFERED="1"), **streams)
        os.close(taken)
        os.close(written)
        with os.fdopen(given, "w") as script:
            script.write(f".mode csv\nselect 'started' as word;\n{ENDLESS};\nselect 'never' as word;\n")
        with os.fdopen(read) as rows:
            assert [rows.readline() for _ in range(2)] == ["word\n", "started\n"]
            assert process.poll() is None
            began = time.monotonic()
            process.send_signal(signal.SIGINT)
            assert process.wait(30) == 130
            assert time.monotonic() - began < 5
            assert rows.read() == ""
        errors.seek(0)
        assert errors.read() == b"cancelled\n"
