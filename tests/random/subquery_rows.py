"""Random subqueries, nested and correlated: conditions that hold them, single values, and rows of every form.

Names that a subquery may read are given as `x1`, a whole table, or `x2:ks`, rows of which only columns `k` and `s` are known.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from tests.random.tables import NAMES

NUMBERS = ("k", "s", "d", "y")
COMPARISONS = ("=", "=", "<", "<=", ">", ">=", "<>")
AGGREGATES = ("count(*)", "count({})", "sum({})", "min({})", "max({})", "count(distinct {})")
MOST_DEEP = 3
_OTHERS = ("t", "u", "b", "f", "g", "j", "w", "day", "moment", "z", "clock", "raw")
"""Columns that are compared with themselves."""


class SubqueryRows:
    """Makes parts of a query. Every choice comes from `rng`."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._aliases = 0

    def where(self, aliases: Sequence[str], outer: Sequence[str], depth: int) -> str:
        """WHERE, or nothing, over rows of its own and those around."""
        count = self._rng.choice((0, 1, 1, 2))
        if count == 0:
            return ""
        joined = self._rng.choice((" and ", " and ", " or ")).join(self.predicate(aliases, outer, depth) for _ in range(count))
        return f" where {joined}"

    def predicate(self, aliases: Sequence[str], outer: Sequence[str], depth: int) -> str:
        """A condition, mostly with a subquery."""
        rng = self._rng
        every = [*aliases, *outer]
        if depth >= MOST_DEEP or rng.random() < 0.4 + 0.2 * depth:
            return self._plain(aliases, every)
        negation = rng.choice(("", "not "))
        match rng.randrange(8):
            case 0 | 1:
                return f"{negation}exists ({self._existing(every, depth + 1)})"
            case 2:
                return f"{self.number(every)} {negation}in ({self.rows(every, depth + 1, (rng.choice(NUMBERS),))})"
            case 3:
                quantifier = rng.choice(("any", "all"))
                return f"{self.number(every)} {rng.choice(COMPARISONS)} {quantifier} ({self.rows(every, depth + 1, ('s',))})"
            case 4:
                return self.compared(self.number(every), self.scalar(every, depth + 1))
            case 5:
                left, right = (f"(coalesce({self.number(every)}, 0), coalesce({self.number(every)}, 1))" for _ in range(2))
                return f"{left} {rng.choice(COMPARISONS)} {right}"
            case 6:
                # Without NULLs, DuckDB compares rows as structs, and without correlation, which it does not have there.
                own = self.alias()
                source = f"{self.table()} {own}{self.where([own], (), MOST_DEEP)}"
                rows = f"select coalesce({own}.k, 0), coalesce({own}.s, 1) from {source}"
                left = f"(coalesce({self.number(every)}, 0), coalesce({self.number(every)}, 1))"
                return f"{left} {negation}in ({rows})"
            case _:
                options = [self.scalar(every, depth + 1), str(rng.randint(0, 4)), self.number(every)]
                return f"{self.number(every)} {negation}in ({', '.join(rng.sample(options, rng.randint(2, 3)))})"

    def scalar(self, outer: Sequence[str], depth: int) -> str:
        """A subquery of one row: an aggregate, or the first row in an order of all that it gives."""
        rng = self._rng
        form = rng.random()
        if form < 0.6:
            own = self.alias()
            where = self.where([own], outer, depth)
            argument = self.number([own, own, *outer])
            inner = rng.choice(AGGREGATES).format(argument if argument.split(".")[0] == own else f"{own}.k + {argument}")
            if rng.random() < 0.15:
                inner += f" filter (where {self._plain([own], [own, *outer])})"
            return f"(select {inner} from {self.table()} {own}{where})"
        if form < 0.7 and depth < MOST_DEEP:
            own, other = self.alias(), self.alias()
            kind = rng.choice(("join", "left join", "semi join", "anti join"))
            on = f"{own}.{rng.choice(NUMBERS)} = {other}.{rng.choice(NUMBERS)}"
            joined = f"{self.table()} {own} {kind} {self.table()} {other} on {on}"
            mine = [own] if kind in ("semi join", "anti join") else [own, other]
            return f"(select {rng.choice(AGGREGATES).format(self.number(mine))} from {joined}{self.where(mine, outer, depth)})"
        column = rng.choice(NUMBERS)
        inner = self.rows(outer, depth, (column,))
        return f"(select {column} from ({inner}) q order by {column} {rng.choice(('', 'desc '))}nulls last limit 1)"

    def rows(self, outer: Sequence[str], depth: int, columns: Sequence[str]) -> str:
        """A subquery of many rows with these columns."""
        rng = self._rng
        own = self.alias()
        where = self.where([own], outer, depth)
        items = ", ".join(f"{own}.{c}" for c in columns)
        source = f"{self.table()} {own}{where}"
        text = f"select {items} from {source}"
        form = rng.random()
        if form < 0.1:
            return f"select distinct {items} from {source}"
        if form < 0.22:
            word = rng.choice(("union", "union all", "intersect", "except", "intersect all", "except all"))
            return f"{text} {word} {self.rows(outer, MOST_DEEP, columns)}"
        if form < 0.3:
            keys = ", ".join(f"{own}.{c} nulls last" for c in columns)
            return f"{text} order by {keys} limit {rng.randint(1, 3)}{rng.choice(('', '', ' offset 1'))}"
        if form < 0.4 and len(columns) == 1:
            sets = rng.choice((f"{own}.s", f"rollup ({own}.s)", f"cube ({own}.s, {own}.b)", f"grouping sets (({own}.y), ())"))
            having = rng.choice(
                ("", "", " having count(*) > 1", f" having max({own}.k) >= {self.number([own, *outer], outer)}")
            )
            return f"select max({own}.{columns[0]}) as {columns[0]} from {source} group by {sets}{having}"
        if form < 0.47:
            order = rng.choice(NUMBERS)
            ranked = (
                f"select {items}, rank() over (partition by {own}.{rng.choice(('b', 't', 's'))} order by {own}.{order}) as n"
            )
            return f"select {', '.join(columns)} from ({ranked} from {source}) ranked where n <= {rng.randint(1, 3)}"
        if form < 0.52:
            named = self.alias()
            where = self.where([f"{named}:{''.join(columns)}"], outer, depth + 1)
            inner = f"with {named} as (select {items} from {source}) select {', '.join(columns)} from {named}{where}"
            return f"select {', '.join(columns)} from ({inner}) w"
        return text

    def number(self, aliases: Sequence[str], first: Sequence[str] = ()) -> str:
        """A column of numbers, of those first if there are any."""
        rng = self._rng
        name = rng.choice(list(first) or list(aliases))
        alias, _, only = name.partition(":")
        return f"{alias}.{rng.choice(only or NUMBERS)}"

    def compared(self, left: str, right: str) -> str:
        """A comparison."""
        return f"{left} {self._rng.choice(COMPARISONS)} {right}"

    def table(self) -> str:
        """One of the tables."""
        return self._rng.choice(NAMES)

    def alias(self) -> str:
        """A name that no other table has."""
        self._aliases += 1
        return f"x{self._aliases}"

    def _existing(self, outer: Sequence[str], depth: int) -> str:
        rng = self._rng
        if rng.random() < 0.85:
            return self.rows(outer, depth, ("k",))
        own = self.alias()
        where = self.where([own], outer, depth)
        rows = f"from {self.table()} {own}{where}"
        return rng.choice(
            (
                f"select count(*) {rows}",
                f"select 1 {rows} having count(*) > 2",
                f"select * {rows} limit 0",
                f"select null {rows} offset 2",
            )
        )

    def _plain(self, aliases: Sequence[str], every: Sequence[str]) -> str:
        rng = self._rng
        match rng.randrange(7):
            case 0:
                return f"{self.number(aliases)} is {rng.choice(('', 'not '))}null"
            case 1:
                return f"{self.number(aliases)} is not distinct from {self.number(every)}"
            case 2:
                return self.compared(self.number(aliases), str(rng.randint(0, 9)))
            case 3 | 4:
                mine, theirs = ([name for name in names if ":" not in name] for names in (aliases, every))
                if mine:
                    column = rng.choice(_OTHERS)
                    comparison = rng.choice((*COMPARISONS, "is not distinct from", "is distinct from"))
                    return f"{rng.choice(mine)}.{column} {comparison} {rng.choice(theirs)}.{column}"
        return self.compared(self.number(aliases), self.number(every))
