"""Keeping freed memory: one heap, few arenas, said once, and not where the environment has chosen."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

PROGRAM = "from flightmesh.kernel.allocation import keep_freed_memory as keep; print(keep(2), keep(2))"

ARENAS = """
import ctypes, sys, threading
from pathlib import Path
from flightmesh.kernel.allocation import keep_freed_memory

keep_freed_memory(3)
together = threading.Barrier(12)
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
libc.fopen.restype = ctypes.c_void_p

def work():
    together.wait()
    libc.malloc(100_000)
    together.wait()

threads = [threading.Thread(target=work) for _ in range(12)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
place = sys.argv[1].encode()
file = ctypes.c_void_p(libc.fopen(place, b"w"))
libc.malloc_info(0, file)
libc.fclose(file)
print(Path(sys.argv[1]).read_text().count("<heap "))
"""
GLIBC = platform.libc_ver()[0] == "glibc"


def output(program: str, *args: str, **more: str) -> str:
    chosen = ("MALLOC_", "GLIBC_", "MIMALLOC_", "ARROW_DEFAULT")
    clean = {k: v for k, v in os.environ.items() if not k.startswith(chosen)}
    done = subprocess.run([sys.executable, "-c", program, *args], env=clean | more, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_a_process_that_chose_for_itself_keeps_its_choice() -> None:
    assert output(PROGRAM, MALLOC_TRIM_THRESHOLD_="131072") == "False False"


def test_without_a_choice_it_does_not_fail() -> None:
    assert output(PROGRAM) in ("True True", "False False")


def test_threads_share_the_arenas_that_were_asked_for(tmp_path: Path) -> None:
    if not GLIBC:
        assert output(PROGRAM) == "False False"
        return
    assert output(ARENAS, f"{tmp_path}/info") == "3"
    assert output(ARENAS, f"{tmp_path}/info", MALLOC_ARENA_MAX="2") == "2"


def told(before: str, **more: str) -> str:
    looked_at = "os.environ.get('MIMALLOC_PURGE_DELAY'), pa.default_memory_pool().backend_name"
    return output(f"{before}import flightmesh, os, pyarrow as pa; print({looked_at})", **more)


def test_arrow_is_told_to_keep_freed_memory_before_it_is_loaded() -> None:
    assert told("").split()[0] == "60000"
    assert told("", MIMALLOC_PURGE_DELAY="7").split()[0] == "7"
    assert told("import pyarrow;").split()[0] == "None"


def test_arrow_draws_from_the_heap_that_numpy_draws_from() -> None:
    of_its_own = output("import pyarrow as pa; print(pa.default_memory_pool().backend_name)")
    assert told("").split()[1] == ("system" if GLIBC else of_its_own)
    assert told("", ARROW_DEFAULT_MEMORY_POOL=of_its_own).split()[1] == of_its_own
    assert told("import pyarrow;").split()[1] == of_its_own
