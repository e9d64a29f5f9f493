"""Random queries of nested correlated subqueries, LATERAL, DISTINCT ON and joins of every kind, over the tables of `tables`."""

from __future__ import annotations

import random
from collections.abc import Sequence

from tests.random.tables import NAMES

NUMBERS = ("k", "s", "d", "y")
TEXTS = ("t", "u")
COMPARISONS = ("=", "=", "<", "<=", ">", ">=", "<>")
AGGREGATES = ("count(*)", "count({})", "sum({})", "min({})", "max({})", "count(distinct {})")
MOST_DEEP = 3


class SubqueryGenerator:
    """Makes one query. Every choice comes from `rng`."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._aliases = 0

    def query(self) -> str:
        """A whole query; one with ORDER BY is ordered by all of its columns."""
        columns, rest = self._select()
        word = "select distinct" if columns[0].startswith("distinct on") else "select"
        named = ", ".join(f"{column} as c{place}" for place, column in enumerate(columns))
        return f"{word} {named.removeprefix('distinct ')} {rest}"

    def _select(self) -> tuple[list[str], str]:
        """The select list, and what follows it."""
        rng = self._rng
        tables, aliases = self._tables()
        where = self._where(aliases, (), 0)
        form = rng.random()
        if form < 0.2:
            group = self._number(aliases)
            having = f" having {self._compared(f'max({self._number(aliases)})', self._scalar(aliases, 1))}"
            inner = [self._owned(aliases)] if rng.random() < 0.3 else []
            kept = having if rng.random() < 0.5 else ""
            return [group, self._aggregate(aliases), *inner], f"from {tables}{where} group by {group}{kept}"
        if form < 0.3:
            on, other = self._number(aliases), self._number(aliases)
            return [f"distinct on ({on}) {on}", other], f"from {tables}{where} order by {on}, {other}"
        items = [self._item(aliases) for _ in range(rng.randint(1, 3))]
        if form < 0.4:
            return [self._aggregate(aliases), f"sum({self._scalar(aliases, 1)})"], f"from {tables}{where}"
        numbers = ", ".join(str(place + 1) for place in range(len(items)))
        order = f" order by {numbers}" if rng.random() < 0.2 else ""
        return items, f"from {tables}{where}{order}"

    def _tables(self) -> tuple[str, list[str]]:
        """FROM, and the names that the query may read."""
        rng = self._rng
        first = self._alias()
        text, aliases = f"{rng.choice(NAMES)} {first}", [first]
        for _ in range(rng.choice((0, 0, 1, 1, 2))):
            kind = rng.choice(
                ("join", "left join", "right join", "full join", "semi join", "anti join", "lateral", "left lateral")
            )
            other = self._alias()
            if kind.endswith("lateral"):
                inner = self._rows(aliases, 1, ("k", "s"))
                text += (
                    f" left join lateral ({inner}) {other} on true"
                    if kind[0] == "l" and " " in kind
                    else f", lateral ({inner}) {other}"
                )
                aliases.append(f"{other}:ks")
                if kind == "lateral":
                    break
                continue
            names = rng.choice(("on", "on", "on", "using (k)", "using (k, t)"))
            condition = names if names != "on" else f"on {self._condition(aliases, other)}"
            text += f" {kind} {rng.choice(NAMES)} {other} {condition}"
            if kind not in ("semi join", "anti join"):
                aliases.append(other)
        return text, aliases

    def _condition(self, aliases: Sequence[str], other: str) -> str:
        """What joins: an equality, a range, several of them, some with a filter of one side."""
        rng = self._rng
        mine, theirs = self._number(aliases), f"{other}.{rng.choice(NUMBERS)}"
        parts = []
        if rng.random() < 0.7:
            parts.append(f"{self._number(aliases)} = {other}.{rng.choice(NUMBERS)}")
        if not parts or rng.random() < 0.4:
            low = f"{mine} between {theirs} and {theirs} + {rng.randint(0, 3)}"
            parts.append(
                rng.choice((low, f"{mine} < {theirs}", f"{mine} >= {theirs}", f"{theirs} between {mine} and {mine} + 2"))
            )
        if rng.random() < 0.2:
            parts.append(f"{other}.{rng.choice(NUMBERS)} is not null")
        return " and ".join(parts)

    def _item(self, aliases: Sequence[str]) -> str:
        rng = self._rng
        match rng.randrange(6):
            case 0 | 1:
                return self._scalar(aliases, 1)
            case 2:
                return f"({self._predicate(aliases, (), 0)})"
            case 3:
                condition = self._predicate(aliases, (), 1)
                return f"case when {condition} then {self._number(aliases)} else {self._scalar(aliases, 2)} end"
            case 4:
                return f"coalesce({self._scalar(aliases, 1)}, {self._number(aliases)})"
            case _:
                return self._number(aliases)

    def _owned(self, aliases: Sequence[str]) -> str:
        """A subquery with an aggregate of the query around it."""
        return f"(select max(z.k) from {self._rng.choice(NAMES)} z where z.s < max({self._number(aliases)}))"

    def _where(self, aliases: Sequence[str], outer: Sequence[str], depth: int) -> str:
        count = self._rng.choice((0, 1, 1, 2))
        if count == 0:
            return ""
        joined = self._rng.choice((" and ", " and ", " or ")).join(self._predicate(aliases, outer, depth) for _ in range(count))
        return f" where {joined}"

    def _predicate(self, aliases: Sequence[str], outer: Sequence[str], depth: int) -> str:
        rng = self._rng
        every = [*aliases, *outer]
        if depth >= MOST_DEEP or rng.random() < 0.4 + 0.2 * depth:
            return self._plain(aliases, every)
        negation = rng.choice(("", "not "))
        match rng.randrange(6):
            case 0 | 1:
                return f"{negation}exists ({self._rows(every, depth + 1, ('k',))})"
            case 2:
                return f"{self._number(every)} {negation}in ({self._rows(every, depth + 1, (rng.choice(NUMBERS),))})"
            case 3:
                quantifier = rng.choice(("any", "all"))
                return f"{self._number(every)} {rng.choice(COMPARISONS)} {quantifier} ({self._rows(every, depth + 1, ('s',))})"
            case 4:
                return self._compared(self._number(every), self._scalar(every, depth + 1))
            case _:
                left, right = (f"(coalesce({self._number(every)}, 0), coalesce({self._number(every)}, 1))" for _ in range(2))
                return f"{left} {rng.choice(COMPARISONS)} {right}"

    def _plain(self, aliases: Sequence[str], every: Sequence[str]) -> str:
        rng = self._rng
        match rng.randrange(5):
            case 0:
                return f"{self._number(aliases)} is {rng.choice(('', 'not '))}null"
            case 1:
                return f"{self._number(aliases)} is not distinct from {self._number(every)}"
            case 2:
                return self._compared(self._number(aliases), str(rng.randint(0, 9)))
            case _:
                return self._compared(self._number(aliases), self._number(every))

    def _compared(self, left: str, right: str) -> str:
        return f"{left} {self._rng.choice(COMPARISONS)} {right}"

    def _scalar(self, outer: Sequence[str], depth: int) -> str:
        """A subquery of one row: an aggregate, or the first row in an order of all that it gives."""
        rng = self._rng
        if rng.random() < 0.7:
            own = self._alias()
            where = self._where([own], outer, depth)
            argument = self._number([own, own, *outer])
            inner = rng.choice(AGGREGATES).format(argument if argument.split(".")[0] == own else f"{own}.k + {argument}")
            return f"(select {inner} from {rng.choice(NAMES)} {own}{where})"
        column = rng.choice(NUMBERS)
        inner = self._rows(outer, depth, (column,))
        return f"(select {column} from ({inner}) q order by {column} {rng.choice(('', 'desc '))}nulls last limit 1)"

    def _rows(self, outer: Sequence[str], depth: int, columns: Sequence[str]) -> str:
        """A subquery of many rows with these columns."""
        rng = self._rng
        own = self._alias()
        where = self._where([own], outer, depth)
        items = ", ".join(f"{own}.{c}" for c in columns)
        text = f"select {items} from {rng.choice(NAMES)} {own}{where}"
        form = rng.random()
        if form < 0.1:
            return f"select distinct {text[len('select ') :]}"
        if form < 0.2:
            word = rng.choice(("union", "union all", "intersect", "except"))
            return f"{text} {word} {self._rows(outer, MOST_DEEP, columns)}"
        if form < 0.3:
            keys = ", ".join(f"{own}.{c}" for c in columns)
            return f"{text} order by {', '.join(f'{part} nulls last' for part in keys.split(', '))} limit {rng.randint(1, 3)}"
        if form < 0.4 and len(columns) == 1:
            return f"select max({own}.{columns[0]}) as {columns[0]} from {rng.choice(NAMES)} {own}{where} group by {own}.s"
        return text

    def _number(self, aliases: Sequence[str]) -> str:
        rng = self._rng
        name = rng.choice(list(aliases))
        alias, _, only = name.partition(":")
        return f"{alias}.{rng.choice(only or NUMBERS)}"

    def _aggregate(self, aliases: Sequence[str]) -> str:
        return self._rng.choice(AGGREGATES).format(self._number(aliases))

    def _alias(self) -> str:
        self._aliases += 1
        return f"x{self._aliases}"
