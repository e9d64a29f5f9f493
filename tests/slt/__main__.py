"""Runs files of the sqllogictest format: `python -m tests.slt PATH...`, where a folder means all .slt and .test files in it.

Prints each record that failed, then how many passed, failed and are unsupported, with the reasons by their number; `--json` the
same for programs. Each file has a session of its own. Ends with 1 if any record failed.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, TypeAlias

import flightmesh
from tests.mesh.cluster import Cluster, cluster
from tests.meshes import AnySession
from tests.slt.run import Ran, Suite, Verdict, run_file

Sessions: TypeAlias = Callable[[], AbstractContextManager[AnySession]]


def main() -> int:
    """Runs what the command line names."""
    arguments = argparse.ArgumentParser(prog="python -m tests.slt", description=__doc__)
    arguments.add_argument("paths", nargs="+", type=Path, metavar="PATH")
    arguments.add_argument("--workers", type=int, default=0, help="of a mesh that is started for it; 0, the default: embedded")
    arguments.add_argument(
        "--own", action="store_true", help="texts of expected errors count, and so does the order of rows without ORDER BY"
    )
    arguments.add_argument("--seconds", type=float, help="give a query up as unsupported that takes longer")
    arguments.add_argument("--json", action="store_true")
    given = arguments.parse_args()
    logging.getLogger("sqlglot").setLevel(logging.ERROR)  # it warns of each statement that it does not know
    suite = Suite.OURS if given.own else Suite.FOREIGN
    ran: list[Ran] = []
    with place(given.workers) as sessions:
        for path in files(given.paths):
            with sessions() as session:
                ran += run_file(session, path, suite, given.seconds)
    print(json.dumps(as_map(ran), indent=2) if given.json else as_text(ran))
    return any(one.verdict is Verdict.FAILED for one in ran)


def files(paths: list[Path]) -> Iterator[Path]:
    """The files, those of folders by name."""
    for path in paths:
        inside = sorted(found for found in path.rglob("*") if found.suffix in (".slt", ".test")) if path.is_dir() else [path]
        yield from inside


@contextmanager
def place(workers: int) -> Iterator[Sessions]:
    """Where sessions are: here, or at a mesh of so many workers."""
    if not workers:
        yield lambda: flightmesh.connect(threads=2)
        return
    with cluster(workers) as mesh:
        yield lambda: _clean(mesh)


@contextmanager
def _clean(mesh: Cluster) -> Iterator[AnySession]:
    """A session at the mesh, which leaves no tables."""
    with mesh.connect() as session:
        yield session
        for name in session.tables():
            session.drop(name)


def as_map(ran: list[Ran]) -> dict[str, Any]:
    """Counts, reasons of what is unsupported, and what failed."""
    counts = Counter(one.verdict.value for one in ran)
    reasons = Counter(one.reason for one in ran if one.verdict is Verdict.UNSUPPORTED)
    failed = [one for one in ran if one.verdict is Verdict.FAILED]
    return {
        **{verdict.value: counts[verdict.value] for verdict in Verdict},
        "reasons": dict(reasons.most_common()),
        "failures": [{"path": str(one.path), "line": one.line, "reason": one.reason} for one in failed],
    }


def as_text(ran: list[Ran]) -> str:
    """The same for people."""
    said = as_map(ran)
    lines = [str(one) for one in ran if one.verdict is Verdict.FAILED]
    lines += [f"{count:6} unsupported: {reason}" for reason, count in said["reasons"].items()]
    return "\n".join([*lines, ", ".join(f"{said[verdict.value]} {verdict.value}" for verdict in Verdict)])


if __name__ == "__main__":
    sys.exit(main())
