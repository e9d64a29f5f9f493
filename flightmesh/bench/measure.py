"""Runs the queries on all sides, side by side, and checks every answer.

Handed sides, data and texts; hands on results. What always holds: each query meets all sides within the same minute: one run
warms up and is compared with DuckDB's answer, then the rounds go over the sides in turn; a side that fails a query is said
to, and goes on with the next in a new process if it has to; every process has ended when this has.
"""

from __future__ import annotations

import os
import platform
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
import pyarrow as pa

from flightmesh.bench.benchmarks.benchmark import Benchmark, Query
from flightmesh.bench.compare import Different
from flightmesh.bench.environments import python_of
from flightmesh.bench.plans import Plans, Texts
from flightmesh.bench.results import Fault, Figures, Results, Setting
from flightmesh.bench.runner import QueryFailed, Runner, SideFailed
from flightmesh.bench.sides import REFERENCE, Side
from flightmesh.bench.ties import Answer, answer_from, assert_answers, assert_answers_in_value
from flightmesh.bench.usage import Watch, settle
from flightmesh.dataclass import dataclass
from flightmesh.errors import InvalidConfig

LOAD_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be measured. `queries`: numbers, all of the benchmark's if there is none; `timeout`: seconds for one query."""

    benchmark: Benchmark
    scale: str
    tables: Mapping[str, str]
    sides: Sequence[Side]
    queries: Sequence[int]
    threads: int
    rounds: int
    timeout: float
    plans: Plans
    cache: Path


def measured(order: Order, say: Callable[[str], None], skipped: Mapping[str, str]) -> Results:
    """Runs it all. `say`: takes lines of progress; `skipped`: sides that were left out before, and why. Raises InvalidConfig
    when the reference or a side of ours cannot be had."""
    before = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="flightmesh-bench-") as scratch, ExitStack() as ends:
        pythons = _pythons(order, say)
        place = _Place(order, Path(scratch), ends)
        queries, answers = _reference(order, place, pythons[REFERENCE.name], say)
        teams, failed = _opened(order, place, pythons, say)
        outcomes: dict[int, dict[str, Figures | Fault]] = {}
        for number, query in queries.items():
            outcomes[number] = _query(order, teams, query.sql, answers[number])
            say(f"q{number:02}  " + "  ".join(_short(name, one) for name, one in outcomes[number].items()))
    setting = Setting(
        benchmark=order.benchmark.name,
        plans=order.plans.value,
        is_throughput=order.benchmark.is_throughput,
        scale=order.scale,
        threads=order.threads,
        rounds=order.rounds,
        machine=machine(),
        date=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        load=(before, os.getloadavg()[0]),
    )
    versions = {team.side.name: team.version for team in teams}
    ours = tuple(team.side.name for team in teams if team.side.is_ours)
    titles = {number: query.what for number, query in queries.items() if query.what}
    return Results(setting, versions, outcomes, ours, {**skipped, **failed}, titles)


def machine() -> str:
    """The machine in a few words."""
    memory = psutil.virtual_memory().total / 2**30
    system = f"{platform.system()} {platform.machine()}"
    return f"{os.cpu_count()} cores, {memory:.0f} GiB, {system}, Python {platform.python_version()}"


class _Place:
    """Where runners work, and how they are opened."""

    def __init__(self, order: Order, scratch: Path, ends: ExitStack) -> None:
        self._order = order
        self.scratch = scratch
        self._ends = ends
        available = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
        memory = psutil.virtual_memory().total
        self._options = {
            "threads": order.threads,
            "cores": available[: order.threads],
            "memory": f"{int(memory * 0.7) >> 20}m",
            "scratch": str(scratch),
        }

    def open(self, side: Side, python: Path) -> Runner:
        """A runner with the tables, which is ended with the whole. Raises SideFailed."""
        runner = Runner(side, python, self._options, self.scratch / f"{side.name}.log")
        self._ends.callback(runner.end)
        try:
            runner.ask(LOAD_SECONDS, "load", tables=dict(self._order.tables))
        except QueryFailed as failure:
            runner.end()
            raise SideFailed(f"the tables could not be opened: {failure}") from None
        return runner


class _Team:
    """A side with its runner, which is replaced when it has failed."""

    def __init__(self, side: Side, python: Path, place: _Place, plans: Plans) -> None:
        self.side = side
        self._texts = Texts(plans)
        self._python = python
        self._place = place
        self._runner: Runner | None = place.open(side, python)
        self.version = self._runner.version
        self.rows = place.scratch / f"{side.name}.arrow"
        """Where a run that is checked leaves its rows."""

    @property
    def pid(self) -> int | None:
        """Of its runner, if it has one now."""
        return None if self._runner is None else self._runner.pid

    def run(self, sql: str, rows: Path | None, timeout: float) -> Figures:
        """One run, watched. Raises QueryFailed and SideFailed."""
        if self._runner is None:
            self._runner = self._place.open(self.side, self._python)
        sql = self._texts.next(sql)
        try:
            with Watch(self._runner.pid) as watch:
                answer = self._runner.ask(timeout, "run", sql=sql, rows=None if rows is None else str(rows))
        except SideFailed:
            self._runner.kill()
            self._runner = None
            raise
        used = watch.usage
        told: dict[str, Any] = {name: answer.get(name) for name in ("planning", "rows", "exchanged", "remote", "spilled")}
        return Figures(answer["seconds"], used.cpu, used.peak, used.byte_seconds, **told)


