"""Writes what the tests here compare: `python -m tests.golden --write`, as `pytest tests/golden --update-goldens` does.

Both write the plans anew, and lower the figures (counts and costs) that fell. One that grew is only written with
`--accept-growth`: read the plan, and say in the commit why it has to be. Without options: what grew and what fell.
"""

from __future__ import annotations

import argparse
import sys

from tests.golden.costs import COSTS
from tests.golden.counts import COUNTS
from tests.golden.plans import NAMES, planner
from tests.golden.text import golden_path, golden_text


def main() -> int:
    """Does what the command line says. Ends with 1 if a count grew and that was not accepted."""
    arguments = argparse.ArgumentParser(prog="python -m tests.golden", description=__doc__)
    arguments.add_argument("--write", action="store_true", help="write plans, and figures that fell")
    arguments.add_argument("--accept-growth", action="store_true", help="write figures that grew, too")
    given = arguments.parse_args()
    said: list[str] = []
    is_grown = False
    with planner() as plans:
        if given.write:
            for name in NAMES:
                golden_path(name).parent.mkdir(parents=True, exist_ok=True)
                golden_path(name).write_text(golden_text(plans, name))
        for ratchet in (COUNTS, COSTS):
            now = ratchet.counted(plans)
            grew, fell = ratchet.changes(ratchet.stored(), now)
            said += [*(f"grew: {one}" for one in grew), *(f"fell: {one}" for one in fell)]
            is_grown = is_grown or bool(grew)
            if given.accept_growth:
                ratchet.path.write_text(ratchet.written(now))
            elif given.write and not grew:
                ratchet.path.write_text(ratchet.written(ratchet.lowered(ratchet.stored(), now)))
    print("\n".join(said) or "all figures are as written")
    return is_grown and not given.accept_growth


if __name__ == "__main__":
    sys.exit(main())
