"""Random groupings over every aggregate: a text for each engine. They differ where one gives exactly what the other estimates.

Handed a random generator; hands on queries over the tables of `tables` with a unique column `id` more. What always holds: the
rows of an answer are determined, and so is their order where the query says one.
"""

from __future__ import annotations

import random

from tests.compare import Order
from tests.random.harness import Query
from tests.random.tables import NAMES

KEYS = (
    *("k", "j", "s", "y", "w", "d", "f", "g", "t", "u", "b", "day", "moment", "z", "clock", "raw"),
    *("k % 3", "coalesce(t, '')", "(d > 0)", "upper(u)", "'x'", "month(day)"),
)
NUMBERS = ("k", "j", "s", "y", "w", "d", "g")
EXACT = ("k", "j", "s", "y", "w", "d")
TIMES = ("day", "moment", "clock")
ANY = (*NUMBERS, "f", "t", "u", "b", "z", "raw", *TIMES)
CONDITIONS = (
    "k > 1",
    "b",
    "t <> 'a'",
    "day is not null",
    "f > 0",
    "id % 2 = 0",
    "k is null",
    "false",
    "length(u) > 1 or s < 0",
    "k in (select k from t1)",
    "s > (select min(s) from t2)",
    "f = 'nan'",
)
FRACTIONS = ("0", "0.1", "0.25", "0.5", "0.9", "1", "0.333")


def random_grouping(rng: random.Random) -> Query:
    """One query."""
    keys = rng.sample(KEYS, rng.choice((0, 1, 1, 1, 2, 2, 3)))
    calls = [_filtered(rng, *_call(rng)) for _ in range(rng.choice((1, 2, 3, 4, 6)))]
    shown = [key for key in keys if key != "'x'" and rng.random() < 0.8]
    form = _form(rng, keys, shown)
    if form == " group by all":  # where DuckDB takes what HAVING reads for more keys
        keys = [key for key in shown if key.isidentifier()]
    having = f" having {_having(rng, keys)}" if rng.random() < 0.2 else ""
    source = _source(rng)
    sets = any(word in form for word in ("rollup", "cube", "sets"))
    over = [f"{rng.choice(_OVER)} over ({rng.choice(_OVER_WHAT)})" for _ in range(rng.choice((0, 0, 0, 1)))]
    if sets and over:
        over.append(f"sum(count(*)) over (partition by grouping({rng.choice(keys)}))")
    marks = [f"grouping({', '.join(rng.sample(keys, rng.randint(1, len(keys))))})" for _ in range(rng.choice((0, 1)) * sets)]
    texts = []
    for side in (0, 1):
        items = [*shown, *marks, *(call[side] for call in calls), *over]
        listed = ", ".join(f"{item} as c{number}" for number, item in enumerate(items))
        texts.append(f"select {listed} from {source}{form}{having}")
    ordered = rng.random() < 0.3 and not any(name in texts[0] for name in _INEXACT)
    order = f" order by all{rng.choice(('', ' desc', ' nulls first'))}" if ordered else ""
    theirs = None if texts[0] == texts[1] else texts[1] + order
    return Query(texts[0] + order, Order.COUNTS if ordered else Order.FREE, theirs)


_MADE = (
    "(select * from t1 union all select * replace (id + 1000 as id) from t2)",
    "(select t1.* from t1 semi join t2 using (k))",
    "(select a.* from t2 a left join t3 b on a.id = b.id)",
    "(select a.* replace (coalesce(a.k, b.j) as k, coalesce(a.id, b.id + 500) as id) from t0 a full join t1 b on a.id = b.id)",
    "(select * from t3 qualify row_number() over (partition by s order by id) <= 3)",
    "(select a.* from t0 a, lateral (select max(b.s) as most from t3 b where b.k = a.k) m where m.most > a.s)",
    "(select * from t2 where false)",
)
"""Rows made of the tables, with numbers that differ, or are all NULL."""
_INEXACT = (
    *("stddev", "var", "covar", "regr", "avg", "entropy", "product", "skewness", "kurtosis", "sem", "sum("),
    *("quantile_cont", "percentile_cont", "median", "mad"),
)
"""Aggregates whose last digits differ, and with them the order of the rows."""


_OVER = ("sum(count(*))", "rank()", "max(min(k))", "count(max(t))", "lag(max(s), 0)", "dense_rank()")
_OVER_WHAT = ("order by count(*)", "order by count(*) desc", "order by min(k) nulls first")


def _form(rng: random.Random, keys: list[str], shown: list[str]) -> str:
    if not keys:
        return rng.choice(("", "", " group by ()"))
    listed = ", ".join(keys)
    if rng.random() < 0.5:
        return " group by all" if shown and len(shown) == len(keys) and rng.random() < 0.4 else f" group by {listed}"
    first, rest = keys[0], ", ".join(keys[1:])
    return " group by " + rng.choice(
        (
            f"rollup ({listed})",
            f"cube ({listed})",
            f"grouping sets (({listed}), ({first}), ())",
            f"grouping sets (rollup ({listed}), ({first}))",
            f"grouping sets (cube ({listed}), rollup ({first}), ())" if len(keys) < 3 else f"grouping sets (({listed}), ())",
            f"{first}, rollup ({rest})" if rest else f"rollup ({first})",
            f"cube ({first}), rollup ({listed})",
            f"grouping sets (({first}), ({listed})), {first}",
        )
    )


