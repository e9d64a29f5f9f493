"""Keeping freed memory: done once, and not where the environment has chosen."""

from __future__ import annotations

import os
import subprocess
import sys

PROGRAM = "from flightmesh.kernel.allocation import keep_freed_memory as keep; print(keep(), keep())"


def answer(**more: str) -> str:
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("MALLOC_", "GLIBC_"))}
    done = subprocess.run([sys.executable, "-c", PROGRAM], env=clean | more, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_a_process_that_chose_for_itself_keeps_its_choice() -> None:
    assert answer(MALLOC_TRIM_THRESHOLD_="131072") == "False False"


def test_without_a_choice_it_does_not_fail() -> None:
    assert answer() in ("True True", "False False")


ARROW = "MIMALLOC_PURGE_DELAY"


def told(program: str, **more: str) -> str:
    clean = {k: v for k, v in os.environ.items() if k != ARROW}
    return subprocess.run([sys.executable, "-c", program], env=clean | more, capture_output=True, text=True, check=True).stdout


def test_arrow_is_told_to_keep_freed_memory_before_it_is_loaded() -> None:
    program = f"import flightmesh, os; print(os.environ.get({ARROW!r}))"
    assert told(program) == "60000\n"
    assert told(program, **{ARROW: "7"}) == "7\n"
    assert told("import pyarrow;" + program) == "None\n"