def _pythons(order: Order, say: Callable[[str], None]) -> dict[str, Path]:
    needed = {side.name: side for side in (REFERENCE, *order.sides)}
    return {name: python_of(side, order.cache, say) for name, side in needed.items()}


def _reference(
    order: Order, place: _Place, python: Path, say: Callable[[str], None]
) -> tuple[dict[int, Query], dict[int, Answer]]:
    """The queries to be run, and what each may answer; from a DuckDB that has ended before anything is measured."""
    say("asking DuckDB what the answers are")
    try:
        runner = place.open(REFERENCE, python)
        queries = _chosen(order.benchmark.queries or _extension(runner, order), order.queries)
        answers = {number: _answer(runner, query.sql, place.scratch, order.timeout) for number, query in queries.items()}
    except (SideFailed, QueryFailed) as failure:
        raise InvalidConfig(f"DuckDB, which every answer is compared with: {failure}") from None
    runner.end()
    return queries, answers


def _extension(runner: Runner, order: Order) -> dict[int, Query]:
    known = runner.ask(order.timeout, "queries", benchmark=order.benchmark.name)["queries"]
    return {int(number): Query(text) for number, text in known.items()}


def _chosen(queries: Mapping[int, Query], numbers: Iterable[int]) -> dict[int, Query]:
    missing = [number for number in numbers if number not in queries]
    if missing:
        raise InvalidConfig(f"there is no query {missing[0]}", hint=f"they are 1 to {max(queries)}")
    return {number: queries[number] for number in (sorted(set(numbers)) or sorted(queries))}


def _answer(runner: Runner, sql: str, scratch: Path, timeout: float) -> Answer:
    plain, whole = scratch / "plain.arrow", scratch / "whole.arrow"
    found = runner.ask(timeout, "answer", sql=sql, plain=str(plain), whole=str(whole))
    return answer_from(_table(plain), _table(whole), found["columns"], found["keys"])


def _table(path: Path) -> pa.Table:
    """In memory: the file's place is used again."""
    return pa.ipc.open_file(pa.BufferReader(path.read_bytes())).read_all()


def _opened(
    order: Order, place: _Place, pythons: Mapping[str, Path], say: Callable[[str], None]
) -> tuple[list[_Team], dict[str, str]]:
    """The sides that could be opened, and why the others could not."""
    teams: list[_Team] = []
    failed: dict[str, str] = {}
    for side in order.sides:
        say(f"{side.name}: starting {side.what}")
        try:
            teams.append(_Team(side, pythons[side.name], place, order.plans))
        except SideFailed as failure:
            if side.is_ours:
                raise InvalidConfig(f"{side.name}: {failure}") from None
            failed[side.name] = str(failure)
            say(f"{side.name}: left out: {failure}")
    return teams, failed


def _query(order: Order, teams: Sequence[_Team], sql: str, answer: Answer) -> dict[str, Figures | Fault]:
    """One query on all sides: checked, then in rounds."""
    faults: dict[str, Fault] = {}
    runs: dict[str, list[Figures]] = {team.side.name: [] for team in teams}
    for team in teams:
        if (fault := _checked(order, team, sql, answer)) is not None:
            faults[team.side.name] = fault
    for _ in range(order.rounds):
        for team in teams:
            if team.side.name in faults:
                continue
            settle(other.pid for other in teams if other.pid is not None)
            try:
                runs[team.side.name].append(team.run(sql, None, order.timeout))
            except (QueryFailed, SideFailed) as failure:
                faults[team.side.name] = Fault(str(failure))
    return {name: faults[name] if name in faults else best(found) for name, found in runs.items()}


def best(runs: Sequence[Figures]) -> Figures:
    """The quickest of at least one run, with the seconds of all."""
    quickest = min(runs, key=lambda one: one.seconds)
    return replace(quickest, rounds=tuple(one.seconds for one in runs))


def _checked(order: Order, team: _Team, sql: str, answer: Answer) -> Fault | None:
    """The run that warms up; a fault unless its rows are right."""
    rows = team.rows
    try:
        team.run(sql, rows, order.timeout)
        with pa.memory_map(str(rows)) as source:
            table = pa.ipc.open_file(source).read_all()
            (assert_answers if team.side.is_ours else assert_answers_in_value)(table, answer)
    except (QueryFailed, SideFailed) as failure:
        return Fault(str(failure))
    except Different as difference:
        return Fault(f"a wrong answer: {' '.join(str(difference).split())[:300]}")
    finally:
        rows.unlink(missing_ok=True)
    return None


def _short(name: str, outcome: Figures | Fault) -> str:
    return f"{name} {outcome.seconds:.3f} s" if isinstance(outcome, Figures) else f"{name} failed"
