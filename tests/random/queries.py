"""Random queries: joins of every kind, subqueries, groups, set operations, order and limit, over the tables of `tables`."""

from __future__ import annotations

import random

from tests.compare import Order
from tests.random.expressions import KINDS, Column, Expressions
from tests.random.harness import Query
from tests.random.tables import COLUMNS, NAMES


def random_query(rng: random.Random) -> Query:
    """A query that is right SQL for DuckDB and whose rows (not always their order) are determined."""
    return _Generator(rng).query()


def _shared_names(left: list[Column], right: list[Column]) -> list[str]:
    """Names that one column of each side has, so that USING them is not ambiguous."""
    names = [column.text.rpartition(".")[2] for column in left]
    return [
        name for column in right if names.count(name := column.text.rpartition(".")[2]) == 1 and name not in ("x", "n", "m")
    ]


class _Generator:
    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._aliases = 0

    def query(self) -> Query:
        rng = self._rng
        kinds = [rng.choice(KINDS) for _ in range(rng.randint(1, 4))]
        shared = self._shared() if rng.random() < 0.15 else ""
        sources = ["shared"] if shared else []
        body = self._select(kinds, sources)
        if rng.random() < 0.2:
            operator = rng.choice(
                (
                    "union",
                    "union by name",
                    "union all",
                    "union all by name",
                    "except",
                    "except all",
                    "intersect",
                    "intersect all",
                )
            )
            body = f"{body} {operator} {self._select(kinds, sources)}"
            if rng.random() < 0.3:
                body = f"({body}) {rng.choice(('union all', 'union', 'except'))} {self._select(kinds, sources)}"
        if rng.random() < 0.5:
            return Query(shared + body, Order.FREE)
        return Query(shared + self._ordered(body, len(kinds)), Order.COUNTS)

    def _ordered(self, body: str, columns: int) -> str:
        """Sorted by every column, so that the order is determined."""
        rng = self._rng
        numbers = list(range(1, columns + 1))
        rng.shuffle(numbers)
        keys = [f"{n}{rng.choice(('', ' asc', ' desc'))}{rng.choice(('', ' nulls first', ' nulls last'))}" for n in numbers]
        limit = f" limit {rng.choice((0, 1, 3, 3, 10, 10, 30, 1000))}" if rng.random() < 0.6 else ""
        offset = f" offset {rng.choice((0, 1, 1, 2, 5, 100))}" if limit and rng.random() < 0.3 else ""
        return f"{body} order by {', '.join(keys)}{limit}{offset}"

    def _shared(self) -> str:
        columns = self._columns("t", "")
        where = Expressions(self._rng, columns).condition(1)
        return f"with shared as (select * from {self._rng.choice(NAMES)} as t where {where}) "

    def _alias(self) -> str:
        self._aliases += 1
        return f"a{self._aliases}"

    def _columns(self, alias: str, _: str = "") -> list[Column]:
        return [Column(f"{alias}.{name}", kind) for name, (kind, _type) in COLUMNS.items()]

    def _relation(self, sources: list[str], depth: int) -> tuple[str, list[Column]]:
        """A table, a filtered derived table, or a grouped one, with the columns it has."""
        rng, alias = self._rng, self._alias()
        table = rng.choice([*sources, *sources, *NAMES] if sources else NAMES)
        kind = rng.random()
        if depth <= 0 or kind < 0.7:
            return f"{table} as {alias}", self._columns(alias)
        inner = self._alias()
        expressions = Expressions(rng, self._columns(inner))
        if kind < 0.85:
            distinct = rng.choice(("", "", "distinct "))
            items = [(name, kind_) for name, (kind_, _type) in COLUMNS.items() if rng.random() < 0.5] or [("k", "int")]
            chosen = [f"{inner}.{name} as {name}" for name, _ in items]
            chosen.append(f"{expressions.of('int', 1)} as x")
            where = f" where {expressions.condition(1)}" if rng.random() < 0.5 else ""
            columns = [Column(f"{alias}.{name}", kind_) for name, kind_ in [*items, ("x", "int")]]
            if rng.random() < 0.2:
                where += f" order by {', '.join(str(n + 1) for n in range(len(columns)))} limit {rng.randint(0, 20)}"
            return f"(select {distinct}{', '.join(chosen)} from {table} as {inner}{where}) as {alias}", columns
        key, key_kind = rng.choice([(name, kind_) for name, (kind_, _type) in COLUMNS.items()])
        made = f"{inner}.{key} as {key}, count(*) as n, max({inner}.j) as m"
        text = f"(select {made} from {table} as {inner} group by {inner}.{key})"
        return f"{text} as {alias}", [
            Column(f"{alias}.{key}", key_kind),
            Column(f"{alias}.n", "int"),
            Column(f"{alias}.m", "int"),
        ]

    def _from(self, sources: list[str]) -> tuple[str, list[Column]]:
        rng = self._rng
        text, columns = self._relation(sources, 1)
        for _ in range(rng.choice((0, 0, 1, 1, 1, 2))):
            other, more = self._relation(sources, 1)
            how = rng.choice(("join", "join", "left join", "right join", "full join", "cross join", "semi join", "anti join"))
            if how == "cross join" and text.count("join") == 0:
                text, columns = f"{text} cross join {other}", [*columns, *more]
                continue
            how = "join" if how == "cross join" else how
            shared = _shared_names(columns, more)
            if shared and rng.random() < 0.12:
                text = f"{text} {how} {other} using ({rng.choice(shared)})"
            else:
                text = f"{text} {how} {other} on {self._on(columns, more, how)}"
            if how not in ("semi join", "anti join"):
                columns = [*columns, *more]
        return text, columns

    def _on(self, left: list[Column], right: list[Column], how: str) -> str:
        rng = self._rng
        pairs = [(a.text, b.text) for a in left for b in right if a.kind == b.kind and a.kind != "bool"]
        small = [(a, b) for a, b in pairs if a.rsplit(".", 1)[1] == b.rsplit(".", 1)[1]] or pairs
        if not pairs:
            return rng.choice(("true", "false")) if how == "join" else "1 = 1"
        keys = [rng.choice(small if rng.random() < 0.8 else pairs) for _ in range(rng.choice((1, 1, 1, 1, 2)))]
        parts = [f"{a} {'=' if rng.random() < 0.93 else 'is not distinct from'} {b}" for a, b in keys]
        if rng.random() < 0.3:
            a, b = rng.choice(pairs)
            parts.append(f"{a} {rng.choice(('<', '>=', '<>'))} {b}")
        if rng.random() < 0.15 and how != "full join":
            parts.append(Expressions(rng, [*left, *right]).condition(1))
        if rng.random() < 0.06 and how in ("join", "left join", "semi join", "anti join"):
            parts = parts[1:] or [f"{keys[0][0]} < {keys[0][1]}"]
        return " and ".join(parts)

    def _select(self, kinds: list[str], sources: list[str]) -> str:
        rng = self._rng
        source, columns = self._from(sources)
        expressions = Expressions(rng, columns, lambda outer: self._subquery(outer, 1))
        where = f" where {expressions.condition(2)}" if rng.random() < 0.45 else ""
        shape = rng.random()
        if shape < 0.35:
            return self._grouped(kinds, source, columns, where)
        items = [self._item(kind, expressions, columns) for kind in kinds]
        distinct = "distinct " if rng.random() < 0.15 else ""
        return f"select {distinct}{', '.join(f'{item} as o{n}' for n, item in enumerate(items))} from {source}{where}"

    def _item(self, kind: str, expressions: Expressions, columns: list[Column]) -> str:
        if self._rng.random() < 0.12:
            return self._scalar(kind, columns)
        return expressions.of(kind, 2)

    def _grouped(self, kinds: list[str], source: str, columns: list[Column], where: str) -> str:
        rng = self._rng
        plain = Expressions(rng, columns)
        count = rng.randint(0, len(kinds))
        keys = [plain.column(kind) or plain.of(kind, 1) for kind in kinds[:count]]
        items = [*keys, *(self._over_aggregate(kind, plain) for kind in kinds[count:])]
        if count and count == len(kinds) and rng.random() < 0.5:
            having = ""
        else:
            having = f" having {self._aggregate('int', plain)} > {self._bound()}" if rng.random() < 0.25 else ""
        # A constant as a key would be read as the number of a column.
        grouped = f" group by {', '.join(f'{n + 1}' for n in range(count))}" if count else ""
        if not count and having and len(kinds) == count:
            having = ""
        return f"select {', '.join(f'{item} as o{n}' for n, item in enumerate(items))} from {source}{where}{grouped}{having}"

    def _bound(self) -> str:
        """A small number, or a subquery that has one."""
        if self._rng.random() < 0.7:
            return str(self._rng.randint(0, 3))
        source, _, where = self._inner([])
        return f"(select count(*) / 20 from {source}{where})"

    def _over_aggregate(self, kind: str, expressions: Expressions) -> str:
        """An aggregate, sometimes inside of an expression."""
        text = self._aggregate(kind, expressions)
        if self._rng.random() < 0.75:
            return text
        other = self._aggregate(kind, expressions)
        return self._rng.choice(
            (f"coalesce({text}, {other})", f"case when count(*) > 2 then {text} end", f"nullif({text}, {other})")
        )

    def _aggregate(self, kind: str, expressions: Expressions) -> str:
        rng = self._rng
        argument = expressions.of(kind, 1)
        where = f" filter (where {expressions.condition(1)})" if rng.random() < 0.15 else ""
        call = f"{rng.choice(('min', 'max'))}({argument})"
        if kind == "int" and rng.random() < 0.8:
            other, _ = expressions.any(1)
            call = rng.choice(
                ("count(*)", f"count({other})", f"count(distinct {other})", f"sum({argument})", f"sum(distinct {argument})")
            )
            if call.startswith("sum"):
                return f"cast({call}{where} as bigint)"
        elif kind == "decimal" and rng.random() < 0.5:
            call = f"sum({argument})"
        elif kind == "float" and rng.random() < 0.7:
            source = rng.choice(("int", "decimal", "float"))
            call = f"avg({expressions.of(source, 1)})" if rng.random() < 0.6 else f"sum({argument})"
        elif kind == "bool":
            call = f"{rng.choice(('bool_and', 'bool_or'))}({argument})"
        return call + where

    def _inner(self, outer: list[Column]) -> tuple[str, list[Column], str]:
        """A subquery's FROM with its columns, and its WHERE, correlated more often than not."""
        rng = self._rng
        source, columns = self._relation([], 1)
        parts = []
        if rng.random() < 0.6:
            pairs = [(a.text, b.text) for a in columns for b in outer if a.kind == b.kind and a.kind != "bool"]
            if pairs:
                a, b = rng.choice(pairs)
                parts.append(f"{a} {rng.choice(('=', '=', '=', '<', '<>'))} {b}")
        if rng.random() < 0.4:
            parts.append(Expressions(rng, columns).condition(1))
        return source, columns, f" where {' and '.join(parts)}" if parts else ""

    def _subquery(self, outer: list[Column], depth: int) -> str:
        """A condition with a subquery."""
        rng = self._rng
        source, columns, where = self._inner(outer)
        if rng.random() < 0.4:
            return f"({rng.choice(('', 'not '))}exists (select 1 from {source}{where}))"
        kind = rng.choice([column.kind for column in columns])
        inner, mine = Expressions(rng, columns), Expressions(rng, outer)
        if rng.random() < 0.6:
            item = inner.column(kind) or inner.of(kind, 0)
            operators = ["in", "not in", "in", "not in", "= any", "<> all"]
            if kind != "bool":
                operators += ["< any", ">= any", "<> any", "> all", "<= all", "= all"]
            return f"({mine.of(kind, 1)} {rng.choice(operators)} (select {item} from {source}{where}))"
        item = f"{rng.choice(('min', 'max'))}({inner.column(kind) or inner.of(kind, 0)})"
        if kind == "bool":
            return f"({mine.of('int', 1)} > (select count(*) from {source}{where}))"
        return f"({mine.of(kind, 1)} {rng.choice(('=', '<', '>='))} (select {item} from {source}{where}))"

    def _scalar(self, kind: str, outer: list[Column]) -> str:
        """A scalar subquery that has one row."""
        source, columns, where = self._inner(outer)
        inner = Expressions(self._rng, columns)
        aggregate = f"{self._rng.choice(('min', 'max'))}({inner.of(kind, 0)})"
        if kind == "int":
            aggregate = self._rng.choice(("count(*)", f"count({inner.of('int', 0)})", aggregate, f"coalesce({aggregate}, 7)"))
        return f"(select {aggregate} from {source}{where})"
