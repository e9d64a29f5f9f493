"""How many of the 99 are right, and what the others are refused for: `python -m tests.tpcds [--scale 0.1] [QUERY...]`.

Prints a line for each query that is not right, then the refusals by feature, most frequent first, and what time was spent;
`--mesh 3` runs them on a driver and three worker processes. Ends with 1 if an answer was wrong. `flightmesh bench
tpcds` measures engines side by side.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import flightmesh
from tests.mesh.cluster import cluster
from tests.meshes import AnySession
from tests.tpcds.data import NUMBERS, SMALL, queries, reference, table_files, tpcds_folder
from tests.tpcds.outcome import RIGHT, answer, is_trivial, outcome

WRONG = "WRONG"


def main() -> int:
    """Runs the queries."""
    arguments = argparse.ArgumentParser(prog="python -m tests.tpcds", description=__doc__)
    arguments.add_argument("queries", nargs="*", type=int, metavar="QUERY", help="numbers; all 99 by default")
    arguments.add_argument("--scale", default=SMALL, help=f"of the data, {SMALL} by default")
    arguments.add_argument("--threads", type=int, default=2, help="of the embedded session")
    arguments.add_argument("--mesh", type=int, default=0, metavar="N", help="on a driver and N worker processes of a slot each")
    given = arguments.parse_args()
    folder = tpcds_folder(given.scale)
    numbers = given.queries or list(NUMBERS)
    with place(given.mesh, given.threads) as session:
        for table, path in table_files(folder).items():
            session.register(table, path)
        start = time.perf_counter()
        became = {number: examined(session, folder, number) for number in numbers}
        spent = time.perf_counter() - start
        right = [number for number, what in became.items() if what == RIGHT]
        print(report(became))
        trivial = [number for number in right if is_trivial(answer(folder, queries()[number]).plain)]
        print(f"of those that are right, {len(trivial)} prove little at this scale (no rows, or NULL and 0 only): {trivial}")
        print(f"{spent:.0f} s with DuckDB's answers and their comparison; load average {os.getloadavg()[0]:.1f}")
        print(times(session, folder, right))
    return WRONG in became.values()


@contextmanager
def place(workers: int, threads: int) -> Iterator[AnySession]:
    """A session here, or one at a mesh of so many workers."""
    with ExitStack() as ends:
        if workers:
            yield ends.enter_context(ends.enter_context(cluster(workers)).connect())
        else:
            yield ends.enter_context(flightmesh.connect(threads=threads))


def examined(session: AnySession, folder: Path, number: int) -> str:
    """What became of a query, said at once unless it is right."""
    try:
        what = outcome(session, folder, queries()[number])
    except (AssertionError, flightmesh.FlightmeshError) as failure:
        print(f"q{number:02} {WRONG}: {failure}", flush=True)
        return WRONG
    if what != RIGHT:
        print(f"q{number:02} {what}", flush=True)
    return what


def report(became: dict[int, str]) -> str:
    """How many are right, and the others by what became of them."""
    groups: dict[str, list[int]] = defaultdict(list)
    for number, what in became.items():
        groups[what].append(number)
    lines = [f"\nright: {len(groups.pop(RIGHT, []))} of {len(became)}"]
    for what, numbers in sorted(groups.items(), key=lambda group: -len(group[1])):
        lines.append(f"{len(numbers):4}  {what}: {', '.join(map(str, numbers))}")
    return "\n".join(lines)


def times(session: AnySession, folder: Path, numbers: list[int]) -> str:
    """Times of the queries that are right, run once more: planning, and in all, beside DuckDB."""
    measured = []
    for number in numbers:
        start = time.perf_counter()
        result = session.sql(queries()[number])
        planned = time.perf_counter()
        result.to_arrow()
        ran = time.perf_counter()
        reference(folder).execute(queries()[number]).to_arrow_table()
        measured.append((ran - start, planned - start, time.perf_counter() - ran, number))
    if not measured:
        return ""
    planning = sorted(planned for _, planned, _, _ in measured)
    lines = [
        f"\n{sum(one[0] for one in measured):.1f} s, DuckDB {sum(one[2] for one in measured):.1f} s; planning: median"
        f" {planning[len(planning) // 2] * 1000:.0f} ms, longest {planning[-1] * 1000:.0f} ms; the slowest:"
    ]
    for all_of_it, planned, theirs, number in sorted(measured, reverse=True)[:5]:
        lines.append(f"q{number:02} {all_of_it:.2f} s ({planned * 1000:.0f} ms planning), DuckDB {theirs:.2f} s")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
