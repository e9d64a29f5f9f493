"""Writes what the tests here compare: `python -m tests.golden --write`, as `pytest tests/golden --update-goldens` does.

Both write the plans anew, and lower the counts that fell. A count that grew is only written with `--accept-growth`: read the
plan, and say in the commit why it has to be. Without options: what grew and what fell.
"""

from __future__ import annotations

import argparse
import sys

from tests.golden.counts import TABLE, changes, counted, read, written
from tests.golden.plans import NAMES, planner
from tests.golden.text import golden_path, golden_text


def main() -> int:
    """Does what the command line says. Ends with 1 if a count grew and that was not accepted."""
    arguments = argparse.ArgumentParser(prog="python -m tests.golden", description=__doc__)
    arguments.add_argument("--write", action="store_true", help="write plans, and counts that fell")
    arguments.add_argument("--accept-growth", action="store_true", help="write counts that grew, too")
    given = arguments.parse_args()
    was = read(TABLE.read_text()) if TABLE.exists() else {}
    with planner() as plans:
        now = counted(plans)
        if given.write:
            for name in NAMES:
                golden_path(name).parent.mkdir(parents=True, exist_ok=True)
                golden_path(name).write_text(golden_text(plans, name))
    grew, fell = changes(was, now)
    print("\n".join([*(f"grew: {said}" for said in grew), *(f"fell: {said}" for said in fell)]) or "all counts are as written")
    if given.accept_growth or (given.write and not grew):
        TABLE.write_text(written(now))
    return bool(grew) and not given.accept_growth


if __name__ == "__main__":
    sys.exit(main())
