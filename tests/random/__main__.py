"""Many random queries by hand: `python -m tests.random joins --first 100 --chunks 100 [--mesh get]` asks 5,000 of them and
lists every difference; `python -m tests.random joins 4711` asks one again."""

from __future__ import annotations

import argparse
import sys
import time
from contextlib import closing

import duckdb

import flightmesh
from tests.meshes import MODES, Meshes, session_at
from tests.random.harness import CHUNK, Engines, Kind, beside_duckdb, check, embedded, seeds
from tests.random.kinds import KINDS


def main() -> int:
    """The number of queries whose answers differ, 1 at most."""
    parser = argparse.ArgumentParser(prog="python -m tests.random", description=__doc__)
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("seed", nargs="?", type=int, help="one query only")
    parser.add_argument("--first", type=int, default=0, metavar="CHUNK", help=f"chunk of {CHUNK} seeds to begin with")
    parser.add_argument("--chunks", type=int, default=1)
    parser.add_argument("--mesh", choices=MODES, help="ask three workers that exchange rows that way")
    given = parser.parse_args()
    kind = KINDS[given.kind]
    if given.seed is not None:
        with embedded(kind, given.seed // CHUNK) as both:
            answered = check(kind, given.seed, both)
        print(kind.query(given.seed).ours, "" if answered else "\nDuckDB refuses this query", sep="\n")
        return 0
    chunks = range(given.first, given.first + given.chunks)
    started = time.monotonic()
    asked = _Asked()
    with closing(Meshes()) as meshes:
        for chunk in chunks:
            if given.mesh is None:
                with embedded(kind, chunk) as both:
                    asked.chunk(kind, chunk, both)
            else:
                with session_at(meshes.of(given.mesh), partitions=3) as session, beside_duckdb(session, kind, chunk) as both:
                    asked.chunk(kind, chunk, both)
            if (chunk + 1) % 20 == 0:
                print(f"... {asked.told()}", flush=True)
    print(f"{kind.name}, chunks {chunks.start} to {chunks.stop - 1}: {asked.told()}, {time.monotonic() - started:.0f} s")
    return min(1, asked.wrong)


class _Asked:
    """What was asked so far."""

    def __init__(self) -> None:
        self.queries = self.refused = self.wrong = 0
        self.slowest: tuple[float, int] = (0.0, -1)

    def chunk(self, kind: Kind, chunk: int, both: Engines) -> None:
        for seed in seeds(chunk):
            started = time.monotonic()
            self.queries += 1
            try:
                self.refused += not check(kind, seed, both)
            except (AssertionError, flightmesh.FlightmeshError, duckdb.Error) as error:
                self.wrong += 1
                print(error, "\n----", flush=True)
            self.slowest = max(self.slowest, (time.monotonic() - started, seed))

    def told(self) -> str:
        seconds, seed = self.slowest
        asked = f"{self.queries} queries, {self.wrong} wrong, {self.refused} refused by DuckDB"
        return f"{asked}; the slowest was {seed} ({seconds:.1f} s)"


if __name__ == "__main__":
    sys.exit(main())
