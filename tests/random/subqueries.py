"""Random queries with subqueries in every place that SQL has for them, LATERAL, DISTINCT ON, set operations, and joins of every
kind, over the tables of `tables`."""

from __future__ import annotations

import random
from collections.abc import Sequence

from tests.compare import Order
from tests.random.harness import Query
from tests.random.subquery_rows import AGGREGATES, NUMBERS, SubqueryRows

_OPERATORS = (
    *("union", "union all", "union by name", "union all by name"),
    *("except", "except all", "intersect", "intersect all"),
)


def random_subquery(rng: random.Random) -> Query:
    """A query whose rows, and their order where it says one, are determined."""
    return _Subqueries(rng).query()


class _Subqueries:
    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._rows = SubqueryRows(rng)

    def query(self) -> Query:
        rng = self._rng
        form = rng.random()
        if form < 0.12:
            count = rng.randint(1, 3)
            first, second = (self._selected(count, numbers=True)[0] for _ in range(2))
            return Query(f"{first} {rng.choice(_OPERATORS)} {second}")
        if form < 0.3:
            return Query(self._grouped())
        if form < 0.38:
            return Query(self._distinct_on())
        if form < 0.46:
            return Query(self._aggregated())
        if form < 0.54:
            return Query(self._windowed())
        count = rng.randint(1, 3)
        body, names = self._selected(count)
        if rng.random() < 0.7:
            return Query(body)
        numbers = ", ".join(str(place + 1) for place in range(count))
        first = f"{self._rows.scalar(names, 1)}{rng.choice(('', ' desc'))}, " if rng.random() < 0.5 else ""
        limit = rng.choice(("", "", " limit 3", " limit 5 offset 2"))
        return Query(f"{body} order by {first}{numbers}{limit}", Order.COUNTS)

    def _selected(self, count: int, numbers: bool = False) -> tuple[str, list[str]]:
        """Select list, FROM and WHERE, and the names that an order may read."""
        tables, names = self._tables()
        items = ", ".join(f"{self._item(names, numbers)} as c{place}" for place in range(count))
        return f"select {items} from {tables}{self._rows.where(names, (), 0)}", names

    def _grouped(self) -> str:
        rng = self._rng
        tables, names = self._tables()
        where = self._rows.where(names, (), 0)
        key = self._rows.number(names)
        of_key = [key.replace(".", ":")]
        items = [key, self._aggregate(names)]
        group = rng.choice((key, key, f"rollup ({key})", f"grouping sets (({key}), ())"))
        if rng.random() < 0.25:
            items[0] = group = self._rows.scalar(names, 1)
            of_key = []
        if rng.random() < 0.3:
            items.append(self._owned(names))
        if of_key and rng.random() < 0.3:
            items.append(self._rows.scalar(of_key, 1))
        having = ""
        if rng.random() < 0.6:
            left = f"{rng.choice(('max', 'min', 'count'))}({self._rows.number(names)})"
            having = " having " + rng.choice(
                (
                    self._rows.compared(left, self._rows.scalar(of_key, 1)),
                    f"{left} {rng.choice(('in', 'not in', '= any', '> all'))} ({self._rows.rows(of_key, 1, ('k',))})",
                    f"{rng.choice(('', 'not '))}exists ({self._rows.rows(of_key, 1, ('k',))})",
                )
            )
        listed = ", ".join(f"{item} as c{place}" for place, item in enumerate(items))
        return f"select {listed} from {tables}{where} group by {group}{having}"

    def _distinct_on(self) -> str:
        tables, names = self._tables()
        on, other = self._rows.number(names), self._rows.number(names)
        where = self._rows.where(names, (), 0)
        return f"select distinct on ({on}) {on} as c0, {other} as c1 from {tables}{where} order by {on}, {other}"

    def _aggregated(self) -> str:
        """Aggregates whose arguments, or filters, are subqueries."""
        rng = self._rng
        tables, names = self._tables()
        summed = f"{rng.choice(('sum', 'min', 'count', 'max'))}({self._rows.scalar(names, 1)})"
        if rng.random() < 0.4:
            summed = f"count(*) filter (where {self._rows.predicate(names, (), 0)})"
        return f"select {self._aggregate(names)} as c0, {summed} as c1 from {tables}{self._rows.where(names, (), 0)}"

    def _windowed(self) -> str:
        """Windows over subqueries, or kept by one."""
        rng = self._rng
        tables, names = self._tables()
        part = rng.choice((self._rows.number(names), f"({self._rows.predicate(names, (), 1)})"))
        value = rng.choice((self._rows.number(names), self._rows.scalar(names, 1)))
        call = f"{rng.choice(('sum', 'count', 'max'))}({value}) over (partition by {part})"
        ranked = f"rank() over (partition by {self._rows.number(names)} order by {self._rows.number(names)})"
        qualify = f" qualify {ranked} {rng.choice(('=', '<=', '>'))} {rng.choice(('1', '2'))}" if rng.random() < 0.3 else ""
        where = self._rows.where(names, (), 0)
        return f"select {self._rows.number(names)} as c0, {call} as c1, {ranked} as c2 from {tables}{where}{qualify}"

    def _tables(self) -> tuple[str, list[str]]:
        """FROM, and the names that the query may read."""
        rng, rows = self._rng, self._rows
        first = rows.alias()
        text, names = f"{rows.table()} {first}", [first]
        if rng.random() < 0.12:
            own = rows.alias()
            text = f"(select {own}.k, {rows.scalar([own], 1)} as s from {rows.table()} {own}{rows.where([own], (), 1)}) {first}"
            names = [f"{first}:ks"]
        kinds = ("join", "left join", "right join", "full join", "semi join", "anti join", "lateral", "left lateral")
        merged = ":" not in names[0]
        for _ in range(rng.choice((0, 0, 1, 1, 2))):
            kind, other = rng.choice(kinds), rows.alias()
            if kind.endswith("lateral"):
                inner = rows.rows(names, 1, ("k", "s"))
                left = kind == "left lateral"
                text += f" left join lateral ({inner}) {other} on true" if left else f", lateral ({inner}) {other}"
                names.append(f"{other}:ks")
                merged = False
                if kind == "lateral":
                    break
                continue
            using = merged and rng.random() < 0.4
            # A name that two tables have is ambiguous in USING unless they are merged by it.
            condition = rng.choice(("using (k)", "using (k, t)")) if using and len(names) == 1 else "using (k)" if using else ""
            if not condition:
                merged = merged and kind in ("semi join", "anti join")
                condition = f"on {self._condition(names, other, kind)}"
            text += f" {kind} {rows.table()} {other} {condition}"
            if kind not in ("semi join", "anti join"):
                names.append(other)
        return text, names

    def _condition(self, names: Sequence[str], other: str, kind: str) -> str:
        """What joins: an equality, a range, several of them, some with a filter of one side or a subquery of both."""
        rng = self._rng
        mine, theirs = self._rows.number(names), f"{other}.{rng.choice(NUMBERS)}"
        parts = []
        if rng.random() < 0.7:
            parts.append(f"{self._rows.number(names)} = {other}.{rng.choice(NUMBERS)}")
        if not parts or rng.random() < 0.4:
            low = f"{mine} between {theirs} and {theirs} + {rng.randint(0, 3)}"
            parts.append(
                rng.choice((low, f"{mine} < {theirs}", f"{mine} >= {theirs}", f"{theirs} between {mine} and {mine} + 2"))
            )
        if rng.random() < 0.2:
            parts.append(f"{other}.{rng.choice(NUMBERS)} is not null")
        if kind == "join" and rng.random() < 0.25:  # DuckDB has them in no other
            parts.append(self._rows.predicate([*names, other], (), 1))
        return " and ".join(parts)

    def _item(self, names: Sequence[str], number: bool) -> str:
        rng = self._rng
        match rng.randrange(6):
            case 0 | 1:
                return self._rows.scalar(names, 1)
            case 2 if not number:
                return f"({self._rows.predicate(names, (), 0)})"
            case 3:
                condition = self._rows.predicate(names, (), 1)
                return f"case when {condition} then {self._rows.number(names)} else {self._rows.scalar(names, 2)} end"
            case 4:
                return f"coalesce({self._rows.scalar(names, 1)}, {self._rows.number(names)})"
            case _:
                return self._rows.number(names)

    def _owned(self, names: Sequence[str]) -> str:
        """A subquery with an aggregate of the query around it."""
        return f"(select max(z.k) from {self._rows.table()} z where z.s < max({self._rows.number(names)}))"

    def _aggregate(self, names: Sequence[str]) -> str:
        return self._rng.choice(AGGREGATES).format(self._rows.number(names))
