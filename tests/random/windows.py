"""Random queries with window functions over one of the tables of `tables`, which here has a column `n` that numbers its rows.

What always holds: a function whose value depends on the order among peers gets an order that ends with `n`; one that takes
any of several values (mode, first, arg_min of equal keys) gets values or an order that leave no choice.
"""

from __future__ import annotations

import random

from tests.random.tables import COLUMNS, NAMES
from tests.random.window_frames import any_order_aggregate, exclusion, filtered, range_frame, rounded

_RANKS = ("rank()", "dense_rank()", "percent_rank()", "cume_dist()")
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
                order = ", ".join(part for part in (self._order(0), f"n{rng.choice(('', ' desc'))}") if part)
                number = f"row_number() over ({rng.choice(self._partitions)} order by {order})"
                return f"{body} qualify {rng.choice((self._rank(), number))} {rng.choice(('= 1', '<= 2', '> 1'))}"
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
        return rounded(self._window())

    def _window(self) -> str:
        rng = self._rng
        if rng.random() < 0.15:
            return self._rank()
        partition = rng.choice(self._partitions)
        if rng.random() < 0.2:
            order, frame = range_frame(rng)
            return f"{self._aggregate()} over ({partition} order by {order} {frame})"
        if rng.random() < 0.4:
            order = self._order(0)
            frame = rng.choice(("", "", self._range(), self._groups())) if order else ""
            order = f"order by {order}" if order else ""
            return f"{self._aggregate()} over ({partition} {order} {frame})"
        order = ", ".join(part for part in (self._order(0), f"n{rng.choice(('', ' desc'))}") if part)
        function = rng.choice((self._aggregate(), self._ordered_aggregate(), self._value(), self._value()))
        frame = rng.choice(("", self._rows(), self._rows(), self._range(), self._groups()))
        return f"{function} over ({partition} order by {order} {frame})"

    def _aggregate(self) -> str:
        """One that sees no order."""
        return filtered(self._rng, any_order_aggregate(self._rng))

    def _ordered_aggregate(self) -> str:
        """One whose value the order of the frame's rows decides."""
        rng, column = self._rng, self._rng.choice(_ANY)
        call = rng.choice(
            (
                f"first({column})",
                f"last({column})",
                f"any_value({column})",
                f"arg_min({column}, {rng.choice(('n', '-n'))})",
                f"arg_max_null({column}, {rng.choice(('n', '-n'))})",
                "string_agg(t, '-')",
                "string_agg(t, '' order by n desc)",
                "first(k order by n desc)",
            )
        )
        # DuckDB takes first and last for window functions, which have no FILTER.
        return call if call.startswith(("first", "last")) else filtered(rng, call)

    def _value(self) -> str:
        rng, column = self._rng, self._rng.choice(_ANY)
        shift = rng.choice(("", "", ", 0", ", 2", ", -1", ", 100", ", s", ", 1, k" if column in ("k", "j") else ", 3"))
        nulls = rng.choice(("", "", " ignore nulls", " respect nulls"))
        return rng.choice(
            (
                "row_number()",
                f"ntile({rng.choice(('1', '3', '7', '100', 'n + 1'))})",
                f"lag({column}{shift}{nulls})",
                f"lead({column}{shift}{nulls})",
                f"first_value({column}{nulls})",
                f"last_value({column}{nulls})",
                f"nth_value({column}, {rng.choice(('1', '2', '5', 'k'))}{nulls})",
                f"first_value({column} order by {rng.choice(('k, n desc', 't desc, n', 'f nulls first, n'))}{nulls})",
                f"last_value({column} order by {rng.choice(('b, n', 'day desc, n desc'))}{nulls})",
                f"nth_value({column}, 2 order by {rng.choice(('d, n', 't, n desc'))})",
            )
        )

    def _rows(self) -> str:
        start = self._rng.randrange(len(_BOUNDS) - 1)
        first, last = _BOUNDS[start], _BOUNDS[self._rng.randrange(max(1, start), len(_BOUNDS))]
        if self._rng.random() < 0.2:
            first, last = self._rng.choice((("n % 3 preceding", "2 following"), ("n % 5 - 2 preceding", "n % 4 + 2 following")))
        return f"rows between {first} and {last}{exclusion(self._rng)}"

    def _groups(self) -> str:
        rng = self._rng
        start = rng.randrange(len(_BOUNDS) - 1)
        first, last = _BOUNDS[start], _BOUNDS[rng.randrange(max(1, start), len(_BOUNDS))]
        if rng.random() < 0.2:
            first, last = rng.choice((("n % 3 preceding", "1 following"), ("1 preceding", "n % 4 following")))
        return f"groups between {first} and {last}{exclusion(rng)}"

    def _range(self) -> str:
        ends = ("current row", "unbounded following")
        start = self._rng.choice(("unbounded preceding", "current row"))
        return f"range between {start} and {self._rng.choice(ends)}{exclusion(self._rng)}"
