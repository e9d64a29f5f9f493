"""Results made by hand: two queries that three sides answer, one that a peer does not."""

from __future__ import annotations

from flightmesh.bench.results import Fault, Figures, Results, Setting

MIB = 2**20
SETTING = Setting("tpch", "0.01", 2, 3, "2 cores", "2026-01-01 00:00 UTC", (0.5, 0.75))


def figures(seconds: float, **more: float) -> Figures:
    return Figures(seconds, cpu=2 * seconds, peak=100 * MIB, byte_seconds=seconds * 100 * MIB, **more)  # type: ignore[arg-type]


def results() -> Results:
    ours = {"planning": 0.01, "exchanged": 3 * MIB, "remote": MIB, "spilled": 0}
    return Results(
        SETTING,
        {"embedded": "1.0", "duckdb": "1.5", "polars": "2.1"},
        {
            1: {"embedded": figures(1.0, **ours), "duckdb": figures(2.0), "polars": figures(0.5)},
            2: {"embedded": figures(4.0, **ours), "duckdb": figures(2.0), "polars": Fault("a wrong <answer> | here")},
            3: {"embedded": figures(0.1, **ours), "duckdb": figures(0.4), "polars": figures(0.2)},
        },
        ours=("embedded",),
        skipped={"spark": "it needs java"},
    )
