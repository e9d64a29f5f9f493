"""What a node keeps is out of the collector's sight, and what comes later is not."""

from __future__ import annotations

import subprocess
import sys

import pytest

SET_ASIDE = """
import gc, weakref
from flightmesh.cli.long_lived import set_long_lived_aside
class Circle: pass
def circle():
    made = Circle(); made.itself = made
    return weakref.ref(made)
before = circle()
kept = Circle()
set_long_lived_aside()
later = circle()
gc.collect()
print(before() is None, any(one is kept for one in gc.get_objects()), later() is None)
"""
COUNTED = "import gc, os; print(gc.get_freeze_count() > 10_000, flush=True); os._exit(0)"
DRIVER = f"""
import sys
import flightmesh.cli.driver as driver
def count(_): {COUNTED}
driver._say_ready = count
sys.argv[1:] = ["driver", "--insecure", "--no-mdns", "--listen", "127.0.0.1:0"]
from flightmesh.cli.main import main
main()
"""
WORKER = f"""
import sys
from flightmesh.node.worker_node import WorkerNode
def count(_): {COUNTED}
WorkerNode.run_until_stopped = count
sys.argv[1:] = ["worker", "--insecure", "--no-mdns", "--driver", "127.0.0.1:1", "--listen", "127.0.0.1:0"]
from flightmesh.cli.main import main
main()
"""


def last_line(program: str) -> str:
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
    lines = done.stdout.splitlines()
    assert lines, done.stderr
    return lines[-1]


def test_what_is_there_is_set_aside_and_what_comes_later_is_collected() -> None:
    assert last_line(SET_ASIDE) == "True False True"


@pytest.mark.parametrize("node", [DRIVER, WORKER], ids=["driver", "worker"])
def test_a_node_sets_aside_what_it_has_loaded(node: str) -> None:
    assert last_line(node) == "True"
