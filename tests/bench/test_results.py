"""Sums and ratios: over which queries, and what the documents say of them."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
import sqlglot

from flightmesh.bench.chart import as_svg
from flightmesh.bench.document import written
from flightmesh.bench.measure import best
from flightmesh.bench.plans import Plans, Texts
from flightmesh.bench.results import Fault, Results, totals
from flightmesh.bench.table import as_markdown
from tests.bench.made import MIB, SETTING, figures, results

SVG = "{http://www.w3.org/2000/svg}"


def test_totals() -> None:
    found = totals([figures(1.0, exchanged=3), figures(4.0, exchanged=4)])
    assert (found.seconds, found.cpu, found.peak, found.exchanged, found.spilled) == (5.0, 10.0, 100 * MIB, 7, None)
    assert math.isclose(found.geometric_mean, 2.0)


def test_a_query_that_a_side_failed_is_in_no_sum_with_it() -> None:
    made = results()
    assert made.shared(made.sides) == [1, 3]
    assert made.shared(["embedded", "duckdb"]) == [1, 2, 3]
    assert made.faults("polars") == {2: "a wrong <answer> | here"}


def test_the_best_run_keeps_the_seconds_of_all() -> None:
    found = best([figures(2.0), figures(1.0), figures(3.0)])
    assert (found.seconds, found.cpu, found.rounds) == (1.0, 2.0, (2.0, 1.0, 3.0))


@pytest.mark.parametrize("line", [
    "| Q2 | 4.000 | 2.000 | - | 0.50 | - |",
    "| total (2) | 1.100 | 2.400 | 0.700 | 2.18 | 0.64 |",
    "| embedded / duckdb | 3 | 1.16 | 0.63 | 1.16 | 1.00 | 1.16 | Q2: 2.00 |",
    "| embedded / polars | 2 | 1.57 | 1.00 | 1.57 | 1.00 | 1.57 | Q1: 2.00 |",
    "| Q1 | 10.0 | 3.0 | 1.0 | 0.0 |",
    "- polars, Q2: a wrong &lt;answer> \\| here",
    "- spark was left out: it needs java",
])  # fmt: skip
def test_the_table(line: str) -> None:
    assert line in as_markdown(results()).splitlines()


def test_the_table_of_nothing_in_common() -> None:
    made = Results(SETTING, {"embedded": "1", "polars": "2"}, {1: {"embedded": figures(1.0), "polars": Fault("no")}})
    assert "There is no query that all sides have answered." in as_markdown(made)
    assert "| Q1 | 1.000 | - | - |" in as_markdown(made)


def test_the_chart() -> None:
    """A bar for each side, as long as its total; a dot for each answer, further right the longer it took."""
    root = ElementTree.fromstring(as_svg(results()))
    bars = [float(one.attrib["width"]) for one in root.iter(f"{SVG}rect")][1:]
    assert [round(bar / bars[0], 2) for bar in bars] == [1.0, 2.18, 0.64]
    dots = {title.text: float(dot.attrib["cx"]) for dot in root.iter(f"{SVG}circle") for title in dot.iter(f"{SVG}title")}
    assert len(dots) == 8
    times = {text: float(text.split(": ")[1].removesuffix(" s")) for text in dots if text}
    assert sorted(times, key=lambda text: dots[text]) == sorted(times, key=lambda text: times[text])


def test_a_chart_without_any_answer() -> None:
    made = Results(SETTING, {"embedded": "1"}, {1: {"embedded": Fault("no")}})
    assert ElementTree.fromstring(as_svg(made)).tag == f"{SVG}svg"


def test_the_files(tmp_path: Path) -> None:
    paths = written(results(), tmp_path / "new")
    assert [path.name for path in paths] == ["tpch-0.01.md", "tpch-0.01.json", "tpch-0.01.svg"]
    document = json.loads(paths[1].read_text())
    assert document["queries"]["2"]["polars"] == {"fault": "a wrong <answer> | here"}
    assert document["totals"]["queries"] == [1, 3]
    assert document["totals"]["sides"]["duckdb"]["seconds"] == 2.4


def test_short_times_are_told_to_hundredths_of_milliseconds() -> None:
    made = Results(SETTING, {"embedded": "1", "duckdb": "1"}, {
        1: {"embedded": figures(0.00234), "duckdb": figures(0.04)}, 2: {"embedded": figures(0.00234), "duckdb": figures(0.06)},
    })  # fmt: skip
    lines = as_markdown(made).splitlines()
    assert "| Q1 | 0.00234 | 0.04000 | 17.09 |" in lines
    assert "| Q2 | 0.002 | 0.060 | 25.64 |" in lines


def test_throughput() -> None:
    """Of half a second: twice the rows, twice the bytes."""
    made = {1: {"embedded": figures(0.5, rows=3_000_000, exchanged=24_000_000), "mesh": Fault("no")}}
    text = as_markdown(Results(replace(SETTING, is_throughput=True), {"embedded": "1", "mesh": "1"}, made))
    assert "| Q1 | 3,000,000 | 24.0 | 6.0 | 48 | - | - |" in text.splitlines()
    assert "Throughput" not in as_markdown(results())


def test_texts_of_runs() -> None:
    kept, anew = Texts(Plans.KEPT), Texts(Plans.ANEW)
    assert [kept.next("select 1") for _ in range(2)] == ["select 1"] * 2
    texts = [anew.next("select 1") for _ in range(3)]
    assert len(set(texts)) == 3
    assert {sqlglot.transpile(text, comments=False)[0] for text in texts} == {"SELECT 1"}
    said = as_markdown(Results(replace(SETTING, plans="anew"), {"embedded": "1"}, {1: {"embedded": figures(1.0)}}))
    assert "each was planned anew" in said and "planned anew" not in as_markdown(results())
