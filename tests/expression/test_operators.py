"""Operators against DuckDB over random values with NULLs, NaN, infinities and -0.0."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pyarrow.compute as pc
import pytest

from flightmesh.expression.registry import bind_call, bind_case
from tests.expression.against import Both, random_table, sql_literal

D = Decimal

_NUMBERS = ("$t", "$s", "$i", "$b", "$u", "$f", "$d", "$x", "$dc", "$dd", "$dw", "$h", 1, 300, D("0.05"), 2.5)
_COMPARED = [("$i", "$j"), ("$i", "$dc"), ("$dc", "$dd"), ("$dw", "$dc"), ("$x", "$y"), ("$d", "$dc"), ("$f", "$d"), ("$v",
    "$w"), ("$dt", "$ts"), ("$dt", "$du"),
             ("$dt", "1990-05-05"), ("$ts", "1990-05-05 10:00:00"), ("$bo", "$bp"), ("$h", "$b"), ("$h", "$dc"), ("$iv",
                 "$jv"), ("$tm", "$tn"), ("$i", 5), ("$s", 100000),
             ("$i", D("2.5")), ("$u", "$t"), ("$blob", "$blob"), ("$x", 1.0), ("$i", "17")]  # fmt: skip

OPERATORS: list[tuple[Any, ...]] = [
    *[(name, f"{{}} {symbol} {{}}", a, b) for name, symbol in (("equal", "="), ("not_equal", "<>"), ("less", "<"),
                                                               ("less_equal", "<="), ("greater", ">"),
      ("greater_equal", ">="), ("is_distinct_from", "is distinct from"), ("is_not_distinct_from",
                                                                          "is not distinct from")) for a, b in _COMPARED],
    ("between", "{} between {} and {}", "$i", "$j", 50), ("between", "{} between {} and {}", "$x", "$y", 1.0), ("between",
        "{} between {} and {}", "$dc", "$i", "$b"),
    ("and", "{} and {}", "$bo", "$bp"), ("or", "{} or {}", "$bo", "$bp"), ("not", "not {}", "$bo"), ("and", "{} and {} and {}",
        "$bo", "$bp", True),
    ("is_null", "{} is null", "$x"), ("is_not_null", "{} is not null", "$v"), ("is_true", "{} is true", "$bo"), ("is_not_true",
        "{} is not true", "$bo"),
    ("is_false", "{} is false", "$bo"), ("is_not_false", "{} is not false", "$bo"), ("negate", "- {}", "$i"), ("negate",
        "- {}", "$dc"), ("negate", "- {}", "$x"),
    ("negate", "- {}", "$iv"), ("negate", "- {}", "$h"),
    *[("like", "{} like {}", "$v", pattern) for pattern in ("", "%", "a", "a%", "%c", "%b%", "a%c", "_", "a_b", "%a%b%",
                                                            "a\\%b", "日_語", "%\n%")],
    ("like", "{} like {}", "$v", "$w"), ("ilike", "{} ilike {}", "$v", "aB%"), ("not_like", "{} not like {}", "$v", "%a%"),
    ("not_ilike", "{} not ilike {}", "$v", "A%"),
    ("glob", "{} glob {}", "$v", "a*"), ("glob", "{} glob {}", "$v", "?b*"), ("glob", "{} glob {}", "$v", "[!a]*"),
    ("concat_operator", "{} || {}", "$v", "$w"), ("concat_operator", "{} || {}", "$v", "$i"), ("concat_operator", "{} || {}",
        "$dc", "$v"),
    ("concat_operator", "{} || {}", "$blob", "$blob"), ("concat_operator", "{} || {}", "$d", "$v"), ("concat_operator",
        "{} || {}", "$ts", "$v"),
    ("&", "{} & {}", "$i", "$j"), ("|", "{} | {}", "$i", 5), ("~", "~{}", "$i"), ("<<", "{} << {}", "$u", 0), ("<<",
        "{} << {}", "$n", "$n"), (">>", "{} >> {}", "$i", 3),
    (">>", "{} >> {}", "$b", "$n"),
    ("int_divide", "{} // {}", "$i", "$j"), ("int_divide", "{} // {}", "$h", "$b"), ("int_divide", "{} // {}", "$dc", "$dd"),
    ("int_divide", "{} // {}", "$d", "$x"),
    ("modulo", "{} % {}", "$i", "$j"), ("modulo", "{} % {}", "$dc", "$dd"), ("modulo", "{} % {}", "$d", "$x"), ("modulo",
        "{} % {}", "$h", 7),
    ("modulo", "{} % {}", "$dc", 7), ("modulo", "{} % {}", "$dw", "$dc"),
    ("add", "{} + {}", "$dt", "$j"), ("add", "{} + {}", "$dt", "$iv"), ("add", "{} + {}", "$ts", "$iv"), ("add", "{} + {}",
        "$iv", "$ts"), ("add", "{} + {}", "$tm", "$iv"),
    ("add", "{} + {}", "$dt", "$tm"), ("add", "{} + {}", "$iv", "$jv"), ("subtract", "{} - {}", "$dt", "$du"), ("subtract",
        "{} - {}", "$dt", 5),
    ("subtract", "{} - {}", "$ts", "$tu"), ("subtract", "{} - {}", "$ts", "$dt"), ("subtract", "{} - {}", "$dt", "$iv"),
    ("subtract", "{} - {}", "$ts", "$iv"),
    ("subtract", "{} - {}", "$iv", "$jv"), ("subtract", "{} - {}", "$tm", "$iv"), ("multiply", "{} * {}", "$iv", 3),
    ("multiply", "{} * {}", "$j", "$iv"),
    ("multiply", "{} * {}", "$iv", 1.5), ("divide", "{} / {}", "$iv", 4),
]  # fmt: skip


@pytest.fixture(scope="module")
def both() -> Both:
    return Both(random_table(seed=7))


def cases(both: Both, operators: list[tuple[Any, ...]]) -> list[tuple[str, Any]]:
    return [
        (f"({text.format(*(sql_literal(arg) for arg in args))})", bind_call(name, [both.argument(arg) for arg in args]))
        for name, text, *args in operators
    ]


def test_operators_agree_with_duckdb(both: Both) -> None:
    both.compare(cases(both, OPERATORS))


@pytest.mark.parametrize("name, symbol", [("add", "+"), ("subtract", "-"), ("multiply", "*"), ("divide", "/")])
def test_arithmetic_on_every_pair_of_number_types(both: Both, name: str, symbol: str) -> None:
    skipped = {("$t", 300), (300, "$t")} if name == "multiply" else set()
    pairs = [
        (a, b)
        for a in _NUMBERS
        for b in _NUMBERS
        if (a, b) not in skipped
        and not (isinstance(a, int | float | Decimal) and isinstance(b, int | float | Decimal))
        and not (name != "divide" and {a, b} <= {"$u", "$t", "$s", 1, 300})
        and not (name == "multiply" and ({a, b} <= {"$dw", "$h", "$b", "$dc"}))
    ]
    assert len(pairs) > 100
    both.compare(cases(both, [(name, f"{{}} {symbol} {{}}", a, b) for a, b in pairs]), tolerance=1e-6)


@pytest.mark.parametrize("filled", [False, True], ids=["with NULLs", "without NULLs"])
def test_case_agrees_with_duckdb(filled: bool) -> None:
    table = random_table(seed=13)
    if filled:
        table = table.filter(pc.and_(pc.is_valid(table["dc"]), pc.and_(pc.is_valid(table["dw"]), pc.is_valid(table["v"]))))
    both = Both(table)
    when, unless = both.column("bo"), bind_call("like", [both.column("v"), both.argument("%a%")])
    zero = both.argument(0)
    product = bind_call("multiply", [both.column("dc"), both.column("dc")])
    both.compare(
        [
            ("case when bo then dc else 0 end", bind_case([(when, both.column("dc"))], zero)),
            ("case when bo then dc * dc end", bind_case([(when, product)], None)),
            ("case when bo then dw when v like '%a%' then dc end", bind_case([(when, both.column("dw")), (unless,
                both.column("dc"))], None)),
            ("case when bo then null when v like '%a%' then dc else 1.5 end",
             bind_case([(when, both.argument(None)), (unless, both.column("dc"))], both.argument(D("1.5")))),
            ("case when bo then v else 'x' end", bind_case([(when, both.column("v"))], both.argument("x"))),
            ("case when bo then i when v like '%a%' then j end", bind_case([(when, both.column("i")), (unless,
                both.column("j"))], None)),
            ("case when true then dc else dd end", bind_case([(both.argument(True), both.column("dc"))], both.column("dd"))),
        ]
    )  # fmt: skip
