"""The plan of the documentation, from end to end, and what a plan can say beyond it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import flightmesh
from flightmesh.errors import InvalidPlan
from flightmesh.frontend.yaml.plan import check_plan
from tests.frontend_yaml.example import PLAN, write_example
from tests.meshes import ANYWHERE, AnySession, session_anywhere


@pytest.fixture(scope="module", params=ANYWHERE)
def session(request: pytest.FixtureRequest) -> Iterator[AnySession]:
    with session_anywhere(request.param, request) as made:
        yield made


def text_for(session: AnySession) -> str:
    """The plan as documented; at a mesh with whose its files are."""
    if isinstance(session, flightmesh.Session):
        return PLAN
    local = PLAN.replace("data/flights}", "data/flights, file: local}").replace("airlines.csv}", "airlines.csv, file: local}")
    return local.replace("out/}", "out/, to: client}")


def rows(session: AnySession, text: str, **params: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = session.run_plan(text, params=params).to_arrow().to_pylist()
    return found


def test_the_documented_plan(session: AnySession, tmp_path: Path) -> None:
    path = write_example(tmp_path, text_for(session))
    session.run_plan(path, params={"since": "2013-05-31"}).to_arrow()
    written = pa.concat_tables([pq.read_table(part) for part in sorted((tmp_path / "out").iterdir())])
    # Late since then: American 61 and 100, United 90 and 61, ZZ (no airline) 70, and one without a carrier (no airline) 99.
    assert written.to_pylist() == []
    written_anew = session.run_plan(
        PLAN.replace("write: {parquet: out/}", "")
        .replace("output: busiest", "output: by_airline")
        .replace("data/", f"{tmp_path}/data/"),
        params={"since": "2013-05-31"},
    ).to_arrow()
    assert written_anew.to_pylist() == [
        {"name": None, "flights": 2, "mean_delay": 84.5},
        {"name": "American", "flights": 2, "mean_delay": 80.5},
        {"name": "United", "flights": 2, "mean_delay": 75.5},
    ]


def test_paths_of_parameters_are_of_the_working_directory(
    session: AnySession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (
        text_for(session)
        .replace("params:\n", "params:\n  out: {type: path, default: out}\n")
        .replace("{parquet: out/", '{csv: "{out}"')
    )
    path = write_example(tmp_path, text)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    for given in ("a.csv", Path("b.csv"), elsewhere / "c.csv"):
        session.run_plan(path, params={"since": "2013-05-31", "out": given}).to_arrow()
    session.run_plan(path, params={"since": "2013-05-31"}).to_arrow()
    assert sorted(file.name for file in elsewhere.iterdir()) == ["a.csv", "b.csv", "c.csv"]
    assert (tmp_path / "out").is_file()


def test_unused_steps_are_warned_of(tmp_path: Path) -> None:
    path = write_example(tmp_path, PLAN.replace("output: busiest", "output: late"))
    assert check_plan(path) == (
        f"{path}:10:3: the step 'by_airline' is not used: the output is 'late'",
        f"{path}:17:3: the step 'busiest' is not used: the output is 'late'",
    )


def test_unused_steps_are_checked_too(tmp_path: Path) -> None:
    path = write_example(tmp_path, PLAN.replace("output: busiest", "output: late").replace("avg(dep_delay)", "avg(dep_delai)"))
    with pytest.raises(InvalidPlan, match="there is no column 'dep_delai'") as caught:
        check_plan(path)
    assert caught.value.position is not None
    assert (caught.value.position.line, caught.value.position.column) == (14, 52)


WRONG: list[tuple[str, str, str, str]] = [
    ("on: carrier", "on: late.carrier = airlines.carier", "airlines has no column 'carier'", "carier, how"),
    ("group_by: [name]", "group_by: [nam]", "there is no column 'nam'", "nam]"),
    ("group_by: [name]", "group_by: [{n: nam || 'x'}]", "there is no column 'nam'", "nam ||"),
    ("aggregate: {flights: count(*)", "aggregate: {flights: cuont(dep_delay)", "there is no function cuont", "cuont"),
    ("[mean_delay desc]", '["mean_delai desc"]', "there is no column 'mean_delai'", "mean_delai"),
    ("limit: 10", "having: flights > mean_delai", "there is no column 'mean_delai'", "mean_delai"),
    ("select name, flights from", "select nam, flights from", "there is no column 'nam'", "nam,"),
    ("(select avg(flights)", "(select avg(flihgts)", "there is no column 'flihgts'", "flihgts"),
    ("dep_delay > 60", "dep_delay > '2 weeks'", "", ""),
    ("where: dep_delay > 60", "where: carrier + 1 > 60", "no function fits VARCHAR + INTEGER", "carrier + 1"),
    ("{from: flights, where", "{from: flights, select: [carrier, 1 as carrier], where", "", ""),
]


@pytest.mark.parametrize(("old", "new", "message", "pointed"), [case for case in WRONG if case[2]])
def test_errors_of_binding_point_into_the_plan(tmp_path: Path, old: str, new: str, message: str, pointed: str) -> None:
    text = PLAN.replace(old, new, 1)
    assert text != PLAN
    with pytest.raises(InvalidPlan) as caught:
        check_plan(write_example(tmp_path, text))
    assert message in caught.value.message
    position = caught.value.position
    assert position is not None
    lines = text.splitlines(keepends=True)
    offset = sum(len(line) for line in lines[: position.line - 1]) + position.column - 1
    assert text[offset:].startswith(pointed), f"points at {text[offset : offset + 30]!r}"


VALUES = """
steps:
  t: {values: [{k: 1, v: a}, {k: 1, v: b}, {k: 2, v: ~}, {k: 3, v: a}]}
  u: {values: [{k: 1, w: 1.5}, {k: 3, w: 2.5}, {k: 4, w: -1}]}
