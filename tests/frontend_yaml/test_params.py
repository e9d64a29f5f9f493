"""Parameters are typed, whoever gives them: Python, a command line, or the plan itself."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from flightmesh.errors import InvalidPlan
from flightmesh.frontend.yaml.document import read_document
from flightmesh.frontend.yaml.params import bind_params, sample_params
from flightmesh.frontend.yaml.validation import validate


def bound(declared: str, **given: Any) -> dict[str, Any]:
    read = read_document(f"params: {{p: {declared}}}\nsteps: {{s: {{values: [{{a: 1}}]}}}}\n", "folder/p.yaml")
    return bind_params(read, validate(read).params, given, Path.cwd())


DEFAULTS: dict[str, Any] = {
    "6": 6,
    "6.5": 6.5,
    "true": True,
    "text": "text",
    "'6'": "6",
    "2013-06-01": date(2013, 6, 1),
    "2013-06-01 12:30:00": datetime(2013, 6, 1, 12, 30),
    "2013-06-01T12:30": datetime(2013, 6, 1, 12, 30),
    "{type: decimal, default: 1.10}": Decimal("1.10"),
    "{type: decimal, default: 12345678901234567890.12 }": Decimal("12345678901234567890.12"),
    "20130601": 20130601,
    "2013-W22-6": "2013-W22-6",
    "{type: decimal, default: '1.10'}": Decimal("1.10"),
    "{type: float, default: 1}": 1.0,
    "{type: timestamp, default: 2013-06-01}": datetime(2013, 6, 1),
    "{type: string, default: 2013-06-01}": "2013-06-01",
    "{type: path, default: data}": str(Path.cwd() / "folder" / "data"),
    "{type: path, default: s3://bucket/data}": "s3://bucket/data",
    "{type: int}": None,
}


@pytest.mark.parametrize("declared", DEFAULTS)
def test_defaults_have_their_type(declared: str) -> None:
    value = bound(declared)["p"]
    assert (type(value), str(value)) == (type(DEFAULTS[declared]), str(DEFAULTS[declared]))


GIVEN: list[tuple[str, Any, Any]] = [
    ("6", "7", 7),
    ("6", 7, 7),
    ("6", 7.0, 7),
    ("6.5", "1e3", 1000.0),
    ("6.5", 2, 2.0),
    ("true", "no", False),
    ("true", False, False),
    ("text", "7", "7"),
    ("2013-06-01", "2014-01-02", date(2014, 1, 2)),
    ("2013-06-01", date(2014, 1, 2), date(2014, 1, 2)),
    ("{type: timestamp}", "2014-01-02 03:04:05", datetime(2014, 1, 2, 3, 4, 5)),
    ("{type: timestamp}", date(2014, 1, 2), datetime(2014, 1, 2)),
    ("{type: decimal}", "0.10", Decimal("0.10")),
    ("{type: path}", "data", str(Path.cwd() / "data")),
    ("{type: path}", Path("/data/x"), "/data/x"),
    ("{default: ASIA, enum: [ASIA, EUROPE]}", "EUROPE", "EUROPE"),
    ("{type: date, min: 2013-01-01, max: 2013-12-31}", "2013-12-31", date(2013, 12, 31)),
]


@pytest.mark.parametrize(("declared", "given", "value"), GIVEN)
def test_given_values_take_the_declared_type(declared: str, given: Any, value: Any) -> None:
    found = bound(declared, p=given)["p"]
    assert (type(found), found) == (type(value), value)


REFUSED: list[tuple[str, Any, str]] = [
    ("6", "seven", "the parameter 'p' is of type int, and 'seven' is not"),
    ("6", 7.5, "is of type int, and 7.5 is not"),
    ("6", True, "is of type int, and True is not"),
    ("6.5", "x", "is of type float, and 'x' is not"),
    ("true", "maybe", "is of type bool, and 'maybe' is not"),
    ("true", 2, "is of type bool, and 2 is not"),
    ("text", 7, "is of type string, and 7 is not"),
    ("2013-06-01", "June", "is of type date, and 'June' is not"),
    ("2013-06-01", "2013-02-30", "is of type date, and '2013-02-30' is not"),
    ("2013-06-01", "20130601", "is of type date, and '20130601' is not"),
    ("2013-06-01", "2013-W22-6", "is of type date, and '2013-W22-6' is not"),
    ("{type: decimal}", "nan", "is of type decimal, and 'nan' is not"),
    ("{type: decimal}", "-Infinity", "is of type decimal, and '-Infinity' is not"),
    ("{type: decimal}", float("inf"), "is of type decimal, and inf is not"),
    ("{type: decimal, default: .inf}", None, "is of type decimal, and '.inf' is not"),
    ("{type: path}", "", "is of type path, and '' is not"),
    ("{type: path, default: ' '}", None, "is of type path, and ' ' is not"),
    ("{type: decimal}", "1,5", "is of type decimal, and '1,5' is not"),
    ("{default: ASIA, enum: [ASIA, EUROPE]}", "EUROPA", "the parameter 'p' cannot be 'EUROPA'"),
    ("{default: 5, min: 1}", 0, "the parameter 'p' must be at least 1, not 0"),
    ("{type: date, max: 2013-12-31}", "2014-01-01", "the parameter 'p' must be at most 2013-12-31, not 2014-01-01"),
    ("{type: date, required: true}", None, "the parameter 'p' needs a value"),
]


@pytest.mark.parametrize(("declared", "given", "message"), REFUSED)
def test_values_that_do_not_fit_are_refused(declared: str, given: Any, message: str) -> None:
    with pytest.raises(InvalidPlan) as caught:
        bound(declared, p=given)
    assert message in caught.value.message
    assert caught.value.position is not None
    assert caught.value.position.line == 1


def test_an_unknown_parameter_names_the_nearest() -> None:
    with pytest.raises(InvalidPlan, match="the plan has no parameter 'q'"):
        bound("6", q=1)
    read = read_document("params: {month: 6}\nsteps: {s: {values: [{a: 1}]}}\n", "p.yaml")
    with pytest.raises(InvalidPlan) as caught:
        bind_params(read, validate(read).params, {"mnth": 1}, Path.cwd())
    assert caught.value.hint == "did you mean month?"


@pytest.mark.parametrize("kind", ["int", "float", "string", "date", "timestamp", "bool", "decimal", "path"])
def test_a_plan_can_be_checked_without_values(kind: str) -> None:
    read = read_document(f"params: {{p: {{type: {kind}, required: true}}}}\nsteps: {{s: {{values: [{{a: 1}}]}}}}\n", "p.yaml")
    assert sample_params(read, validate(read).params)["p"] is not None
