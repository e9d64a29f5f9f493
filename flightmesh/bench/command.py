"""The whole of `flightmesh bench`: from what a person wrote to files of results.

Handed a wish; hands on the table and the paths of the files. What always holds: what a person can have got wrong is told before
anything is made or run.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from flightmesh.bench.data import generate, tables_of
from flightmesh.bench.document import written
from flightmesh.bench.measure import Order, measured
from flightmesh.bench.sides import OURS, PEERS, Side, named
from flightmesh.bench.table import as_markdown
from flightmesh.config import available_cores
from flightmesh.errors import InvalidConfig


@dataclass(frozen=True, slots=True)
class Wish:
    """The command's arguments: lists are texts with commas."""

    benchmark: str
    scale: str
    ours: str
    against: str
    queries: str
    rounds: int
    threads: int
    timeout: float
    data: Path | None
    cache: Path
    out: Path


def bench(wish: Wish, say: Callable[[str], None]) -> tuple[str, list[Path]]:
    """Runs it. Raises InvalidConfig for what is wrong with the wish or with this machine."""
    sides = [*named(wish.ours, OURS, "--ours"), *named(wish.against, PEERS, "--against")]
    if not sides:
        raise InvalidConfig("nothing is to be measured: --ours and --against are both empty")
    numbers = _numbers(wish.queries)
    if wish.threads > available_cores():
        raise InvalidConfig(f"--threads is {wish.threads}, but this process may use {available_cores()} cores")
    _check_scale(wish.scale)
    _check_out(wish.out)
    sides, skipped = _runnable(sides)
    for side, why in skipped.items():
        say(f"{side}: left out: {why}")
    folder = wish.data
    if folder is None:
        folder = wish.cache / "data" / f"{wish.benchmark}-{wish.scale}"
        if not folder.is_dir():
            say(f"generating {wish.benchmark} at scale {wish.scale} in {folder}")
        generate(folder, wish.benchmark, wish.scale)
    tables = tables_of(folder.resolve())
    order = Order(wish.benchmark, wish.scale, tables, sides, numbers, wish.threads, wish.rounds, wish.timeout, wish.cache)
    results = measured(order, say, skipped)
    return as_markdown(results), written(results, wish.out)


def _numbers(text: str) -> list[int]:
    parts = [part.strip().lower().removeprefix("q") for part in text.split(",") if part.strip()]
    wrong = [part for part in parts if not part.isdecimal()]
    if wrong:
        raise InvalidConfig(f"--queries: {wrong[0]!r} is no number of a query", hint="such as --queries 1,6,18")
    return [int(part) for part in parts]


def _check_scale(text: str) -> None:
    try:
        is_right = float(text) > 0
    except ValueError:
        is_right = False
    if not is_right:
        raise InvalidConfig(f"--scale is a number above 0, such as 0.1 or 10, not {text!r}")


def _check_out(out: Path) -> None:
    if out.exists() and not out.is_dir():
        raise InvalidConfig(f"--out: {out} is a file, not a folder")


def _runnable(sides: list[Side]) -> tuple[list[Side], dict[str, str]]:
    """The sides whose programs are here, and why the others cannot run."""
    missing = {side.name: side.program for side in sides if side.program is not None and shutil.which(side.program) is None}
    why = {name: f"it needs {program}, which is not on this machine's path" for name, program in missing.items()}
    return [side for side in sides if side.name not in missing], why
