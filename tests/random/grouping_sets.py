"""Random GROUPING SETS, ROLLUP and CUBE, several in one GROUP BY, over a table of `tables` or a join of two."""

from __future__ import annotations

import random

from tests.compare import Order
from tests.random.harness import Query
from tests.random.tables import NAMES

KEYS = (
    "a.k",
    "a.j",
    "a.s",
    "a.t",
    "a.u",
    "a.b",
    "a.day",
    "a.d",
    "a.f",
    "a.k % 2",
    "coalesce(a.t, 'a')",
    "(a.k is null)",
    "'x'",
)
AGGREGATES = (
    *("count(*)", "count(a.k)", "sum(a.d)", "sum(a.k)", "min(a.t)", "max(a.day)", "avg(a.k)", "bool_or(a.b)", "max(a.u)"),
    *("count(*) filter (where a.k is null)", "sum(coalesce(a.k, 1))", "count(coalesce(a.t, 'x'))", "count(*) + sum(a.s)"),
)
DEAR = (
    *("count(distinct a.t)", "sum(distinct a.k)", "count(distinct a.k)", "stddev_samp(a.s)", "var_pop(a.k)"),
    *("covar_samp(a.k, a.s)", "arg_max(a.k, a.k)", "bit_xor(a.k)"),
)


def random_grouping_sets(rng: random.Random) -> Query:
    """A query whose rows, and their order where it says one, are determined."""
    return _Generator(rng).query()


class _Generator:
    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._keys = rng.sample(KEYS, rng.randint(1, 4))

    def query(self) -> Query:
        rng = self._rng
        groups = ", ".join(self._part() for _ in range(rng.choice((1, 1, 1, 2, 2, 3))))
        used = [key for key in self._keys if key in groups] or None
        items = self._items(used or [])
        listed = ", ".join(f"{item} as c{number}" for number, item in enumerate(items))
        having = f" having {self._having(used)}" if used and rng.random() < 0.3 else ""
        body = f"select {listed} from {self._rows()} group by {groups}{having}"
        if rng.random() < 0.2:
            body = f"select * from ({body}) as q where c0 is {rng.choice(('null', 'not null'))}"
        inexact = "samp" in body or "pop" in body  # sums of floats differ in the last digit, and so would their order
        if inexact or rng.random() < 0.5:
            return Query(body)
        return Query(f"{body} order by {self._order(len(items))}", Order.COUNTS)

    def _rows(self) -> str:
        rng = self._rng
        rows = f"{rng.choice(NAMES)} as a"
        if rng.random() < 0.2:
            rows += f" {rng.choice(('join', 'left join', 'full join'))} {rng.choice(NAMES)} as z on a.k = z.k"
        conditions = ("a.k > 1", "a.k > 1000", "a.t < 'c'", "a.k in (select k from t1)", "a.d is not null")
        return f"{rows} where {rng.choice(conditions)}" if rng.random() < 0.4 else rows

    def _part(self) -> str:
        rng = self._rng
        match rng.randrange(8):
            case 0 | 1 | 2:
                return f"rollup ({self._listed()})"
            case 3 | 4:
                return f"cube ({self._listed(most=3)})"
            case 5 | 6:
                sets = ["()" if rng.random() < 0.25 else self._set() for _ in range(rng.randint(1, 4))]
                return f"grouping sets ({', '.join(sets)})"
            case _:
                return rng.choice(self._keys)

    def _listed(self, most: int = 4) -> str:
        rng = self._rng
        keys = rng.sample(self._keys, rng.randint(1, min(most, len(self._keys))))
        return ", ".join(f"({key}, {rng.choice(self._keys)})" if rng.random() < 0.15 else key for key in keys)

    def _set(self) -> str:
        rng = self._rng
        if rng.random() < 0.2:
            return f"{rng.choice(('rollup', 'cube'))} ({self._listed(most=2)})"
        return f"({', '.join(rng.sample(self._keys, rng.randint(1, len(self._keys))))})"

    def _items(self, used: list[str]) -> list[str]:
        rng = self._rng
        keys = rng.sample(used, rng.randint(0, len(used)))
        made = [f"grouping({', '.join(rng.sample(used, rng.randint(1, len(used))))})" for _ in range(2)] if used else []
        aggregates = rng.sample(AGGREGATES, rng.randint(1, 3))
        if rng.random() < 0.35:
            aggregates += rng.sample(DEAR, rng.randint(1, 2))
        items = [*keys, *rng.sample(made, rng.randint(0, len(made))), *aggregates]
        rng.shuffle(items)
        return items

    def _having(self, used: list[str]) -> str:
        key = self._rng.choice(used)
        return self._rng.choice(
            (
                "count(*) > 1",
                f"grouping({key}) = 0",
                f"{key} is null",
                f"{key} is not null or grouping({key}) = 1",
                "max(a.k) > 2",
            )
        )

    def _order(self, count: int) -> str:
        """By every column, so that the order is determined."""
        rng = self._rng
        if rng.random() < 0.3:
            return f"all{rng.choice(('', ' desc', ' nulls first'))}"
        numbers = rng.sample(range(1, count + 1), count)
        return ", ".join(f"{n}{rng.choice(('', ' desc'))}{rng.choice(('', ' nulls first', ' nulls last'))}" for n in numbers)
