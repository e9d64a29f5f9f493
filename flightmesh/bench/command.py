"""The whole of `flightmesh bench`: from what a person wrote to files of results.

Handed a wish; hands on the table and the paths of the files. What always holds: what a person can have got wrong is told before
anything is made or run.
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from flightmesh.bench import growth
from flightmesh.bench.benchmarks.benchmark import Benchmark, made_once
from flightmesh.bench.benchmarks.known import BENCHMARKS
from flightmesh.bench.data import tables_of
from flightmesh.bench.document import written
from flightmesh.bench.measure import Order, measured
from flightmesh.bench.plans import Plans
from flightmesh.bench.sides import OURS, PEERS, Side, named
from flightmesh.bench.table import as_markdown
from flightmesh.config import available_cores
from flightmesh.dataclass import dataclass
from flightmesh.errors import InvalidConfig


@dataclass(frozen=True, slots=True)
class Wish:
    """The command's arguments: lists are texts with commas. `benchmark`: a name; `scale` may be several; `rounds`: None for
    as many as the benchmark has."""

    benchmark: str
    scale: str
    ours: str
    against: str
    queries: str
    rounds: int | None
    threads: tuple[int, ...]
    timeout: float
    plans: Plans
    data: Path | None
    cache: Path
    out: Path


def bench(wish: Wish, say: Callable[[str], None]) -> tuple[str, list[Path]]:
    """Runs it; at several scales, or with several numbers of threads, one after the other.

    Raises InvalidConfig for what is wrong with the wish or with this machine.
    """
    benchmark = next(one for one in BENCHMARKS if one.name == wish.benchmark)
    sides = [*named(wish.ours, OURS, "--ours"), *named(wish.against, PEERS, "--against")]
    if not sides:
        raise InvalidConfig("nothing is to be measured: --ours and --against are both empty")
    _numbers(wish.queries)
    scales = _scales(wish.scale)
    if wish.data is not None and len(scales) > 1:
        raise InvalidConfig("--data is the data of one scale, and --scale has several", hint="leave --data out")
    _check_threads(wish.threads)
    _check_out(wish.out)
    sides, skipped = _runnable(benchmark, sides)
    for side, why in skipped.items():
        say(f"{side}: left out: {why}")
    runs, paths = [], []
    for scale in scales:
        tables = tables_of(_data(benchmark, wish, scale, say).resolve())
        for threads in wish.threads:
            if len(scales) * len(wish.threads) > 1:
                say(f"scale {scale}, {threads} threads a side")
            runs.append(measured(_order(benchmark, wish, scale, tables, sides, threads), say, skipped))
            paths += written(runs[-1], wish.out, f"-{threads}-threads" if len(wish.threads) > 1 else "")
    if len(runs) == 1:
        return as_markdown(runs[0]), paths
    grown = growth.growth_of(runs, available_cores())
    return growth.as_markdown(grown), [*paths, *growth.written(grown, wish.out)]


def _order(benchmark: Benchmark, wish: Wish, scale: str, tables: dict[str, str], sides: list[Side], threads: int) -> Order:
    return Order(
        benchmark=benchmark,
        scale=scale,
        tables=tables,
        sides=sides,
        queries=_numbers(wish.queries),
        threads=threads,
        rounds=wish.rounds or benchmark.rounds,
        timeout=wish.timeout,
        plans=wish.plans,
        cache=wish.cache,
    )


def _data(benchmark: Benchmark, wish: Wish, scale: str, say: Callable[[str], None]) -> Path:
    """The folder of the tables, which are made where they are not there."""
    if wish.data is not None:
        return wish.data
    folder = wish.cache / "data" / f"{benchmark.name}-{scale}"
    if not folder.is_dir():
        say(f"generating {benchmark.name} at scale {scale} in {folder}")
    return made_once(folder, lambda empty: benchmark.make(empty, scale))


def _numbers(text: str) -> list[int]:
    parts = [part.strip().lower().removeprefix("q") for part in text.split(",") if part.strip()]
    wrong = [part for part in parts if not part.isdecimal()]
    if wrong:
        raise InvalidConfig(f"--queries: {wrong[0]!r} is no number of a query", hint="such as --queries 1,6,18")
    return [int(part) for part in parts]


def _scales(text: str) -> list[str]:
    parts = [part.strip() for part in text.split(",")]
    for part in parts:
        try:
            is_right = 0 < float(part) < math.inf
        except ValueError:
            is_right = False
        if not is_right:
            raise InvalidConfig(f"--scale is a number above 0, such as 0.1 or 10, not {part!r}")
    return list(dict.fromkeys(parts))


def _check_threads(threads: tuple[int, ...]) -> None:
    cores = available_cores()
    if len(threads) == 1 and threads[0] > cores:
        hint = f"with --threads 1,{threads[0]} it is seen what more of them cost"
        raise InvalidConfig(f"--threads is {threads[0]}, but this process may use {cores} cores", hint=hint)


def _check_out(out: Path) -> None:
    if out.exists() and not out.is_dir():
        raise InvalidConfig(f"--out: {out} is a file, not a folder")


def _runnable(benchmark: Benchmark, sides: list[Side]) -> tuple[list[Side], dict[str, str]]:
    """The sides that can run it and whose programs are here, and why the others cannot."""
    missing = {side.name: side.program for side in sides if side.program is not None and shutil.which(side.program) is None}
    why = {name: f"it needs {program}, which is not on this machine's path" for name, program in missing.items()}
    if not benchmark.peers:
        why |= {side.name: f"{benchmark.name} is of this engine only" for side in sides if not side.is_ours}
    return [_at(benchmark, side) for side in sides if side.name not in why], why


def _at(benchmark: Benchmark, side: Side) -> Side:
    """The side with what runs this benchmark."""
    return replace(side, runner=benchmark.own) if side.is_ours else side
