"""From a bare Python 3.11 to green tests: sets up an environment with the test extra and runs pytest in it.

Arguments are handed on to pytest, for example `tests/catalog -x`.
"""

import os
import sys
from pathlib import Path

if sys.version_info < (3, 11):  # noqa: UP036 - this is where an older Python is told so
    sys.exit("flightmesh needs Python 3.11 or newer; this is Python " + sys.version.split()[0] + " (" + sys.executable + ")")

ROOT = Path(__file__).resolve().parent.parent


def main() -> None:
    """Sets up and becomes pytest."""
    sys.path.insert(0, str(ROOT / "nodes"))
    from checkout import become, ready_python  # only a Python that is new enough can read it

    python = str(ready_python("test"))
    workers = str(len(os.sched_getaffinity(0)) + 1)  # a seventh of the time tests wait: for a node to end, for a heartbeat
    os.chdir(ROOT)
    # Tests that share a mesh of processes (`xdist_group`) run in one process of pytest, or each would start its own.
    become([python, "-m", "pytest", "-q", "-n", workers, "--dist", "loadgroup", *sys.argv[1:]])


if __name__ == "__main__":
    main()
