"""How time and memory grow with the data and with the workers: the same sides at several scales, and with several threads.

Handed results, one for each scale and number of threads; hands on a table and a chart. What always holds: a side's figures are
sums over the queries that it has answered at all scales and with all numbers of threads, so they can be compared.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from xml.sax.saxutils import escape

from flightmesh.bench.chart import COLOURS, GRID, INK, PAPER, WIDTH, text_at
from flightmesh.bench.results import Results, Setting, Totals, totals
from flightmesh.bench.sides import OURS, PEERS
from flightmesh.bench.table import MIB, NONE, heading, line
from flightmesh.dataclass import dataclass

HEIGHT = 460
LEFT, RIGHT, TOP, BOTTOM = 70, 230, 80, 60
DASHES = ("", "6 4", "2 3", "8 3 2 3")


@dataclass(frozen=True, slots=True)
class Curve:
    """A side with so many threads: how many queries are counted, and their sums at each scale."""

    side: str
    threads: int
    queries: int
    sums: Mapping[float, Totals]


@dataclass(frozen=True, slots=True)
class Growth:
    """What all runs show together. `setting`: what they have in common, as the first of them had it; `scales` in ascending
    order; `curves`: one for each side and number of threads. `cores` of the machine: with more threads than that a curve shows
    what they cost, not what they bring."""

    setting: Setting
    cores: int
    scales: Sequence[float]
    curves: Sequence[Curve]

    def by_side(self) -> dict[str, list[Curve]]:
        """The curves of each side, the one with the fewest threads first."""
        found: dict[str, list[Curve]] = {curve.side: [] for curve in self.curves}
        for curve in sorted(self.curves, key=lambda curve: curve.threads):
            found[curve.side].append(curve)
        return found


def growth_of(runs: Sequence[Results], cores: int) -> Growth:
    """What `runs` (at least one) show, on a machine of so many cores."""
    scales = sorted({float(run.setting.scale) for run in runs})
    return Growth(runs[0].setting, cores, scales, list(_curves(runs)))


def _curves(runs: Sequence[Results]) -> Iterator[Curve]:
    for side in dict.fromkeys(side for run in runs for side in run.sides):
        with_it = [run for run in runs if side in run.sides]
        queries = [n for n in with_it[0].outcomes if all(n in run.figures(side) for run in with_it)]
        if not queries:
            continue
        for threads in dict.fromkeys(run.setting.threads for run in with_it):
            sums = {
                float(run.setting.scale): totals([run.figures(side)[n] for n in queries])
                for run in with_it
                if run.setting.threads == threads
            }
            yield Curve(side, threads, len(queries), dict(sorted(sums.items())))


def as_markdown(growth: Growth) -> str:
    """The table."""
    setting, scales = growth.setting, growth.scales
    lines = [
        f"# {setting.benchmark}: how it grows",
        "",
        f"{setting.date}; {setting.machine}; best of {setting.rounds} after a warm-up. Seconds are sums over the queries that a"
        " side has answered in every run"
        + (
            f"; `times` is the largest scale by the smallest, the data growing {scales[-1] / scales[0]:g} times."
            if len(scales) > 1
            else "."
        ),
    ]
    titles = [f"scale {scale:g}, s" for scale in scales]
    lines += ["", *heading(["side", "threads", "queries", *titles, "times", f"peak RSS at {scales[-1]:g}, MiB"])]
    for curve in growth.curves:
        known = [curve.sums.get(scale) for scale in scales]
        first, last = known[0], known[-1]
        times = f"{last.seconds / first.seconds:.2f}" if first and last and first.seconds else NONE
        seconds = [f"{one.seconds:,.3f}" if one else NONE for one in known]
        peak = f"{last.peak / MIB:,.0f}" if last else NONE
        lines.append(line([curve.side, str(curve.threads), str(curve.queries), *seconds, times, peak]))
    return "\n".join([*lines, *_scaled_out(growth)]) + "\n"


def _scaled_out(growth: Growth) -> Iterator[str]:
    """What more threads bring at each scale, as far as there are cores; what they cost beyond."""
    within, beyond = [], []
    for curves in growth.by_side().values():
        one, *more = curves
        base = max((curve for curve in curves if curve.threads <= growth.cores), key=lambda curve: curve.threads, default=one)
        for curve in more:
            if curve.threads <= growth.cores:
                within.append(line([_more(curve, one), *(_ratio(one, curve, scale) for scale in growth.scales)]))
            elif curve is not base:
                cells = [f"{_ratio(curve, base, s)}; CPU {_ratio(curve, base, s, 'cpu')}" for s in growth.scales]
                beyond.append(line([_more(curve, base), *cells]))
    scales = [f"scale {scale:g}" for scale in growth.scales]
    if within:
        yield from ("", "## As many times faster with more threads or workers", "")
        yield from (*heading(["side", *scales]), *within)
    if beyond:
        yield from ("", f"## Overhead only: more of them than this machine's {growth.cores} cores", "")
        yield from ("They cannot be faster: so many times the seconds, and the CPU seconds, of as many as there are cores.", "")
        yield from (*heading(["side", *scales]), *beyond)


def _more(curve: Curve, base: Curve) -> str:
    unit = next((side.unit for side in (*OURS, *PEERS) if side.name == curve.side), "threads")
    return f"{curve.side}: {curve.threads} {unit} over {base.threads}"


def _ratio(above: Curve, below: Curve, scale: float, figure: str = "seconds") -> str:
    known = scale in above.sums and scale in below.sums
    a, b = (getattr(curve.sums[scale], figure) if known else 0.0 for curve in (above, below))
    return f"{a / b:.2f} times" if b else NONE


def as_svg(growth: Growth) -> str:
    """The chart: seconds over scale, both logarithmic, a line for each curve."""
    curves, scales = growth.curves, growth.scales
    seconds = [one.seconds for curve in curves for one in curve.sums.values()] or [1.0]
    low, high = math.floor(math.log10(min(seconds))), math.ceil(math.log10(max(seconds)) + 1e-9)
    width, height = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
    span = math.log10(scales[-1] / scales[0]) or 1.0

    def x(scale: float) -> float:
        return LEFT + width * math.log10(scale / scales[0]) / span

    def y(value: float) -> float:
        return TOP + height * (high - math.log10(value)) / max(1, high - low)

    setting = growth.setting
    body = [
        text_at(20, 28, f"{setting.benchmark.upper()}: seconds of all queries over the scale of the data", size=18, bold=True)
    ]
    body.append(text_at(20, 50, f"{setting.machine}; best of {setting.rounds}; {setting.date}", size=12))
    for power in range(low, high + 1):
        body.append(_line(LEFT, y(10.0**power), LEFT + width, y(10.0**power), GRID))
        body.append(text_at(LEFT - 8, y(10.0**power) + 4, f"{10.0**power:g} s", anchor="end", size=12))
    for scale in scales:
        body.append(_line(x(scale), TOP, x(scale), TOP + height, GRID))
        body.append(text_at(x(scale), TOP + height + 18, f"{scale:g}", anchor="middle", size=12))
    sides = list(dict.fromkeys(curve.side for curve in curves))
    threads = list(dict.fromkeys(curve.threads for curve in curves))
    for row, curve in enumerate(curves):
        colour = COLOURS[sides.index(curve.side) % len(COLOURS)]
        dash = DASHES[threads.index(curve.threads) % len(DASHES)]
        points = [(x(scale), y(one.seconds)) for scale, one in curve.sums.items()]
        path = " ".join(f"{a:.1f},{b:.1f}" for a, b in points)
        body.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2" stroke-dasharray="{dash}"/>')
        for (a, b), (scale, one) in zip(points, curve.sums.items(), strict=True):
            tip = escape(f"{curve.side}, {curve.threads} threads, scale {scale:g}: {one.seconds:.2f} s")
            body.append(f'<circle cx="{a:.1f}" cy="{b:.1f}" r="4" fill="{colour}"><title>{tip}</title></circle>')
        at = TOP + 14 + row * 20
        body.append(_line(WIDTH - RIGHT + 16, at - 4, WIDTH - RIGHT + 44, at - 4, colour, dash))
        named = curve.side if len(threads) == 1 else f"{curve.side}, {curve.threads} thread{'s' * (curve.threads > 1)}"
        body.append(text_at(WIDTH - RIGHT + 52, at, named, size=12))
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}"'
    return "\n".join(
        [
            f'{head} font-family="sans-serif" font-size="13" fill="{INK}" role="img">',
            f"<title>{escape(setting.benchmark)}: growth</title>",
            f'<rect width="{WIDTH}" height="{HEIGHT}" fill="{PAPER}"/>',
            *body,
            "</svg>\n",
        ]
    )


def _line(x1: float, y1: float, x2: float, y2: float, colour: str, dash: str = "") -> str:
    ends = f'x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"'
    return f'<line {ends} stroke="{colour}" stroke-width="{2 if colour != GRID else 1}" stroke-dasharray="{dash}"/>'


def written(growth: Growth, folder: Path) -> list[Path]:
    """Writes `NAME-growth.md`, `.json` and `.svg`; NAME: the benchmark."""
    stem = f"{growth.setting.benchmark}-growth"
    curves = [{**asdict(curve), "sums": {f"{k:g}": asdict(v) for k, v in curve.sums.items()}} for curve in growth.curves]
    texts = {
        "md": as_markdown(growth),
        "json": json.dumps({"version": 1, "cores": growth.cores, "curves": curves}, indent=1) + "\n",
        "svg": as_svg(growth),
    }
    paths = [folder / f"{stem}.{ending}" for ending in texts]
    for path, text in zip(paths, texts.values(), strict=True):
        path.write_text(text, encoding="utf-8")
    return paths