"""
STEPS: list[tuple[str, list[dict[str, Any]]]] = [
    ("{from: t, where: k > 1, order_by: k}", [{"k": 2, "v": None}, {"k": 3, "v": "a"}]),
    ("{from: t, select: k, distinct: true, order_by: k desc}", [{"k": 3}, {"k": 2}, {"k": 1}]),
    ("{from: t, group_by: k, aggregate: {n: count(v)}, order_by: k}", [{"k": 1, "n": 2}, {"k": 2, "n": 0}, {"k": 3, "n": 1}]),
    ("{from: t, group_by: k, aggregate: {n: count(*)}, having: n > 1}", [{"k": 1, "n": 2}]),
    (
        "{from: t, group_by: k, aggregate: {n: count(*)}, select: {m: n * 10}, order_by: m, limit: 2, offset: 1}",
        [{"m": 10}, {"m": 20}],
    ),
    ("{from: t, aggregate: {n: count(*), s: sum(k)}}", [{"n": 4, "s": 7}]),
    ("{from: t, join: {with: u, on: k}, select: [k, v, w], where: w > 2}", [{"k": 3, "v": "a", "w": 2.5}]),
    ("{from: t, join: {with: u, on: k, how: semi}, select: v, order_by: v}", [{"v": "a"}, {"v": "a"}, {"v": "b"}]),
    ("{from: t, join: {with: u, on: k, how: anti}}", [{"k": 2, "v": None}]),
    ("{from: t, join: {with: u, on: t.k > u.w, how: inner}, aggregate: {n: count(*)}}", [{"n": 7}]),
    ("{from: t, join: {with: u, on: k, how: full}, aggregate: {n: count(*)}}", [{"n": 5}]),
    ("{from: t, join: {with: u as x, how: cross}, aggregate: {n: count(*)}}", [{"n": 12}]),
    ("{from: t as a, join: {with: t as b, on: a.k < b.k}, aggregate: {n: count(*)}}", [{"n": 5}]),
    ("{sql: 'select k from t union select k from u order by k limit 2'}", [{"k": 1}, {"k": 2}]),
    ("{from: t, where: k in (select k from u), select: v, order_by: v, limit: 1}", [{"v": "a"}]),
]


@pytest.mark.parametrize(("step", "expected"), STEPS)
def test_steps(session: AnySession, step: str, expected: list[dict[str, Any]]) -> None:
    assert rows(session, f"{VALUES}  s: {step}\n") == expected


SETS = [
    ("{union: [a, b]}", [1, 2, 3]),
    ("{union: {all: [a, b, a]}}", [1, 1, 1, 1, 2, 2, 2, 3]),
    ("{intersect: [a, b]}", [2]),
    ("{except: [a, b]}", [1]),
    ("{except: {all: [a, b]}}", [1, 1]),
]


@pytest.mark.parametrize(("step", "expected"), SETS)
def test_set_operations(session: AnySession, step: str, expected: list[int]) -> None:
    text = f"steps:\n  a: {{values: [{{x: 1}}, {{x: 1}}, {{x: 2}}]}}\n  b: {{values: [{{x: 2}}, {{x: 3}}]}}\n  s: {step}\n"
    assert sorted(row["x"] for row in rows(session, text)) == expected


def test_parameters_are_values_never_text(session: AnySession) -> None:
    text = "params: {who: {type: string, required: true}}\nsteps: {s: {sql: 'select :who as who, length(:who) as n'}}\n"
    assert rows(session, text, who="x'; drop table y; --") == [{"who": "x'; drop table y; --", "n": 20}]


def test_a_registered_table_is_an_input(session: AnySession) -> None:
    session.register("people", pa.table({"name": ["a", "b"]}))
    assert rows(session, "inputs: {p: {table: people}}\nsteps: {s: {from: p, aggregate: {n: count(*)}}}\n") == [{"n": 2}]


def test_a_step_read_twice_is_computed_once(session: AnySession, tmp_path: Path) -> None:
    write_example(tmp_path)
    text = PLAN.replace("write: {parquet: out/}", "").replace("data/", f"{tmp_path}/data/")
    result = session.run_plan(text, params={"since": "2013-05-31"})
    result.to_arrow()
    record = result.metrics
    assert record is not None
    names = [operator.operator for stage in record.stages for operator in stage.tasks[0].operators]
    assert names.count("TableScan") == 2  # flights and airlines, although two places read by_airline
