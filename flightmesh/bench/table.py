"""Results as a document for people, in Markdown.

Handed results; hands on text. What always holds: a ratio is a side's figure by the first side's; a cell without a figure is a
dash.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from flightmesh.bench.results import Figures, Results, Totals, totals

NONE = "-"
GIB = 2**30
MIB = 2**20
SHORT = 0.05
"""Seconds: where no side takes longer, hundredths of milliseconds are told."""


def as_markdown(results: Results) -> str:
    """The whole document."""
    setting = results.setting
    head = [
        f"# {setting.benchmark} at scale {setting.scale}: {', '.join(results.sides)}",
        "",
        f"{setting.date}; {setting.machine}; {setting.threads} threads a side, best of {setting.rounds} after a warm-up;"
        f" load average {setting.load[0]:.1f} at the start, {setting.load[1]:.1f} at the end."
        " Every answer was compared with DuckDB's."
        + (" Each run had a text of its own, so each was planned anew." if setting.plans == "anew" else ""),
        "",
        *(f"- {name} {version}" for name, version in results.sides.items()),
        *(f"- {name} was left out: {why}" for name, why in results.skipped.items()),
    ]
    parts = [head, ["## Totals", "", *_totals(results)], ["## Seconds of each query", "", *_seconds(results)]]
    if setting.is_throughput:
        parts.append(["## Throughput", "", *_throughput(results)])
    if pairs := _pairs(results):
        parts.insert(2, ["## flightmesh by each peer", "", *pairs])
    if results.titles:
        parts.append(["## The queries", "", *(f"- Q{number}: {_plain(what)}" for number, what in results.titles.items())])
    parts.append(["## Cost of each query", "", *_costs(results)])
    if own := _own(results):
        parts.append(["## What flightmesh says of each query", "", *own])
    if faults := _faults(results):
        parts.append(["## Without a right answer", "", *faults])
    return "\n\n".join("\n".join(lines) for lines in parts) + "\n"


def _totals(results: Results) -> Iterator[str]:
    """A line a side, over the queries that all have answered; ratios to the first."""
    sides = list(results.sides)
    shared = results.shared(sides)
    if not shared:
        yield "There is no query that all sides have answered."
        return
    sums = {side: totals([results.figures(side)[number] for number in shared]) for side in sides}
    first = sums[sides[0]]
    yield f"Over the {len(shared)} queries that all sides have answered; in brackets: as many times that of {sides[0]}."
    yield ""
    columns: dict[str, Callable[[Totals], str]] = {
        "seconds": lambda one: _with_ratio(one.seconds, first.seconds, 3),
        "geometric mean, s": lambda one: _with_ratio(one.geometric_mean, first.geometric_mean, 4),
        "CPU s": lambda one: _with_ratio(one.cpu, first.cpu, 2),
        "peak RSS, MiB": lambda one: _with_ratio(one.peak / MIB, first.peak / MIB, 0),
        "GiB-seconds": lambda one: _with_ratio(one.byte_seconds / GIB, first.byte_seconds / GIB, 3),
        "exchanged, MiB": lambda one: _size(one.exchanged),
        "from worker to worker, MiB": lambda one: _size(one.remote),
        "spilled, MiB": lambda one: _size(one.spilled),
        "planning, s": lambda one: _number(one.planning, 3),
    }
    yield from heading(["side", *columns])
    for side, one in sums.items():
        yield line([side, *(cell(one) for cell in columns.values())])


def _pairs(results: Results) -> list[str]:
    """A line for each side of ours and each peer: ours by theirs, over the queries that these two have answered."""
    ours = [side for side in results.sides if results.is_ours(side)]
    peers = [side for side in results.sides if not results.is_ours(side)]
    lines = []
    for mine in ours:
        for theirs in peers:
            shared = results.shared([mine, theirs])
            if shared:
                a, b = (totals([results.figures(side)[number] for number in shared]) for side in (mine, theirs))
                worst = max(shared, key=lambda n: _slower(results, mine, theirs, n))
                cells = [_number(x / y if y else None, 2) for x, y in _comparable(a, b)]
                slowest = f"Q{worst}: {_slower(results, mine, theirs, worst):.2f}"
                lines.append(line([f"{mine} / {theirs}", str(len(shared)), *cells, slowest]))
    if not lines:
        return []
    head = ["sides", "queries", "seconds", "geometric mean", "CPU s", "peak RSS", "GiB-seconds", "highest ratio of seconds"]
    return [
        "Below 1: flightmesh takes less. Each line is over the queries that both have answered.",
        "",
        *heading(head),
        *lines,
    ]


def _comparable(a: Totals, b: Totals) -> list[tuple[float, float]]:
    return [
        (a.seconds, b.seconds),
        (a.geometric_mean, b.geometric_mean),
        (a.cpu, b.cpu),
        (a.peak, b.peak),
        (a.byte_seconds, b.byte_seconds),
    ]


def _slower(results: Results, mine: str, theirs: str, number: int) -> float:
    return results.figures(mine)[number].seconds / results.figures(theirs)[number].seconds


def _seconds(results: Results) -> Iterator[str]:
    """A line a query: seconds of each side, and each by the first's."""
    sides = list(results.sides)
    yield from heading(["query", *sides, *(f"{side} / {sides[0]}" for side in sides[1:])])
    for number in results.outcomes:
        seconds = [one.seconds if (one := results.figures(side).get(number)) else None for side in sides]
        digits = 3 if max((value for value in seconds if value is not None), default=1.0) >= SHORT else 5
        yield line([f"Q{number}", *(_number(value, digits) for value in seconds), *_ratios(seconds)])
    shared = results.shared(sides)
    if shared:
        sums = [totals([results.figures(side)[number] for number in shared]) for side in sides]
        for title, values in (
            ("total", [one.seconds for one in sums]),
            ("geometric mean", [one.geometric_mean for one in sums]),
        ):
            yield line([f"{title} ({len(shared)})", *(_number(value, 3) for value in values), *_ratios(values)])


