"""Random queries with window functions over one of the tables of `tables`, which here has a column `n` that numbers its rows.

What always holds: a function whose value depends on the order among peers gets an order that ends with `n`.
"""

from __future__ import annotations

import random

from tests.random.tables import COLUMNS, NAMES

_RANKS = ("rank()", "dense_rank()", "percent_rank()", "cume_dist()")
_SUMMED = ("k", "j", "s", "y", "w", "d", "f", "g")
_ANY = tuple(COLUMNS)
_BOUNDS = (
    "unbounded preceding",
    "3 preceding",
    "1 preceding",
    "current row",
    "1 following",
    "4 following",
    "unbounded following",
)
_KEYS = ("k", "s", "d", "f", "t", "b", "day", "k % 3", "lower(t)", "coalesce(y, 0)", "moment", "clock")


def random_window_query(rng: random.Random) -> str:
    """A query whose rows, but not their order, are determined."""
    return _Windows(rng).query()


class _Windows:
    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._partitions = [self._partition() for _ in range(2)]

    def query(self) -> str:
        rng = self._rng
        if rng.random() < 0.2:
            return self._grouped()
        calls = [self._call() for _ in range(rng.randint(1, 4))]
        table = rng.choice(NAMES)
        source = (
            table if rng.random() < 0.7 else f"(select * from {table} where {rng.choice(('k > 1', 'b', 't is not null'))}) q"
        )
        named = ""
        if rng.random() < 0.2:
            # A frame over a window that is itself over another loses the first one's partition in DuckDB 1.5.5: v stands alone.
            named = (
                f" window base as ({self._partitions[0]}), w as (base order by n desc), v as ({self._partitions[1]} order by n)"
            )
            calls += ["sum(k) over (base)", "row_number() over w", "first_value(t) over (v rows 2 preceding)"]
        shown = ", ".join(["n", *(f"{call} as x{i}" for i, call in enumerate(calls))])
        body = f"select {shown} from {source}{named}"
        match rng.randrange(6):
            case 0:
                return f"{body} qualify {self._rank()} {rng.choice(('= 1', '<= 2', '> 1'))}"
            case 1:
                return f"{body} order by {self._call()}, n"
            case 2:
                key = rng.choice(("k", "t", "b"))
                inner = f"select {key}, n, {self._over('partition by ' + key)} as x from {source}"
                return f"select * from ({inner}) p where {key} is not null and x > 1"
            case _:
                return body

    def _grouped(self) -> str:
        key, rng = self._rng.choice(("k", "t", "day", "b")), self._rng
        having = " having count(*) > 1" if rng.random() < 0.3 else ""
        calls = [
            f"rank() over (order by sum(j) {rng.choice(('', 'desc', 'nulls first'))})",
            f"sum(sum(d)) over (order by {key} {rng.choice(('', 'desc', 'rows 1 preceding'))})",
            "count(*) * 100.0 / sum(count(*)) over ()",
            f"lag(max(t), {rng.randrange(3)}, 'none') over (order by {key})",
            "max(min(s)) over (partition by count(*) % 2)",
        ]
        shown = ", ".join(f"{call} as x{i}" for i, call in enumerate(rng.sample(calls, rng.randint(1, 3))))
        qualify = f" qualify row_number() over (order by {key}) < 5" if rng.random() < 0.3 else ""
        return f"select {key}, {shown} from {rng.choice(NAMES)} group by {key}{having}{qualify}"

    def _partition(self) -> str:
        keys = self._rng.sample(("k", "k % 2", "b", "t", "day", "f", "y", "d"), self._rng.choice((0, 1, 1, 1, 2)))
        return f"partition by {', '.join(keys)}" if keys else ""

    def _order(self, least: int) -> str:
        rng = self._rng
        keys = rng.sample(_KEYS, rng.choice((least, 1, 1, 2)))
        return ", ".join(
            f"{key}{rng.choice(('', '', ' desc'))}{rng.choice(('', '', ' nulls first', ' nulls last'))}" for key in keys
        )

    def _over(self, partition: str) -> str:
        return f"count(*) over ({partition} order by n)"

    def _rank(self) -> str:
        return f"{self._rng.choice(_RANKS)} over ({self._rng.choice(self._partitions)} order by {self._order(1)})"

    def _call(self) -> str:
        rng = self._rng
        if rng.random() < 0.2:
            return self._rank()
        if rng.random() < 0.4:
            order = self._order(0)
            frame = rng.choice(("", "", self._range())) if order else ""
            order = f"order by {order}" if order else ""
            return f"{self._aggregate()} over ({rng.choice(self._partitions)} {order} {frame})"
        order = ", ".join(part for part in (self._order(0), f"n{rng.choice(('', ' desc'))}") if part)
        function = self._aggregate() if rng.random() < 0.4 else self._value()
        frame = rng.choice(("", self._rows(), self._rows(), self._range()))
        return f"{function} over ({rng.choice(self._partitions)} order by {order} {frame})"

    def _aggregate(self) -> str:
        rng = self._rng
        return rng.choice(
            (
                "count(*)",
                f"count({rng.choice(_ANY)})",
                f"sum({rng.choice(_SUMMED)})",
                f"avg({rng.choice(_SUMMED)})",
                f"min({rng.choice(_ANY)})",
                f"max({rng.choice(_ANY)})",
                "sum(j * 1000000)",
                "bool_and(b)",
                "bool_or(b)",
            )
        )

    def _value(self) -> str:
        rng, column = self._rng, self._rng.choice(_ANY)
        shift = rng.choice(("", "", ", 0", ", 2", ", -1", ", 100", ", s", ", 1, k" if column in ("k", "j") else ", 3"))
        return rng.choice(
            (
                "row_number()",
                f"ntile({rng.choice(('1', '3', '7', '100', 'n + 1'))})",
                f"lag({column}{shift})",
                f"lead({column}{shift})",
                f"first_value({column})",
                f"last_value({column})",
                f"nth_value({column}, {rng.choice(('1', '2', '5', 'k'))})",
            )
        )

    def _rows(self) -> str:
        start = self._rng.randrange(len(_BOUNDS) - 1)
        first, last = _BOUNDS[start], _BOUNDS[self._rng.randrange(max(1, start), len(_BOUNDS))]
        return f"rows between {first} and {last}"

    def _range(self) -> str:
        ends = ("current row", "unbounded following")
        return f"range between {self._rng.choice(('unbounded preceding', 'current row'))} and {self._rng.choice(ends)}"