def _source(rng: random.Random) -> str:
    rows = rng.choice((*NAMES, *NAMES, *_MADE))
    if rng.random() < 0.3:
        rows += f" where {rng.choice((*CONDITIONS, 'id < 0'))}"
    return rows


def _having(rng: random.Random, keys: list[str]) -> str:
    subqueries = ("max(s) > (select min(s) from t2)", "min(k) in (select k from t1)", "exists (select 1 from t0)")
    plain = ("count(*) > 1", "max(k) > 2", "count(distinct t) <> 1", "count(*) filter (where b) > 1")
    return rng.choice((*plain, *subqueries, *(f"{key} is not null" for key in keys[:1])))


def _filtered(rng: random.Random, ours: str, theirs: str) -> tuple[str, str]:
    if rng.random() < 0.35 and not ours.startswith(("case", "round")):
        condition = f" filter (where {rng.choice(CONDITIONS)})"
        return ours + condition, theirs + condition
    return ours, theirs


def _call(rng: random.Random) -> tuple[str, str]:
    """An aggregate for each engine."""
    one, two, value = rng.choice(NUMBERS), rng.choice(EXACT), rng.choice(ANY)
    distinct = "distinct " if rng.random() < 0.3 else ""
    text = rng.choice(("t", "u", "k", "day", "d"))
    match rng.randrange(18):
        case 0:
            return _same(rng.choice(("count(*)", f"count({distinct}{value})", "count_if(b)", f"count_if({distinct}k > 1)")))
        case 1:
            return _same(f"{rng.choice(('sum', 'avg', 'min', 'max', 'fsum', 'favg'))}({distinct}{one})")
        case 2:
            return _same(f"{rng.choice(('min', 'max'))}({distinct}{value})")
        case 3:
            name = rng.choice(("stddev", "stddev_pop", "variance", "var_pop", "sem"))
            return _same(f"{name}({distinct}{rng.choice(EXACT)})")
        case 4:
            call = f"{rng.choice(('skewness', 'kurtosis', 'kurtosis_pop'))}({distinct}s)"
            return _same(f"case when min(s) < max(s) then round({call} + 1.00000777, 4) end")
        case 5:
            names = ("covar_pop", "covar_samp", "regr_count", "regr_avgx", "regr_avgy", "regr_sxx", "regr_syy", "regr_sxy")
            return _same(f"round({rng.choice(names)}({one}, {two}) + 1.0000777, 3)")  # not halfway between
        case 6:
            fraction = rng.choice(FRACTIONS)
            return _same(f"quantile_disc({distinct}{value}, {fraction})")
        case 7:
            return _same(f"quantile_cont({distinct}{rng.choice((*EXACT, *TIMES, 'f'))}, {rng.choice(FRACTIONS)})")
        case 8:
            return _same(f"median({distinct}{rng.choice((*NUMBERS, *TIMES, 'f', 't'))})")
        case 9:
            order = rng.choice(("id", "id desc"))
            return _same(f"{rng.choice(('first', 'last', 'any_value'))}({value} order by {order})")
        case 10:
            if distinct:
                return _same(f"string_agg(distinct {text}, '-' order by {text}{rng.choice(('', ' desc'))})")
            order, separator = rng.choice(_ORDERS), rng.choice(("','", "''"))
            return _same(f"string_agg({text}, {separator} order by {order})")
        case 11:
            name = rng.choice(("arg_min", "arg_max", "arg_min_null", "arg_max_null"))
            return _same(f"{name}({value}, id)")
        case 12:
            bits = f"{rng.choice(('bit_and', 'bit_or', 'bit_xor'))}({distinct}{rng.choice(('k', 'j', 's', 'w'))})"
            others = ("bool_and(b)", "bool_or(b)", f"entropy({value})", f"product({distinct}y)", f"mad({distinct}{one})")
            return _same(rng.choice((bits, bits, *others)))
        case 13:
            row = ", ".join(rng.sample(ANY, rng.randint(1, 3)))
            return _same(f"count(distinct ({row}, k))")
        case 14:
            name, of = rng.choice(("list", "array_agg")), rng.choice(ANY)
            if distinct:
                return _same(
                    f"{name}(distinct {of} order by {of} {rng.choice(('', 'desc'))} nulls {rng.choice(('first', 'last'))})"
                )
            return _same(f"{name}({of} order by {rng.choice(_ORDERS)})")
        case 15:
            of = rng.choice(("k", "t", "day", "d", "b"))
            return _same(f"{rng.choice(('first', 'last'))}({of} order by {rng.choice(_ORDERS)})")
        case 16:
            return f"approx_count_distinct({value})", f"count(distinct {value})"
        case _:
            of, fraction = rng.choice((*EXACT, *TIMES, "f")), rng.choice(FRACTIONS)
            if rng.random() < 0.5:
                return f"approx_quantile({of}, {fraction})", f"quantile_disc({of}, {fraction})"
            kind = rng.choice(("percentile_disc", "percentile_cont"))
            return _same(f"{kind}({fraction}) within group (order by {of})")


_ORDERS = (
    "t, id",
    "id desc",
    "k nulls first, id",
    "f, id",
    "d desc nulls last, id desc",
    "day, b desc, id",
    "raw nulls first, id",
)


def _same(call: str) -> tuple[str, str]:
    return call, call
