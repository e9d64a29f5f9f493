"""Random tables of lists, and random queries over them: functions of lists, unnest, lists as keys, lists made of groups.

The same seed gives the same query. Whatever depends on an order that SQL leaves open is sorted.
"""

from __future__ import annotations

import random

import pyarrow as pa

_WORDS = ("", "a", "b", "ab", "a,b", "null", "x y", "é")
_SIZES = (0, 1, 5, 12, 30, 60)
_SELECTS = 3


def random_list_table(rng: random.Random) -> pa.Table:
    """Lists of numbers, texts and lists with NULLs and empty ones on every level, beside plain columns."""
    rows = rng.choice(_SIZES)
    nulls = rng.choice((0.0, 0.1, 0.4))

    def maybe(value: object) -> object:
        return None if rng.random() < nulls else value

    def numbers() -> list[object]:
        return [maybe(rng.randrange(-3, 4)) for _ in range(rng.choice((0, 1, 2, 3, 6)))]

    def column(make: object, kind: pa.DataType) -> pa.Array:
        return pa.array([maybe(make()) for _ in range(rows)], kind)  # type: ignore[operator]

    long, text = pa.int64(), pa.string()
    return pa.table(
        {
            "a": pa.array(range(rows), long),
            "g": column(lambda: rng.randrange(4), long),
            "k": column(lambda: rng.randrange(-3, 5), long),
            "xs": column(numbers, pa.list_(long)),
            "ys": column(numbers, pa.list_(long)),
            "ss": column(lambda: [maybe(rng.choice(_WORDS)) for _ in range(rng.randrange(4))], pa.list_(text)),
            "n": column(lambda: [maybe(numbers()) for _ in range(rng.randrange(3))], pa.list_(pa.list_(long))),
            "s": column(lambda: rng.choice(_WORDS), text),
        }
    )


