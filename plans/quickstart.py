"""From a bare Python 3.11 to an answer: sets up an environment, fetches real data, runs quickstart.yaml on it.

Arguments are handed on to `flightmesh run`, for example `--set month=7`.
"""

import subprocess
import sys
from pathlib import Path

if sys.version_info < (3, 11):  # noqa: UP036 - this is where an older Python is told so
    sys.exit("flightmesh needs Python 3.11 or newer; this is Python " + sys.version.split()[0] + " (" + sys.executable + ")")

PLANS = Path(__file__).resolve().parent


def main() -> None:
    """Sets up, places the data, and becomes `flightmesh run`."""
    sys.path.insert(0, str(PLANS.parent / "nodes"))
    from checkout import become, ready_python  # only a Python that is new enough can read it

    python = str(ready_python("examples"))
    placed = subprocess.run([python, str(PLANS.parent / "nodes" / "example_data.py")], check=False)
    if placed.returncode != 0:
        sys.exit(placed.returncode)
    become([python, "-m", "flightmesh", "run", str(PLANS / "quickstart.yaml"), *sys.argv[1:]])


if __name__ == "__main__":
    main()
