"""Results as a chart in SVG: totals as bars, then the seconds of each query as dots on a logarithmic scale.

Handed results; hands on text. What always holds: it is whole by itself (no fonts, styles or scripts from elsewhere) and reads
on a light and on a dark page; a side keeps its colour throughout; a query without a right answer has no dot.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from xml.sax.saxutils import escape

from flightmesh.bench.results import Results, totals

WIDTH = 960
LEFT = 130
RIGHT = 150
BAR = 26
ROW = 22
COLOURS = ("#0072b2", "#56b4e9", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#8c6bb1", "#7f7f7f")
"""Told apart by people who see few colours, too (after Okabe and Ito)."""
INK, PAPER, GRID = "#1f2328", "#ffffff", "#d8dee4"


def as_svg(results: Results) -> str:
    """The whole chart."""
    sides = list(results.sides)
    colours = {side: COLOURS[number % len(COLOURS)] for number, side in enumerate(sides)}
    body: list[str] = []
    y = 70.0
    shared = results.shared(sides)
    if shared:
        body += _bars(results, shared, colours, y)
        y += BAR * len(sides) + 30
    body += _dots(results, colours, y)
    height = y + ROW * len(results.outcomes) + 60
    setting = results.setting
    title = f"{setting.benchmark.upper()} at scale {setting.scale}, {setting.threads} threads"
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}" width="{WIDTH}" height="{height:.0f}"'
            f' font-family="sans-serif" font-size="13" fill="{INK}" role="img">',
            f"<title>{escape(title)}</title>",
            f'<rect width="{WIDTH}" height="{height:.0f}" fill="{PAPER}"/>',
            text_at(20, 28, title, size=18, bold=True),
            text_at(20, 50, f"{setting.machine}; best of {setting.rounds}; {setting.date}", size=12),
            *body,
            "</svg>\n",
        ]
    )


def _bars(results: Results, shared: list[int], colours: dict[str, str], top: float) -> Iterator[str]:
    """A bar for each side's total, with its seconds and its ratio to the first's."""
    sums = {side: totals([results.figures(side)[number] for number in shared]).seconds for side in colours}
    longest, first = max(sums.values()), next(iter(sums.values()))
    for row, (side, seconds) in enumerate(sums.items()):
        y = top + row * BAR
        width = (WIDTH - LEFT - RIGHT) * seconds / longest if longest else 0.0
        yield text_at(LEFT - 10, y + 15, side, anchor="end")
        yield f'<rect x="{LEFT}" y="{y:.1f}" width="{max(width, 1):.1f}" height="{BAR - 6}" rx="2" fill="{colours[side]}"/>'
        ratio = "" if row == 0 or not first else f" ({seconds / first:.2f} times)"
        yield text_at(LEFT + width + 8, y + 15, f"{seconds:.2f} s{ratio}")
    yield text_at(LEFT, top + BAR * len(sums) + 12, f"total of the {len(shared)} queries that all sides have answered", size=12)


def _dots(results: Results, colours: dict[str, str], top: float) -> Iterator[str]:
    """A line for each query, a dot for each side."""
    times = [one.seconds for side in colours for one in results.figures(side).values()]
    if not times:
        return
    low = math.floor(math.log10(max(min(times), 1e-4)))
    high = max(low + 1, math.ceil(math.log10(max(times))))
    scale = (WIDTH - LEFT - RIGHT) / (high - low)

    def at(seconds: float) -> float:
        return LEFT + (math.log10(max(seconds, 10.0**low)) - low) * scale

    first = top + 24
    bottom = first + ROW * len(results.outcomes)
    for power in range(low, high + 1):
        x = at(10.0**power)
        yield f'<line x1="{x:.1f}" y1="{first:.1f}" x2="{x:.1f}" y2="{bottom:.1f}" stroke="{GRID}"/>'
        yield text_at(x, bottom + 18, f"{10.0**power:g} s", anchor="middle", size=12)
    for row, (number, by_side) in enumerate(results.outcomes.items()):
        y = first + ROW * row + ROW / 2
        yield text_at(LEFT - 10, y + 4, f"Q{number}", anchor="end", size=12)
        yield f'<line x1="{LEFT}" y1="{y:.1f}" x2="{WIDTH - RIGHT}" y2="{y:.1f}" stroke="{GRID}" stroke-dasharray="2 4"/>'
        for side in reversed(list(by_side)):  # the first side's lies on top
            one = results.figures(side).get(number)
            if one is not None:
                tip = escape(f"{side}, Q{number}: {one.seconds:.3f} s")
                x = at(one.seconds)
                yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5" fill="{colours[side]}"><title>{tip}</title></circle>'
    for row, (side, colour) in enumerate(colours.items()):
        y = first + 12 + row * 20
        yield f'<circle cx="{WIDTH - RIGHT + 24}" cy="{y - 4:.1f}" r="5" fill="{colour}"/>'
        yield text_at(WIDTH - RIGHT + 36, y, side, size=12)


def text_at(x: float, y: float, text: str, *, anchor: str = "start", size: int = 13, bold: bool = False) -> str:
    """A line of text."""
    weight = ' font-weight="bold"' if bold else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}"{weight}>{escape(text)}</text>'
