"""What is wrong in a plan is said in words, at its place, with what was probably meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from flightmesh.catalog.catalog import Catalog
from flightmesh.errors import FlightmeshError, InvalidInput, InvalidPlan
from flightmesh.frontend.yaml.plan import load_plan, plan_file
from flightmesh.ids import ColumnIds
from tests.frontend_yaml.example import PLAN, write_example

# What is changed in the plan -> the error: its message, the text that its place must point at, its hint.
REFUSED: dict[str, tuple[str, str, str, str, str]] = {
    "expression split at a comma": (
        "where: dep_delay > 60 and month = :month and time_hour >= :since",
        "where: x in (1, 2)",
        "YAML has split this expression at a comma: 'x in (1'",
        "x in (1",
        'put it in quotes: "x in (1, 2)"',
    ),
    "sort key split at a comma": (
        "[mean_delay desc]",
        "[coalesce(a, b) desc, c]",
        "YAML has split this expression at a comma: 'coalesce(a'",
        "coalesce(a,",
        'put it in quotes: "coalesce(a, b) desc"',
    ),
    "aggregate split at a comma": (
        "mean_delay: avg(dep_delay)}",
        "m: max(if(dep_delay > 1, 2, 3))}",
        "YAML has split this expression at a comma: 'max(if(dep_delay > 1'",
        "max(if(",
        'put it in quotes: "max(if(dep_delay > 1, 2, 3))"',
    ),
    "expression that is a number": (
        "[name]",
        "[1]",
        "step 'by_airline', group_by: expected text, found the number 1",
        "1]",
        'put it in quotes: "1"',
    ),
    "expression that is a boolean": (
        "where: dep_delay > 60",
        "where: true, x: dep_delay > 60",
        "step 'late', where: expected text, found the boolean true",
        "true, x",
        'put it in quotes: "true"',
    ),
    "expression that is a list": (
        "[mean_delay desc]",
        "[[a, b]]",
        "step 'by_airline', order_by: expected text, found a list",
        "[a, b]",
        "put the expression in quotes",
    ),
    "unknown key of a step": (
        "where:",
        "wher:",
        "step 'late': the key 'wher' is unknown",
        "wher:",
        "did you mean where?",
    ),
    "unknown key of a plan": ("steps:", "stepz:", "the key 'stepz' is unknown", "stepz:", "did you mean steps?"),
    "key with an angle": (
        "{from: flights,",
        "{from: flights, <b: 1,",
        "step 'late': the key '<b' is unknown",
        "<b",
        "there is",
    ),
    "input that is a path": (
        "{csv: data/airlines.csv}",
        "data/airlines.csv",
        "input 'airlines': expected a map, found the text 'data/airlines.csv'",
        "data/airlines.csv",
        "write {csv: data/airlines.csv}",
    ),
    "write that is a path": ("{parquet: out/}", "out/", "write: expected a map, found", "out/", "write {parquet: out/}"),
    "step that is SQL": (
        "{from: flights, where: dep_delay > 60 and month = :month and time_hour >= :since}",
        "select 1",
        "step 'late': expected a map",
        "select 1",
        'write {sql: "select ..."}',
    ),
    "parameter with a colon in a path": (
        "data/airlines.csv",
        "':month'",
        ":month is a parameter only in expressions",
        "':month'",
        'in a path write "{month}"',
    ),
    "too few partitions": (
        "{dialect: duckdb}",
        "{partitions: 0}",
        "settings.partitions: must be at least 1, not 0",
        "0}",
        "",
    ),
    "too many partitions": ("{dialect: duckdb}", "{partitions: 5000}", "must be at most 4096, not 5000", "5000}", ""),
    "lines to skip": ("airlines.csv}", "airlines.csv, skip: -1}", "input 'airlines', skip: must be at least 0", "-1}", ""),
    "unknown key of a join": (
        "on: carrier",
        "om: carrier",
        "step 'by_airline', join: the key 'om' is unknown",
        "om:",
        "did you mean on?",
    ),
    "unknown kind of join": (
        "how: left",
        "how: lef",
        "step 'by_airline', join.how: 'lef' is not one of inner, left, right, full, semi, anti, cross",
        "lef}",
        "did you mean left?",
    ),
    "join without on": (
        "on: carrier, ",
        "",
        "step 'by_airline', join: a join needs on",
        "{with: airlines",
        "name the columns that both sides have",
    ),
    "cross join with on": (
        "how: left",
        "how: cross",
        "step 'by_airline', join: a cross join takes every pair, so it has no on",
        "carrier, how",
        "remove on",
    ),
    "names and conditions mixed": (
        "on: carrier",
        "on: [carrier, late.a = airlines.b]",
        "on mixes column names and conditions",
        "carrier, late",
        "write all of them as conditions",
    ),
    "unknown step": ("from: late\n", "from: lat\n", "no step or input is named 'lat'", "lat\n", "did you mean late?"),
    "unknown table in SQL": (
        "from by_airline where",
        "from by_airlin where",
        "no step or input is named 'by_airlin'",
        "by_airlin where",
        "did you mean by_airline",
    ),
    "unknown parameter": (":month and", ":mnth and", "no parameter is named 'mnth'", ":mnth", "did you mean month?"),
    "parameter without a name": (":month and", "? and", "parameters of a plan have names", "? and", "write :name"),
    "unknown output": (
        "output: busiest",
        "output: busyest",
        "the output 'busyest' is not a step",
        "busyest",
        "did you mean busiest?",
    ),
    "step named like an input": (
        "  late:  ",
        "  airlines: ",
        "'airlines' is the name of an input already",
        "airlines:  ",
        "choose another name",
    ),
    "steps that differ by case": (
        "  late:  ",
        "  Busiest: ",
        "'busiest' is the name of a step already",
        "busiest: {sql",
        "choose another",
    ),
    "circle": (
        "from: flights,",
        "from: busiest,",
        "steps read one another in a circle: late -> busiest -> by_airline -> late",
        "late: ",
        "a step reads only what is there before it",
    ),
    "step that reads itself": (
        "from: late\n",
        "from: by_airline\n",
        "steps read one another in a circle: by_airline -> by_airline",
        "by_airline:",
        "a step reads only what is there before it",
    ),
    "two sources": (
        "from: late\n",
        "from: late\n    sql: x\n",
        "step 'by_airline': the step has both from and sql",
        "x\n",
        "make them two steps",
    ),
    "no source": ("from: flights, ", "", "step 'late': the step reads nothing", "{where", "give one of from, sql"),
    "sql with more": (
        "{sql:",
        "{limit: 3, sql:",
        "step 'busiest': a step with sql has no limit",
        "3, sql",
        "into the SQL text",
    ),
    "having without groups": (
        "{from: flights, where:",
        "{from: flights, having:",
        "step 'late': having needs group_by or aggregate",
        "dep_delay > 60",
        "use where",
    ),
    "negative limit": (
        "limit: 10",
        "limit: -1",
        "step 'by_airline', limit: a count of rows must be a whole number",
        "-1",
        "for instance 10",
    ),
    "limit by a date": ("limit: 10", 'limit: ":since"', "a count of rows must be an int parameter", '":since"', ""),
    "syntax of an expression": ("dep_delay > 60", "dep_delay > ) 60", "unexpected ')' in this SQL", ") 60", ""),
    "two expressions in one": (
        "group_by: [name]",
        'group_by: "name, carrier"',
        "expected one expression, found 2",
        '"name, c',
        "write a list",
    ),
    "a clause after an expression": (
        "dep_delay > 60 and",
        "dep_delay > 60 order by 1 --",
        "expected an expression, but order follows",
        "dep_delay > 60 order",
        "give it its own key",
    ),
    "not a query": (
        'sql: "select name',
        'sql: "drop table x --',
        "sql must be a query, not DROP",
        '"drop',
        "begin with select",
    ),
    "CTE named like a step": (
        'sql: "select',
        'sql: "with late as (select 1) select',
        "the CTE 'late' is named like a step or input",
        "late as",
        "choose another name",
    ),
    "unknown dialect": (
        "dialect: duckdb",
        "dialect: duckbd",
        "no SQL dialect is named 'duckbd'",
        "duckbd",
        "did you mean duckdb?",
    ),
    "bad name": ("month: 6", "1st: 6", "'1st' cannot be a name", "1st", "a name is letters, digits and underscores"),
    "unknown type": (
        "type: date",
        "type: dates",
        "parameter 'since', type: 'dates' is not one of",
        "dates",
        "did you mean date?",
    ),
    "default of another type": (
        "month: 6",
        "month: {type: int, default: six}",
        "the parameter 'month' is of type int, and 'six' is not",
        "six",
        "for instance 7",
    ),
    "default out of range": (
        "month: 6",
        "month: {default: 13, max: 12}",
        "the parameter 'month' must be at most 12, not 13",
        "13,",
        "",
    ),
    "parameter with nothing": (
        "month: 6",
        "month: {}",
        "parameter 'month': a parameter needs a type or a default",
        "{}",
        "for instance",
    ),
    "required with a default": (
        "required: true",
        "required: true, default: 2013-01-01",
        "parameter 'since': a required parameter has no default",
        "2013-01-01",
        "remove one",
    ),
    "input without a source": (
        "{parquet: data/flights}",
        "{}",
        "input 'flights': the input says not where its rows are",
        "{}",
        "give exactly one",
    ),
    "input with two sources": (
        "{parquet: data/flights}",
        "{parquet: a, csv: b}",
        "input 'flights': the input has parquet and csv",
        "b}",
        "give exactly one",
    ),
    "option of another format": (
        "{parquet: data/flights}",
        "{parquet: a, header: true}",
        "input 'flights': header is an option of csv, not of parquet",
        "true}\n  airlines",
        "",
    ),
    "unknown table of the session": (
        "{parquet: data/flights}",
        "{table: flights}",
        "no table or view is named 'flights'",
        "flights}",
        "no table is registered",
    ),
    "unknown parameter in a path": (
        "data/airlines.csv",
        "'{moth}/airlines.csv'",
        "no parameter is named 'moth'",
        "'{moth}",
        "did you mean month?",
    ),
    "write without a format": ("{parquet: out/}", "{}", "write: write takes exactly one format", "{}", "for instance"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str, tmp_path: Path) -> None:
    old, new, message, pointed, hint = REFUSED[name]
    text = PLAN.replace(old, new, 1)
    assert text != PLAN
    error = refusal(write_example(tmp_path, text))
    assert isinstance(error, InvalidPlan)
    assert message in error.message
    assert hint in (error.hint or "")
    assert error.position is not None
    assert error.position.source == str(tmp_path / "plan.yaml")
    lines = text.splitlines(keepends=True)
    offset = sum(len(line) for line in lines[: error.position.line - 1]) + error.position.column - 1
    assert text[offset:].startswith(pointed), f"points at {text[offset : offset + 30]!r}"


def refusal(path: Path) -> FlightmeshError:
    with pytest.raises(FlightmeshError) as caught:
        plan_file(load_plan(path), catalog=Catalog(), params={"since": "2013-01-01"}, ids=ColumnIds())
    return caught.value


def test_a_missing_input_points_into_the_plan(tmp_path: Path) -> None:
    error = refusal(write_example(tmp_path, PLAN.replace("data/airlines.csv", "data/airline.csv")))
    assert isinstance(error, InvalidInput)
    assert error.message == f"{tmp_path}/data/airline.csv does not exist"
    assert error.position is not None
    assert (error.position.line, error.position.column) == (7, 19)
    assert "airlines.csv" in (error.hint or "")


def test_a_missing_plan_names_the_nearest(tmp_path: Path) -> None:
    path = write_example(tmp_path)
    with pytest.raises(InvalidInput, match="no such file") as caught:
        load_plan(path.with_name("plam.yaml"))
    assert caught.value.hint == "did you mean plan.yaml?"


def test_a_plan_that_is_not_utf8(tmp_path: Path) -> None:
    path = tmp_path / "latin.yaml"
    path.write_bytes("plan: caf\xe9\n".encode("latin-1"))
    with pytest.raises(InvalidPlan, match="is not text in UTF-8"):
        load_plan(path)


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("plan: x\n", "the key 'steps' is missing", "a plan has steps"),
        ("steps: {}\n", "steps: expected at least 1 entry, found none", "a plan has steps"),
        ("steps: {a: {union: [b]}}\n", "step 'a', union.distinct: expected at least 2 entries, found 1", ""),
        ("inputs: data/x.csv\nsteps: {a: {from: x}}\n", "inputs: expected a map", "write inputs: {name: {csv: data/x.csv}}"),
    ],
)
def test_plans_that_lack_something(text: str, message: str, hint: str) -> None:
    with pytest.raises(InvalidPlan) as caught:
        load_plan(text)
    assert message in caught.value.message
    assert hint in (caught.value.hint or "")
