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
