"""What several runs say of growth: the same queries are summed up at every scale, and the chart has each curve."""

from __future__ import annotations

from dataclasses import replace
from xml.etree import ElementTree

from flightmesh.bench.growth import as_markdown, as_svg, growth_of
from flightmesh.bench.results import Results
from tests.bench.made import figures, results


def run(scale: str, threads: int, times: float, *, without: int | None = None) -> Results:
    """Each query takes so many times as long; one may have failed."""
    made = results()
    outcomes = {
        number: {"embedded": figures(times * number), "duckdb": figures(times), "polars": by_side["polars"]}
        for number, by_side in made.outcomes.items()
    }
    if without is not None:
        outcomes[without] = {**outcomes[without], "embedded": made.outcomes[2]["polars"]}
    return replace(made, setting=replace(made.setting, scale=scale, threads=threads), outcomes=outcomes)


RUNS = [run("1", 1, 1.0), run("1", 4, 0.5), run("0.1", 1, 0.1, without=3), run("0.1", 4, 0.1)]


def test_sums_are_over_queries_that_a_side_has_answered_in_every_run() -> None:
    embedded = [curve for curve in growth_of(RUNS, 2).curves if curve.side == "embedded"]
    assert [(curve.threads, curve.queries) for curve in embedded] == [(1, 2), (4, 2)]
    assert [list(curve.sums) for curve in embedded] == [[0.1, 1.0], [0.1, 1.0]]
    assert [round(one.seconds, 9) for curve in embedded for one in curve.sums.values()] == [0.3, 3.0, 0.3, 1.5]


def test_the_table() -> None:
    text = as_markdown(growth_of(RUNS, 2))
    assert "| embedded | 1 | 2 | 0.300 | 3.000 | 10.00 | 100 |" in text
    assert "the data growing 10 times" in text
    assert "the data growing" not in as_markdown(growth_of(RUNS[:2], 2))


def test_more_threads_are_faster_as_far_as_there_are_cores() -> None:
    text = as_markdown(growth_of(RUNS, 4))
    assert "| embedded: 4 threads over 1 | 1.00 times | 2.00 times |" in text
    assert "Overhead" not in text


def test_more_threads_than_cores_are_overhead() -> None:
    """Compared with as many as there are cores."""
    runs = [*RUNS, run("1", 2, 0.4), run("0.1", 2, 0.04)]
    before, overhead = as_markdown(growth_of(runs, 2)).split("## Overhead only: more of them than this machine's 2 cores")
    assert "| embedded: 2 threads over 1 | 2.50 times | 2.50 times |" in before
    assert "| embedded: 4 threads over 2 | 2.50 times; CPU 2.50 times | 1.25 times; CPU 1.25 times |" in overhead
    assert "| embedded: 4 threads over 1 " not in before


def test_a_mesh_has_more_workers() -> None:
    """Not threads: and the sentence that is asked for is there."""
    runs = [replace(one, sides={"mesh": "1"}, outcomes={1: {"mesh": one.outcomes[1]["embedded"]}}) for one in RUNS[:2]]
    runs[1] = replace(runs[1], setting=replace(runs[1].setting, threads=2))
    assert "| mesh: 2 one-thread workers over 1 | 2.00 times |" in as_markdown(growth_of(runs, 2))


def test_a_scale_that_a_side_has_not_run_is_a_dash() -> None:
    small = run("0.1", 1, 0.1)
    alone = replace(run("1", 1, 1.0), sides={"embedded": "1.0"})
    text = as_markdown(growth_of([small, alone], 2))
    assert "| duckdb | 1 | 3 | 0.300 | - | - | - |" in text


def test_the_chart_has_each_curve() -> None:
    chart = ElementTree.fromstring(as_svg(growth_of(RUNS, 2)))
    lines = chart.findall("{http://www.w3.org/2000/svg}polyline")
    assert len(lines) == 6
    assert {len(line.attrib["points"].split()) for line in lines} == {2}
    words = [text.text for text in chart.iter("{http://www.w3.org/2000/svg}text")]
    assert "embedded, 4 threads" in words and "embedded, 1 thread" in words and "0.1" in words
