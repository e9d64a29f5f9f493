"""What only a terminal shows: the tests give the command one, a pair of pseudo-terminals."""

import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import termios
import threading
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cli.running import ENDLESS, command, environment
from tests.started import Started

ROWS, COLUMNS = 30, 80


@dataclass
class Terminal:
    """Both ends of a pseudo-terminal of 80 columns."""

    ours: int
    theirs: int

    def read(self, until: str | None = None) -> str:
        """What was written: up to a text, or to the end."""
        seen = b""
        while until is None or until not in seen.decode(errors="replace"):
            try:
                part = os.read(self.ours, 65536)
            except OSError:  # how Linux says that the other end is closed
                break
            if not part:
                break
            seen += part
        return seen.decode()


@pytest.fixture
def terminal():
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    yield Terminal(ours, theirs)
    os.close(ours)


def start(terminal: Terminal, *args: str, stdin: int = subprocess.DEVNULL, stdout: int | None = None, **env: str) -> Started:
    env = {name: value for name, value in environment(**env).items() if name != "COLUMNS"}
    process = Started(command(*args), stdin=stdin, stdout=stdout or terminal.theirs, stderr=terminal.theirs, env=env)
    os.close(terminal.theirs)
    return process


def plain(text: str) -> str:
    """The text without colours."""
    return re.sub(r"\x1b\[[\d;?]*[a-zA-Z]", "", text)


def test_long_work_shows_a_bar_until_it_is_cancelled(terminal: Terminal, numbers: Path) -> None:
    process = start(terminal, "sql", ENDLESS, "-r", f"n={numbers}")
    assert re.search(r"\d/\d stages  \d+/\d+ tasks  [\d,]+ rows  [\d.]+ [kM]?B", terminal.read(until="B "))
    process.send_signal(signal.SIGINT)
    rest = terminal.read()
    assert process.wait(30) == 130
    assert rest.endswith("cancelled\r\n")


def test_the_bar_stays_while_a_file_is_written(terminal: Terminal, numbers: Path, tmp_path: Path) -> None:
    """Rows come at once and go on for long; the bar appears after the first of them."""
    query = "select a.i from n a, n b where a.i % 1000 < 100"
    process = start(terminal, "sql", query, "-r", f"n={numbers}", "-o", str(tmp_path / "out.csv"))
    watchdog = threading.Timer(20, process.kill)  # without a bar there is nothing to read
    watchdog.start()
    seen = ""
    while not re.search(r"[1-9][\d,]* rows  ", seen):
        seen = plain(terminal.read(until="B "))
        assert seen, "no bar was shown"
    assert "rows" in plain(terminal.read(until="B "))
    watchdog.cancel()
    process.send_signal(signal.SIGINT)
    terminal.read()
    assert process.wait(30) == 130
    assert list(tmp_path.iterdir()) == []


def test_a_plan_that_writes_shows_a_bar(terminal: Terminal, numbers: Path, tmp_path: Path) -> None:
    plan = tmp_path / "plan.yaml"
    plan.write_text(f"inputs:\n  n: {{parquet: {numbers}}}\nsteps:\n  s: {{sql: '{ENDLESS}'}}\nwrite: {{csv: out/}}\n")
    process = start(terminal, "run", str(plan))
    assert re.search(r"\d/\d stages  \d+/\d+ tasks  [\d,]+ rows  [\d.]+ [kM]?B", terminal.read(until="B "))
    process.send_signal(signal.SIGINT)
    assert terminal.read().endswith("cancelled\r\n")
    assert process.wait(30) == 130
    assert list((tmp_path / "out").iterdir()) == []


def test_the_bar_is_for_terminals_only(terminal: Terminal, numbers: Path) -> None:
    """Standard output is a terminal, standard error is not: rows, and nothing else, on the first; nothing on the second."""
    query = "select count(*) as n from n a, n b where a.i < 7000 and b.i < 7000 and a.i + b.i < 0"
    process = subprocess.Popen(
        command("sql", query, "-r", f"n={numbers}"),
        stdin=subprocess.DEVNULL,
        stdout=terminal.theirs,
        stderr=subprocess.PIPE,
        env=environment(),
    )
    os.close(terminal.theirs)
    shown = terminal.read()
    assert process.stderr is not None
    assert process.stderr.read() == b""
    assert process.wait(30) == 0
    assert shown.splitlines()[0].startswith("┌")
    assert "stages" not in shown


def test_a_table_fits_and_is_cut_short(terminal: Terminal, numbers: Path) -> None:
    query = "select i, repeat('x', 200) as long, null as nothing from n order by i"
    process = start(terminal, "sql", query, "-r", f"n={numbers}")
    shown = terminal.read()
    assert process.wait(30) == 0
    drawn = plain(shown).splitlines()
    assert max(len(line) for line in drawn) <= COLUMNS
    assert drawn[-1] == "100,000 rows (40 shown)"
    assert "\x1b[2mNULL\x1b[0m" in shown


def test_no_colour_on_request(terminal: Terminal) -> None:
    process = start(terminal, "sql", "select null as nothing", NO_COLOR="1")
    shown = terminal.read()
    assert process.wait(30) == 0
    assert "\x1b[" not in shown


@pytest.mark.parametrize("name", ["arrow", "parquet"])
def test_binary_is_not_written_to_a_terminal(terminal: Terminal, name: str) -> None:
    process = start(terminal, "sql", "select 1 as a", "--format", name)
    shown = " ".join(plain(terminal.read()).replace("│", " ").split())
    assert process.wait(30) == 2
    assert f"{name} is binary, and stdout is a terminal: add -o FILE" in shown


def test_an_error_points_at_its_place(terminal: Terminal) -> None:
    process = start(terminal, "sql", "select 1 as a, nowhere")
    shown = plain(terminal.read())
    assert process.wait(30) == 1
    lines = shown.splitlines()
    assert lines[0].startswith("error: ")
    assert lines[1:3] == ["  select 1 as a, nowhere", "                 ^^^^^^^"]


def test_who_leaves_the_prompt_for_a_token_has_cancelled(terminal, tmp_path):
    nowhere = {"XDG_STATE_HOME": str(tmp_path), "FLIGHTMESH_NODE_INTERFACES": "127.0.0.1"}
    process = start(terminal, "worker", "--driver", "127.0.0.1:1", stdin=terminal.theirs, **nowhere)
    assert terminal.read(until="Token: ").endswith("Token: ")
    os.write(terminal.ours, b"\x04")
    assert terminal.read().split() == ["cancelled"]
    assert process.wait(60) == 130