class RandomListQuery:
    """Writes one query from a seed."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)

    def build(self) -> str:
        """A query of one of the kinds."""
        kinds = (self._plain, self._plain, self._unnested, self._lateral, self._keyed, self._collected, self._correlated)
        return self.rng.choice(kinds)()

    def _plain(self) -> str:
        parts = [self._any(3) for _ in range(_SELECTS)]
        where = f" where {self._truth(2)}" if self.rng.random() < 0.4 else ""
        return f"select a, {', '.join(parts)} from l{where}"

    def _unnested(self) -> str:
        lists = [f"unnest({self._numbers(2)})" for _ in range(self.rng.choice((1, 1, 2)))]
        if self.rng.random() < 0.3:
            lists.append("unnest(ss)")
        inner = f"select a, {', '.join(f'{part} as u{i}' for i, part in enumerate(lists))} from l"
        return self.rng.choice(
            (inner, f"select u0, count(*), sum(a) from ({inner}) group by u0", f"select distinct u0 from ({inner})")
        )

    def _lateral(self) -> str:
        source = self.rng.choice(
            (f"unnest({self._numbers(2)}) u(x)", "generate_series(k, a) u(x)", "unnest(n) v(m), unnest(m) u(x)")
        )
        join = self.rng.choice((",", "cross join", "left join")) if "," not in source else ","
        on = " on true" if join == "left join" else ""
        where = f" where {self.rng.choice(('x > 0', 'x is null', 'x = k', 'a % 2 = 0'))}" if self.rng.random() < 0.5 else ""
        shown = self.rng.choice(("a, x", "x, count(*), min(a)", "sum(x)"))
        group = " group by x" if shown.startswith("x,") else ""
        return f"select {shown} from l {join} {source}{on}{where}{group}".replace("l ,", "l,")

    def _keyed(self) -> str:
        key = self.rng.choice((self._numbers(1), "ss", "n"))
        return self.rng.choice(
            (
                f"select {key} as key, count(*), sum(a) from l group by 1",
                f"select distinct {key} as key from l",
                f"select a, row_number() over (order by {key}, a) from l",
                f"select a, rank() over (partition by g order by {key} desc) from l",
                f"select count(distinct {key}), max({key}), min({key}) from l",
                f"select p.a, q.a from l p join l q on p.{self._column()} = q.{self._column()}",
                "select p.a from l p where p.xs in (select ys from l)",
                f"select {self._column()} from l union select {self._column()} from l",
                f"select {self._column()} from l intersect select {self._column()} from l",
                f"select {self._column()} from l except select {self._column()} from l",
            )
        )

    def _collected(self) -> str:
        value = self.rng.choice(("k", "a", "xs", "s", self._number(1)))
        distinct = self.rng.random() < 0.2 and value in ("k", "a", "s")
        order = f"{value}" if distinct else self.rng.choice(("a", "a desc", "k desc nulls first, a", "k, a desc"))
        kept = f" filter (where {self._truth(1)})" if self.rng.random() < 0.3 else ""
        call = f"list({'distinct ' if distinct else ''}{value} order by {order}){kept}"
        quantiles = self.rng.choice(("quantile_cont(k, [0.25, 0.5, 1])", "quantile_disc(k, [0, 0.9])", "count(*)"))
        unsorted = "list_sort(list(k))"
        return f"select g, {call}, {quantiles}, {unsorted} from l group by {self.rng.choice(('g', 'rollup(g)'))}"

    def _correlated(self) -> str:
        lists = self._numbers(1)
        inner = self.rng.choice(("sum(x)", "count(*)", "max(x)", "list(x order by x)"))
        return self.rng.choice(
            (
                f"select a, (select {inner} from unnest({lists}) u(x)) from l",
                f"select a from l where exists (select 1 from unnest({lists}) u(x) where x > k)",
                f"select a from l where k in (select unnest({lists}))",
                f"select a, (select {inner} from unnest(xs) u(x) where x in (select y from unnest(ys) v(y))) from l",
            )
        )

    def _column(self) -> str:
        return self.rng.choice(("xs", "ys"))

    def _any(self, depth: int) -> str:
        return self.rng.choice((self._numbers, self._number, self._truth, self._texts, self._text))(depth)

    def _numbers(self, depth: int) -> str:
        if depth <= 0:
            return self.rng.choice(("xs", "ys", "[k, a]", "[]::bigint[]", "[1, 2, NULL]::bigint[]"))
        one = self._numbers(depth - 1)
        forms = (
            lambda: f"list_concat({one}, {self._numbers(depth - 1)})",
            lambda: f"({one} || {self._numbers(depth - 1)})",
            lambda: (
                f"list_sort({one}{self.rng.choice(('', ', $$DESC$$', ', $$ASC$$, $$NULLS FIRST$$')).replace('$$', chr(39))})"
            ),
            lambda: f"list_sort(list_distinct({one}))",
            lambda: f"list_reverse({one})",
            lambda: f"({one})[{self._number(0)}:{self._number(0)}]",
            lambda: f"({one})[{self.rng.randrange(-3, 4)}:]",
            lambda: f"list_append({one}, {self._number(depth - 1)})",
            lambda: f"list_prepend({self._number(depth - 1)}, {one})",
            lambda: f"range({self._number(0)})",
            lambda: f"coalesce({one}, xs)",
            lambda: f"case when {self._truth(depth - 1)} then {one} else ys end",
            lambda: "flatten(n)",
            lambda: one,
        )
        return self.rng.choice(forms)()

    def _number(self, depth: int) -> str:
        if depth <= 0:
            return self.rng.choice(("k", "a", "1", "-1", "2", "0"))
        one = self._numbers(depth - 1)
        forms = (f"({one})[{self._number(depth - 1)}]", f"len({one})", f"list_sum({one})::bigint", f"list_min({one})",
                 f"list_max({one})", f"list_position({one}, {self._number(depth - 1)})", f"list_count({one})",
                 f"list_unique({one})::bigint", f"list_first({one})", f"list_any_value({one})")  # fmt: skip
        return self.rng.choice(forms)

    def _truth(self, depth: int) -> str:
        one, other, number = self._numbers(depth - 1), self._numbers(depth - 1), self._number(depth - 1)
        sign = self.rng.choice(("=", "<>", "<", "<=", ">", ">="))
        forms = (f"list_contains({one}, {number})", f"{number} {sign} any({one})", f"{number} {sign} all({one})",
                 f"{one} {sign} {other}", f"{one} is distinct from {other}", f"list_has_any({one}, {other})",
                 f"list_has_all({one}, {other})", f"{one} is null", "ss = ['a', 'b']", "list_contains(ss, s)")  # fmt: skip
        return f"({self.rng.choice(forms)})"

    def _texts(self, depth: int) -> str:
        return self.rng.choice(
            ("ss", "list_sort(ss)", "list_append(ss, s)", "ss || ['q']", "string_split(s, ',')", "list_reverse(ss)[1:2]",
             f"({self._numbers(depth - 1)})::varchar[]", "ss::varchar::varchar[]", "n::varchar", "n[1]", "n[-1:]")
        )  # fmt: skip

    def _text(self, depth: int) -> str:
        return self.rng.choice(("ss[1]", "ss[-1]", "array_to_string(ss, '-')", "ss::varchar", "s[1:2]", "s[-1]",
                                f"({self._numbers(depth - 1)})::varchar", "list_max(ss)", "n::varchar"))  # fmt: skip
