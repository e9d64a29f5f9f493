"""Results as JSON, for programs, and files of all forms in one folder."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from flightmesh.bench.chart import as_svg
from flightmesh.bench.results import Figures, Results, totals
from flightmesh.bench.table import as_markdown

VERSION = 1
"""Of the JSON's form."""


def as_document(results: Results) -> dict[str, Any]:
    """All figures, and totals over the queries that all sides have answered."""
    shared = results.shared(results.sides)
    return {
        "version": VERSION,
        "setting": asdict(results.setting),
        "sides": dict(results.sides),
        "skipped": dict(results.skipped),
        "titles": {str(number): what for number, what in results.titles.items()},
        "queries": {
            str(number): {
                side: asdict(one) if isinstance(one, Figures) else {"fault": one.why} for side, one in by_side.items()
            }
            for number, by_side in results.outcomes.items()
        },
        "totals": {
            "queries": shared,
            "sides": {
                side: asdict(totals([results.figures(side)[number] for number in shared])) for side in results.sides if shared
            },
        },
    }


def written(results: Results, folder: Path, suffix: str = "") -> list[Path]:
    """Writes `NAME.md`, `NAME.json` and `NAME.svg` into a folder, which is made; NAME: the benchmark, its scale, `suffix`."""
    folder.mkdir(parents=True, exist_ok=True)
    stem = f"{results.setting.benchmark}-{results.setting.scale}{suffix}"
    texts = {
        "md": as_markdown(results),
        "json": json.dumps(as_document(results), indent=1, ensure_ascii=False) + "\n",
        "svg": as_svg(results),
    }
    paths = []
    for ending, text in texts.items():
        path = folder / f"{stem}.{ending}"
        path.write_text(text, encoding="utf-8")
        paths.append(path)
    return paths