def _throughput(results: Results) -> Iterator[str]:
    """A line a query: what went from stage to stage, a second."""
    kinds = ("million rows/s", "MB/s")
    yield "Of the whole query, from its text to its answer: rows that went from stage to stage, and their bytes (of a million)."
    yield ""
    yield from heading(["query", "rows", "MB", *(f"{side}: {kind}" for side in results.sides for kind in kinds)])
    for number, by_side in results.outcomes.items():
        known = [one for one in by_side.values() if isinstance(one, Figures) and one.rows and one.exchanged]
        if known:
            cells = [f"{known[0].rows:,}", f"{(known[0].exchanged or 0) / 1e6:,.1f}"]
            for side in results.sides:
                one = results.figures(side).get(number)
                rates = [None] * 2 if one is None else [(one.rows or 0) / one.seconds, (one.exchanged or 0) / one.seconds]
                cells += [
                    _number(rate if rate is None else rate / 1e6, digits) for rate, digits in zip(rates, (1, 0), strict=True)
                ]
            yield line([f"Q{number}", *cells])


def _ratios(values: Sequence[float | None]) -> list[str]:
    first = values[0]
    return [NONE if value is None or not first else f"{value / first:.2f}" for value in values[1:]]


def _costs(results: Results) -> Iterator[str]:
    """A line a query: CPU seconds, peak and memory over time of each side."""
    sides = list(results.sides)
    kinds = ("CPU s", "peak MiB", "GiB-s")
    yield from heading(["query", *(f"{side}: {kind}" for side in sides for kind in kinds)])
    for number in results.outcomes:
        cells = []
        for side in sides:
            one = results.figures(side).get(number)
            cells += (
                [NONE] * 3 if one is None else [f"{one.cpu:.2f}", f"{one.peak / MIB:,.0f}", f"{one.byte_seconds / GIB:.3f}"]
            )
        yield line([f"Q{number}", *cells])


def _own(results: Results) -> list[str]:
    """A line a query: planning, bytes exchanged and spilled of the sides that tell."""
    sides = [side for side in results.sides if any(one.planning is not None for one in results.figures(side).values())]
    if not sides:
        return []
    kinds = ("planning ms", "exchanged MiB", "between workers MiB", "spilled MiB")
    lines = heading(["query", *(f"{side}: {kind}" for side in sides for kind in kinds)])
    for number in results.outcomes:
        cells = []
        for side in sides:
            one = results.figures(side).get(number)
            if one is None:
                cells += [NONE] * len(kinds)
            else:
                planning = None if one.planning is None else one.planning * 1000
                cells += [_number(planning, 1), _size(one.exchanged), _size(one.remote), _size(one.spilled)]
        lines.append(line([f"Q{number}", *cells]))
    return lines


def _faults(results: Results) -> list[str]:
    return [f"- {side}, Q{number}: {_plain(why)}" for side in results.sides for number, why in results.faults(side).items()]


def _with_ratio(value: float, first: float, digits: int) -> str:
    return f"{value:,.{digits}f}" + (f" ({value / first:.2f})" if first else "")


def _size(value: int | None) -> str:
    return NONE if value is None else f"{value / MIB:,.1f}"


def _number(value: float | None, digits: int) -> str:
    return NONE if value is None else f"{value:,.{digits}f}"


def heading(cells: Sequence[str]) -> list[str]:
    """The first two lines of a table: the first column has words, the others numbers."""
    return [line(cells), "|---" + "|---:" * (len(cells) - 1) + "|"]


def line(cells: Iterable[str]) -> str:
    """A line of a table."""
    return f"| {' | '.join(cells)} |"


def _plain(text: str) -> str:
    """Without what Markdown would read as more than text."""
    return text.replace("|", "\\|").replace("<", "&lt;").replace("`", "'")
