"""Random rows of LATERAL: plain, limited, aggregated, grouped, united, numbered, nested, lists and series."""

from __future__ import annotations

import random

from tests.random.expressions import Column, Expressions
from tests.random.tables import COLUMNS, NAMES

_KINDS = {name: kind for name, (kind, _type) in COLUMNS.items()}
_LIMITABLE = ("k", "s", "j", "t", "d", "day", "moment")
"""Columns whose equal values are the same value: not floats."""


def lateral_rows(rng: random.Random, outer: list[Column], alias: str, depth: int) -> tuple[str, dict[str, str]]:
    """What follows LATERAL, its alias included, and the names and kinds of its columns."""
    own = f"{alias}i"
    inner = [Column(f"{own}.{name}", kind) for name, kind in _KINDS.items()]
    rows = f"from {rng.choice(NAMES)} {own}{_where(rng, inner, outer)}"
    integer = Expressions(rng, outer).of("int", 1)
    names = rng.sample(_LIMITABLE, rng.randint(1, 2))
    made = {name: _KINDS[name] for name in names}
    listed = ", ".join(f"{own}.{name}" for name in names)
    match rng.randrange(11):
        case 0:
            names = rng.sample(tuple(_KINDS), rng.randint(1, 3))
            text = f"select {', '.join(f'{own}.{name}' for name in names)} {rows}"
            made = {name: _KINDS[name] for name in names}
        case 1:
            keys = ", ".join(f"{own}.{name}{rng.choice(('', ' desc'))} nulls {rng.choice(('first', 'last'))}" for name in names)
            first = rng.choice(("", "", f"abs({own}.s - ({integer})::bigint) nulls last, ", f"{own}.w nulls first, "))
            limit = f"limit {rng.choice((0, 1, 1, 2, 3))}{rng.choice(('', ' offset 1'))}"
            text = f"select {listed} {rows} order by {first}{keys} {limit}"
        case 2:
            text = f"select count(*) as n, max({own}.{names[0]}) as {names[0]}, sum({own}.k + ({integer})) as m {rows}"
            made = {"n": "int", names[0]: _KINDS[names[0]], "m": "int"}
        case 3:
            text = f"select {own}.{names[0]}, count(*) as n {rows} group by {own}.{names[0]}"
            made = {names[0]: _KINDS[names[0]], "n": "int"}
            if rng.random() < 0.3:
                text += f" having count(*) > {rng.choice(('1', f'({integer})'))}"
        case 4:
            operator = rng.choice(("union", "union all", "intersect", "except", "union all", "except all", "intersect all"))
            second = f"from {rng.choice(NAMES)} {own}{_where(rng, inner, outer)}"
            text = f"select {listed} {rows} {operator} select {listed} {second}"
        case 5:
            text = f"select {own}.k, row_number() over (partition by {own}.k order by {own}.j) as n {rows}"
            made = {"k": "int", "n": "int"}
        case 6:
            text = f"select distinct {listed} {rows}"
        case 7:
            column = rng.choice(outer)
            return f"(values ({column.text}, ({integer})::bigint), ({column.text}, 7)) {alias}(x, n)", {
                "x": column.kind,
                "n": "int",
            }
        case 8:
            text = f"select {integer} as n, {Expressions(rng, outer).of('text', 1)} as t"
            made = {"n": "int", "t": "text"}
        case 9 if depth > 1:
            other, more = lateral_rows(rng, [*outer, *inner], f"{alias}n", depth - 1)
            text = f"select {own}.k, {', '.join(f'{alias}n.{name} as q{number}' for number, name in enumerate(more))}"
            text += f" from {rng.choice(NAMES)} {own}, lateral {other}{_where(rng, inner, outer)}"
            made = {"k": "int"} | {f"q{number}": kind for number, kind in enumerate(more.values())}
        case _:
            text = f"select unnest([({integer})::bigint, 3, null]) as n"
            made = {"n": "int"}
            if rng.random() < 0.5:
                text = f"select {own}.n from generate_series(1, abs(({integer})::bigint) % 5) {own}(n)"
    return f"({text}) {alias}", made


def _where(rng: random.Random, inner: list[Column], outer: list[Column]) -> str:
    parts = []
    for _ in range(rng.choice((0, 1, 1, 1, 2))):
        theirs = rng.choice(outer)
        mine = rng.choice([column for column in inner if column.kind == theirs.kind])
        parts.append(f"{mine.text} {rng.choice(('=', '=', '=', 'is not distinct from', '<', '>=', '<>'))} {theirs.text}")
    if rng.random() < 0.3:
        parts.append(Expressions(rng, [*inner, *outer]).condition(1))
    return f" where {' and '.join(parts)}" if parts else ""
