"""What was measured, and the table of it."""

from __future__ import annotations

from statistics import median

from tests.benchmarks.engines import ENGINES

TIMES: dict[tuple[str, int], float] = {}
"""Engine and query -> best time in seconds."""
PLANNING: dict[int, float] = {}
"""Query -> median planning time in seconds."""
MESH_TIMES: dict[tuple[str, int], float] = {}
"""Side (embedded, or one of MESH_SIDES) and query -> best time in seconds."""
MESH_SIDES = ("get", "put", "tls")
"""How rows are moved between workers; `tls`: as get, with TLS and tokens."""
MISSING: dict[str, str] = {}
"""Engine -> why it was not measured."""


def tpch_lines() -> list[str]:
    """A line a query: each engine's time, and how many times as long this one takes."""
    engines = [name for name in ENGINES if any(engine == name for engine, _ in TIMES)]
    numbers = sorted({number for _, number in TIMES})
    if not numbers:
        return []
    lines = ["query " + "".join(f"{name:>12}{'ratio' if name != ENGINES[0] else '':>8}" for name in engines)]
    lines += [f"q{number:02}   " + "".join(_cells(name, [number]) for name in engines) for number in numbers]
    shared = [number for number in numbers if all((name, number) in TIMES for name in engines)]
    lines.append("total " + "".join(_cells(name, shared) for name in engines))
    lines += [f"{name}: n/a, {why}" for name, why in MISSING.items()]
    return lines


def _cells(engine: str, numbers: list[int]) -> str:
    mine = [TIMES.get((ENGINES[0], number)) for number in numbers]
    theirs = [TIMES.get((engine, number)) for number in numbers]
    known = [time for time in theirs if time is not None]
    if len(known) < len(numbers):
        return f"{'n/a':>12}{'':>8}"
    text = f"{sum(known) * 1000:>12,.0f}"
    if engine == ENGINES[0] or any(time is None for time in mine):
        return f"{text}{'':>8}"
    return f"{text}{sum(time for time in mine if time is not None) / sum(known):>7.2f}x"


def planning_lines() -> list[str]:
    """The planning time of each query, and their median."""
    if not PLANNING:
        return []
    times = "  ".join(f"q{number:02} {time * 1000:.1f}" for number, time in sorted(PLANNING.items()))
    return [times, f"median {median(PLANNING.values()) * 1000:.1f}"]


def mesh_lines() -> list[str]:
    """A line a query: embedded, and meshes on the same machine, with what they cost."""
    numbers = sorted({number for _, number in MESH_TIMES})
    if not numbers:
        return []
    lines = [f"query{'embedded':>12}" + "".join(f"{side:>12}{'ratio':>8}" for side in MESH_SIDES)]
    lines += [f"q{number:02}  {_mesh_cells([number])}" for number in numbers]
    return [*lines, f"total{_mesh_cells(numbers)}"]


def _mesh_cells(numbers: list[int]) -> str:
    sums = {side: sum(MESH_TIMES.get((side, number), 0.0) for number in numbers) for side in ("embedded", *MESH_SIDES)}
    alone = sums["embedded"]
    cells = [f"{sums[side] * 1000:>12,.0f}{sums[side] / alone if alone else 0.0:>7.2f}x" for side in MESH_SIDES]
    return f"{alone * 1000:>12,.0f}{''.join(cells)}"
