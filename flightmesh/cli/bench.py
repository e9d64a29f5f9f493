"""`flightmesh bench`: this engine beside others, on the same data, on this machine, in one run."""

from __future__ import annotations

import enum
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from flightmesh.bench.benchmarks.known import BENCHMARKS
from flightmesh.bench.plans import Plans
from flightmesh.cli.guard import guarded

EXAMPLES = """\
[bold]Examples[/bold]

[cyan]flightmesh bench tpch --scale 0.1[/cyan]

[cyan]flightmesh bench tpch --scale 1 --against duckdb,datafusion,polars,sail,sail-cluster,spark --out results[/cyan]

[cyan]flightmesh bench tpcds --scale 1 --against duckdb --queries 1,64,95 --rounds 5[/cyan]

[cyan]flightmesh bench tpch --scale 0.1,1,3,10 --threads 1,2 --against duckdb[/cyan]

[cyan]flightmesh bench h2o --scale 1 --against duckdb,datafusion,sail[/cyan]

[cyan]flightmesh bench small --plans anew --against duckdb[/cyan]

[cyan]flightmesh bench shuffle --ours embedded,mesh[/cyan]

[cyan]flightmesh bench wide --scale 0.2 --against duckdb --queries 32,39[/cyan]

Data and environments are made on first use and kept (--cache). Ctrl-C ends all processes. docs/benchmarks.md says what each
figure means.
"""


Benchmark = enum.StrEnum("Benchmark", {one.name.upper(): one.name for one in BENCHMARKS})  # type: ignore[misc]
_BENCHMARKS = "; ".join(f"{one.name}: {one.what}" for one in BENCHMARKS)
_SCALES = "; ".join(f"of {one.name}: {one.scale}" for one in BENCHMARKS)
Rounds = Annotated[
    int | None,
    typer.Option("--rounds", min=1, help="Measured runs of each query; the best counts.", show_default="3; of small 20"),
]
PlansOption = Annotated[
    Plans,
    typer.Option("--plans", help="Whether a run may go on with the plan of the one before; anew: each has a text of its own."),
]
Against = Annotated[
    str,
    typer.Option(
        "--against",
        metavar="PEERS",
        help="Peers to measure beside, of duckdb, datafusion, polars, sail, sail-cluster, spark. Each runs in a"
        " process and a virtual environment of its own.",
    ),
]
Threads = Annotated[
    str,
    typer.Option(
        "--threads",
        metavar="NUMBERS",
        help="Cores of each side; the mesh has as many workers of one thread. Several, such as 1,2: one after the other.",
        show_default="2, or 1",
    ),
]
Data = Annotated[
    Path | None,
    typer.Option(
        "--data",
        metavar="DIR",
        help="Your own data: a Parquet file, or a folder of them, for each table.",
        show_default="made, see --cache",
    ),
]
Cache = Annotated[
    Path | None,
    typer.Option(
        "--cache", metavar="DIR", help="Where data and environments are kept.", show_default="~/.cache/flightmesh/bench"
    ),
]
Ours = Annotated[
    str,
    typer.Option(
        "--ours",
        metavar="SIDES",
        help="Forms of this engine: embedded, and mesh: a driver and workers; cached and mesh-cached: with columns in memory.",
    ),
]
Timeout = Annotated[float, typer.Option("--timeout", min=1, metavar="SECONDS", help="For one run of one query.")]
Out = Annotated[Path, typer.Option("--out", metavar="DIR", help="Where the table, the JSON and the chart are written.")]


@guarded
def command(
    benchmark: Annotated[Benchmark, typer.Argument(help=f"The queries and their data. {_BENCHMARKS}.", show_default=False)],
    scale: Annotated[
        str,
        typer.Option(
            "--scale",
            metavar="FACTORS",
            help=f"Scale factor of the data. What 1 is, {_SCALES}. Several, such as 0.1,1,10: one after the other, and"
            " a chart of how time grows.",
        ),
    ] = "1",
    against: Against = "duckdb",
    ours: Ours = "embedded,mesh",
    queries: Annotated[str, typer.Option("--queries", metavar="NUMBERS", help="Such as 1,6,18.", show_default="all")] = "",
    rounds: Rounds = None,
    threads: Threads = "",
    timeout: Timeout = 600.0,
    plans: PlansOption = Plans.KEPT,
    data: Data = None,
    cache: Cache = None,
    out: Out = Path("bench-results"),
) -> None:
    """Measure this engine beside others on this machine: time, CPU, memory; every answer is checked.

    Generates the data, makes an environment for each peer, runs each query on all sides in the same minute (once to warm up and
    to compare the rows with DuckDB's, then best of the rounds), and writes a Markdown table, JSON and an SVG chart.
    """
    from flightmesh.bench.command import Wish, bench
    from flightmesh.config import available_cores

    wish = Wish(
        benchmark=benchmark.value,
        scale=scale,
        ours=ours,
        against=against,
        queries=queries,
        rounds=rounds,
        threads=_counts(threads) or (min(2, available_cores()),),
        timeout=timeout,
        plans=plans,
        data=data,
        cache=_usual_cache() if cache is None else cache,
        out=out,
    )
    text, paths = bench(wish, lambda line: print(line, file=sys.stderr, flush=True))
    print(text)
    print("written: " + ", ".join(map(str, paths)), file=sys.stderr)


def _counts(text: str) -> tuple[int, ...]:
    from flightmesh.errors import InvalidConfig

    parts = [part.strip() for part in text.split(",") if part.strip()]
    wrong = [part for part in parts if not (part.isdecimal() and int(part) > 0)]
    if wrong:
        raise InvalidConfig(f"--threads: {wrong[0]!r} is no number above 0", hint="such as --threads 2, or --threads 1,2")
    return tuple(dict.fromkeys(map(int, parts)))


def _usual_cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "flightmesh" / "bench"
