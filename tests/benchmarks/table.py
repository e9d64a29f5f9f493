"""What was measured, and the table of it."""

from __future__ import annotations

from statistics import median

PLANNING: dict[int, float] = {}
"""Query -> median planning time in seconds."""
MESH_TIMES: dict[tuple[str, int], float] = {}
"""Side (embedded, or one of MESH_SIDES) and query -> best time in seconds."""
MESH_SIDES = ("get", "put", "tls")
"""How rows are moved between workers; `tls`: as get, with TLS and tokens."""


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
