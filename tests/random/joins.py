"""Random trees of joins: USING and NATURAL with chains of merged columns, ranges, FULL, SEMI and ANTI, subqueries in ON,
LATERAL of every form, parentheses, over tables, VALUES, series, groups and unions.

Handed a random generator; hands on a query over the tables of `tables` whose rows, and their order where it says one, are
determined.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from tests.compare import Order
from tests.random.expressions import Column, Expressions
from tests.random.harness import Query
from tests.random.laterals import lateral_rows
from tests.random.tables import COLUMNS, NAMES

_KINDS = {name: kind for name, (kind, _type) in COLUMNS.items()}
_KEYS = ("k", "s", "y", "j", "w", "d", "f", "t", "u", "b", "day", "moment", "z", "clock", "raw")
_COMPARABLE = {"int": "number", "decimal": "number", "float": "number", "date": "instant", "timestamp": "instant"}
_JOINS = ("join", "join", "left join", "right join", "full join", "semi join", "anti join")


def random_join(rng: random.Random) -> Query:
    """One query."""
    return _Joins(rng).query()


@dataclass(frozen=True, slots=True)
class _Source:
    """Part of FROM: its columns as expressions may name them, and the names that USING may ask of it."""

    text: str
    columns: list[Column]
    names: dict[str, str]
    """Name -> kind, of the names that stand for one column."""
    doubled: frozenset[str] = frozenset()
    """Names that stand for several."""


class _Joins:
    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._aliases = 0

    def query(self) -> Query:
        rng = self._rng
        source = self._tree(rng.choice((1, 1, 2, 2, 3)), whole=True)
        columns = source.columns
        where = f" where {self._expressions(columns, 0.3).condition(2)}" if rng.random() < 0.45 else ""
        tail = f" from {source.text}{where}"
        form = rng.random()
        if form < 0.2:
            return Query(f"select *{self._changed(source)}{tail}")
        if form < 0.4:
            return Query(self._grouped(columns, tail))
        if form < 0.45:
            return Query(f"select count(*) as n{tail}")
        expressions = self._expressions(columns, 0.15)
        items = [expressions.any(2)[0] if rng.random() < 0.4 else rng.choice(columns).text for _ in range(rng.randint(1, 4))]
        listed = ", ".join(f"{item} as o{number}" for number, item in enumerate(items))
        body = f"select {rng.choice(('', '', '', 'distinct '))}{listed}{tail}"
        if rng.random() < 0.6:
            return Query(body)
        numbers = rng.sample(range(1, len(items) + 1), len(items))
        keys = ", ".join(f"{n}{rng.choice(('', ' desc'))}{rng.choice(('', ' nulls first', ' nulls last'))}" for n in numbers)
        limit = rng.choice(("", "", " limit 1", " limit 7", " limit 5 offset 3", " limit 0"))
        return Query(f"{body} order by {keys}{limit}", Order.COUNTS)

    def _changed(self, source: _Source) -> str:
        """EXCLUDE or REPLACE of names that stand for one column."""
        rng = self._rng
        once = sorted(source.names)
        if not once or rng.random() < 0.6:
            return ""
        name = rng.choice(once)
        if rng.random() < 0.5:
            return f" exclude ({name})" if len(source.columns) > 1 else ""
        return f" replace ({name} is null as {name})"

    def _grouped(self, columns: list[Column], tail: str) -> str:
        rng = self._rng
        keys = [column.text for column in rng.sample(columns, min(len(columns), rng.choice((0, 1, 1, 2))))]
        some = rng.choice(columns).text
        calls = ["count(*)", f"count({some})", f"count(distinct {some})", f"min({some})", f"max({rng.choice(columns).text})"]
        numbers = [column.text for column in columns if column.kind in ("int", "decimal")]
        calls += [f"sum({number})" for number in numbers[:2]]
        chosen = rng.sample(calls, rng.randint(1, 3))
        listed = ", ".join(f"{item} as o{number}" for number, item in enumerate([*keys, *chosen]))
        group = f" group by {', '.join(keys)}" if keys else ""
        having = f" having count(*) > {rng.choice((0, 1, 3))}" if rng.random() < 0.3 else ""
        return f"select {listed}{tail}{group}{having}"

    def _tree(self, joins: int, whole: bool = False) -> _Source:
        source = self._relation()
        while joins > 0:
            if self._rng.random() < 0.22:
                source = self._laterally(source, whole and joins == 1)
            else:
                size = self._rng.randint(1, joins) if self._rng.random() < 0.2 else 1
                other = self._relation() if size == 1 else self._parenthesised(size - 1)
                joins -= size - 1
                source = self._joined(source, other)
            joins -= 1
        return source

    def _parenthesised(self, joins: int) -> _Source:
        inner = self._tree(joins)
        return _Source(f"({inner.text})" if joins else inner.text, inner.columns, inner.names, inner.doubled)

    def _joined(self, left: _Source, right: _Source) -> _Source:
        rng = self._rng
        how = rng.choice(_JOINS)
        shared = sorted(name for name in left.names if right.names.get(name) == left.names[name])
        names, doubled = _met(left, right)
        if shared and rng.random() < 0.45:
            natural = set(shared) == {*left.names, *left.doubled} & {*right.names, *right.doubled} and rng.random() < 0.45
            keys = shared if natural else rng.sample(shared, min(len(shared), rng.choice((1, 1, 2))))
            names, doubled = names | {key: left.names[key] for key in keys}, doubled - {*keys}
            text = (
                f"{left.text} natural {how} {right.text}"
                if natural
                else f"{left.text} {how} {right.text} using ({', '.join(keys)})"
            )
            merged = [Column(key, left.names[key]) for key in keys]
            if how in ("semi join", "anti join"):
                return _Source(text, left.columns, left.names, left.doubled)
            kept = [c for c in [*left.columns, *right.columns] if "." in c.text or c.text not in {*keys, *doubled}]
            return _Source(text, [*merged, *kept], names, doubled)
        if rng.random() < 0.06:
            columns = [c for c in [*left.columns, *right.columns] if "." in c.text or c.text not in doubled]
            return _Source(f"{left.text} cross join {right.text}", columns, names, doubled)
        sides = [[c for c in side.columns if "." in c.text or c.text not in doubled] for side in (left, right)]
        text = f"{left.text} {how} {right.text} on {self._on(sides[0], sides[1], how)}"
        if how in ("semi join", "anti join"):
            return _Source(text, left.columns, left.names, left.doubled)
        columns = [c for c in [*left.columns, *right.columns] if "." in c.text or c.text not in doubled]
        return _Source(text, columns, names, doubled)

    def _laterally(self, left: _Source, last: bool) -> _Source:
        """With LATERAL rows; by a comma only as the last of all, since JOIN binds closer."""
        rng, alias = self._rng, self._alias()
        rows, made = lateral_rows(rng, left.columns, alias, 2)
        columns = [Column(f"{alias}.{name}", kind) for name, kind in made.items()]
        names, doubled = _met(left, _Source("", columns, made))
        both = [*(c for c in left.columns if "." in c.text or c.text not in made), *columns]
        how = rng.choice(("cross join lateral", "join lateral", "left join lateral", "left join lateral"))
        on = ""
        if last and rng.random() < 0.4:
            how = ", lateral"
        elif how == "join lateral":
            on = " on true" if rng.random() < 0.6 else f" on {Expressions(rng, both).condition(1)}"
        elif how == "left join lateral":  # whose ON may only compare both sides in DuckDB
            pairs = [(a, b) for a in left.columns for b in columns if _family(a.kind) == _family(b.kind)]
            on = " on true" if not pairs or rng.random() < 0.6 else f" on {rng.choice((self._equal, self._range))(pairs)}"
        return _Source(f"{left.text}{'' if how[0] == ',' else ' '}{how} {rows}{on}", both, names, doubled)

    def _on(self, left: list[Column], right: list[Column], how: str) -> str:
        rng = self._rng
        pairs = [(a, b) for a in left for b in right if _family(a.kind) == _family(b.kind)]
        form = rng.random()
        both = [*left, *right]
        if not pairs or form < 0.04:
            return rng.choice(("true", "false", "null", "1 = 1"))
        if form < 0.55:
            parts = [self._equal(pairs) for _ in range(rng.choice((1, 1, 2)))]
        elif form < 0.75:
            parts = [self._range(pairs) for _ in range(rng.choice((1, 1, 2)))]
        elif form < 0.85:
            parts = [f"({self._equal(pairs)} or {rng.choice((self._equal(pairs), Expressions(rng, both).condition(1)))})"]
        else:
            parts = [self._equal(pairs), self._range(pairs)]
        if rng.random() < 0.2:
            parts.append(Expressions(rng, rng.choice((left, right, both))).condition(1))
        if rng.random() < (0.3 if how == "join" else 0):  # the only join for which DuckDB has them
            parts.append(self._asking(both))
        rng.shuffle(parts)
        return " and ".join(parts)

    def _equal(self, pairs: list[tuple[Column, Column]]) -> str:
        rng = self._rng
        a, b = (
            rng.choice([pair for pair in pairs if pair[0].kind == pair[1].kind] or pairs)
            if rng.random() < 0.7
            else rng.choice(pairs)
        )
        left, right = a.text, b.text
        if a.kind == b.kind == "int" and rng.random() < 0.2:
            left, right = f"{left} % 3", f"abs({right}::bigint)"
        elif a.kind == b.kind == "text" and rng.random() < 0.2:
            left = f"lower({left})"
        if rng.random() < 0.5:
            left, right = right, left
        return f"{left} {rng.choice(('=', '=', '=', '=', 'is not distinct from'))} {right}"

    def _range(self, pairs: list[tuple[Column, Column]]) -> str:
        rng = self._rng
        a, b = rng.choice(pairs)
        if rng.random() < 0.5 and a.kind in ("int", "decimal", "float"):
            low, high = rng.choice(((0, 2), (-1, 1), (-3, 0)))
            return f"{a.text} between {b.text}::double + {low} and {b.text}::double + {high}"
        return f"{a.text} {rng.choice(('<', '<=', '>', '>=', '<>', 'is distinct from'))} {b.text}"

    def _expressions(self, columns: list[Column], share: float) -> Expressions:
        return Expressions(self._rng, columns, self._asking if self._rng.random() < share else None)

    def _asking(self, outer: list[Column]) -> str:
        """A condition with a subquery, correlated by columns of any kind."""
        rng, alias = self._rng, self._alias()
        inner = [Column(f"{alias}.{name}", kind) for name, kind in _KINDS.items()]
        mine = rng.choice(outer)
        same = [column for column in inner if column.kind == mine.kind]
        where = []
        if rng.random() < 0.6:
            other = rng.choice(outer)
            theirs = rng.choice([column for column in inner if column.kind == other.kind])
            where.append(f"{theirs.text} {rng.choice(('=', '=', 'is not distinct from', '<', '<>'))} {other.text}")
        if rng.random() < 0.4:
            where.append(Expressions(rng, inner).condition(1))
        rows = f"from {rng.choice(NAMES)} {alias}" + (f" where {' and '.join(where)}" if where else "")
        item = rng.choice(same).text
        match rng.randrange(5):
            case 0 | 1:
                return f"({rng.choice(('', 'not '))}exists (select 1 {rows}))"
            case 2:
                return f"({mine.text} {rng.choice(('in', 'not in'))} (select {item} {rows}))"
            case 3:
                quantified = rng.choice(("= any", "< any", ">= any", "<> all", "> all", "<= all", "= all", "<> any"))
                return f"({mine.text} {quantified} (select {item} {rows}))"
            case _:
                call = rng.choice(("min", "max")) + f"({item})" if mine.kind != "bool" else f"bool_or({item})"
                return f"({mine.text} {rng.choice(('=', '<', '>=', '<>'))} (select {call} {rows}))"

    def _relation(self) -> _Source:
        """A table, whole or with few columns, or rows made otherwise."""
        rng, alias = self._rng, self._alias()
        form = rng.random()
        if form < 0.3:
            text, columns = f"{rng.choice(NAMES)} {alias}", _KINDS
        elif form < 0.68:
            columns = self._some()
            where = rng.choice(("", "", f" where {self._plain()}", " where false"))
            text = f"(select {', '.join(columns)} from {rng.choice(NAMES)}{where}) {alias}"
        elif form < 0.76:
            columns = {"k": "int", "t": "text", "d": "decimal"}
            cells = (("0", "1", "2", "null"), ("null", "'a'", "'Abc'"), ("-0.15", "1.50", "null"))
            rows = [f"({', '.join(rng.choice(options) for options in cells)})" for _ in range(rng.randint(1, 4))]
            text = f"(values (3, 'zz', 0.22), {', '.join(rows)}) {alias}(k, t, d)"
        elif form < 0.82:
            columns = {"k": "int"}
            text = f"{rng.choice(('range', 'generate_series'))}({rng.randint(-2, 3)}, {rng.randint(-2, 6)}) {alias}(k)"
        elif form < 0.92:
            key = rng.choice(_KEYS)
            columns = {key: _KINDS[key], "n": "int", "m": "int"}
            text = f"(select {key}, count(*) as n, max(j) as m from {rng.choice(NAMES)} group by {key}) {alias}"
        else:
            columns = self._some()
            turned = list(reversed(columns))
            operator = rng.choice(("union", "union all", "except", "intersect", "except all", "intersect all"))
            second = columns
            if operator.startswith("union") and rng.random() < 0.5:
                operator, second = f"{operator} by name", turned
            parts = [f"select {', '.join(names)} from {rng.choice(NAMES)}" for names in (columns, second)]
            text = f"({parts[0]} {operator} {parts[1]}) {alias}"
        return _Source(text, [Column(f"{alias}.{name}", kind) for name, kind in columns.items()], dict(columns))

    def _some(self) -> dict[str, str]:
        names = self._rng.sample(_KEYS, self._rng.randint(1, 4))
        if self._rng.random() < 0.6:
            names = [*dict.fromkeys(("k", *names))]
        return {name: _KINDS[name] for name in names}

    def _plain(self) -> str:
        return Expressions(self._rng, [Column(name, kind) for name, kind in _KINDS.items()]).condition(1)

    def _alias(self) -> str:
        self._aliases += 1
        return f"r{self._aliases}"


def _met(left: _Source, right: _Source) -> tuple[dict[str, str], frozenset[str]]:
    """The names of two sides that stand for one column, and those that stand for several."""
    doubled = {*left.doubled, *right.doubled, *({*left.names} & {*right.names})}
    return {name: kind for name, kind in {**left.names, **right.names}.items() if name not in doubled}, frozenset(doubled)


def _family(kind: str) -> str:
    """What kinds compare with each other."""
    return _COMPARABLE.get(kind, kind)
