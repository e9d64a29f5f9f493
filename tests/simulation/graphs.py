"""Random stage graphs over tables of ids, and the rows that they must give.

A row is an id and a number. Scans give ids with 0; joins with a broadcast build add a sum over the whole build to each probe
row, so that a build with a row too few or too many shows in every row; joins of two dealt sides give all rows of both. So the
answer is known without running anything.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from flightmesh.catalog.table import FileSplit, MemorySplit, MemoryTable, Split
from flightmesh.exchange.key_digests import key_set_of
from flightmesh.ids import JobId
from flightmesh.logical.relations import JoinKind
from flightmesh.physical.operators import (
    BuildSide,
    ColumnOrder,
    DynamicFilter,
    Exchange,
    HashJoin,
    KeyPair,
    LimitRows,
    Operator,
    SortRows,
    TableScan,
    UnionRows,
)
from flightmesh.physical.partitioning import Broadcast, Hash, Partitioning, RoundRobin, Single
from flightmesh.protocol.messages import KeyDigest
from flightmesh.stage.graph import StageGraph
from tests.hand_made import K, T, V, cut, exchange, scan

Row = tuple[int, int]
MODULUS = 1_000_003
MOST_ROWS = 24


@dataclass(slots=True)
class Query:
    """A graph and its answer. `limit`: any so many of the rows are right."""

    job: JobId
    graph: StageGraph
    answer: Counter[Row]
    limit: int | None
    rows: dict[str, int]
    keys: dict[int, frozenset[int]] = field(default_factory=dict)

    def check_keys(self, told: KeyDigest) -> None:
        """Fails unless these are all keys of a dynamic filter."""
        known = key_set_of(told).codes
        assert known is not None
        assert set(known.tolist()) == self.keys[told.filter], f"keys of filter {told.filter} of job {self.job} are not whole"

    def first_id(self, table: str) -> int:
        """The id of a table's first row."""
        return list(self.rows).index(table) * 1000

    def is_right(self, rows: Sequence[Row]) -> bool:
        """Whether rows are an answer: none missing, none doubled."""
        found = Counter(rows)
        if self.limit is None:
            return found == self.answer
        return len(rows) == min(self.limit, self.answer.total()) and found <= self.answer

    def splits(self, table: str, chance: random.Random, holders: Sequence[str]) -> tuple[Split, ...]:
        """The table in pieces, some of them held by somebody: in memory, or as files that nodes serve, some of them by two."""
        found: list[Split] = []
        offset, rows = 0, self.rows[table]
        served = bool(holders) and chance.random() < 0.4
        while offset < rows:
            count = min(rows - offset, chance.randint(1, 8))
            if served:
                at = tuple(chance.sample(list(holders), min(len(holders), chance.choice((1, 1, 2)))))
                found.append(FileSplit(0, (offset,), count, holders=at))
                offset += count
                continue
            holder = chance.choice([None, *holders]) if chance.random() < 0.5 else None
            found.append(MemorySplit(offset, count, holder=holder))
            offset += count
        return tuple(found)


def random_query(job: JobId, chance: random.Random) -> Query:
    """A graph of up to some eight stages."""
    growing = _Growing(chance, chance.randint(1, 4))
    root = growing.relation(chance.randint(0, 3))
    limit = None
    answer = growing.answer(root)
    if chance.random() < 0.25:
        limit = chance.randint(1, MOST_ROWS)
        root = LimitRows(exchange(root, Single()), limit)
    return Query(job, cut(root, growing.partitions), answer, limit, growing.rows, growing.keys)


@dataclass(slots=True)
class _Growing:
    chance: random.Random
    partitions: int
    rows: dict[str, int] = field(default_factory=dict)
    shared: int = 0
    keys: dict[int, frozenset[int]] = field(default_factory=dict)

    def relation(self, depth: int) -> Operator:
        """A tree of operators with so many exchanges on its way."""
        if depth == 0:
            return self._scan()
        kinds = (self._dealt, self._gathered, self._sorted, self._broadcast, self._joined, self._union, self._diamond)
        return self.chance.choice(kinds)(depth - 1)

    def answer(self, node: Operator) -> Counter[Row]:
        """The rows that a tree gives."""
        match node:
            case TableScan(table=MemoryTable(name=name)):
                first = list(self.rows).index(name) * 1000
                return Counter((first + i, 0) for i in range(self.rows[name]))
            case Exchange() | LimitRows() | SortRows():
                return self.answer(node.input)
            case UnionRows():
                return sum((self.answer(part) for part in node.inputs), Counter())
            case HashJoin(side=BuildSide.OWN):
                return self.answer(node.build) + self.answer(node.probe)
            case HashJoin():
                added = sum_of(self.answer(node.build).elements())
                return Counter({(k, (v + added) % MODULUS): n for (k, v), n in self.answer(node.probe).items()})
            case _:
                raise AssertionError(f"no such operator here: {node}")

    def _scan(self) -> Operator:
        name = f"t{len(self.rows)}"
        self.rows[name] = self.chance.choice([0, 1, 5, self.chance.randint(0, MOST_ROWS)])
        return scan(K, V, table=replace(T, name=name, key=name))

    def _moved(self, depth: int) -> Operator:
        return exchange(self.relation(depth), self._dealing())

    def _dealing(self) -> Partitioning:
        buckets = self.partitions * self.chance.choice([1, 2, 4])
        return self.chance.choice([Hash((K.column(),), buckets), RoundRobin(buckets)])

    def _dealt(self, depth: int) -> Operator:
        return LimitRows(self._moved(depth), None)

    def _gathered(self, depth: int) -> Operator:
        return LimitRows(exchange(self.relation(depth), Single()), None)

    def _sorted(self, depth: int) -> Operator:
        order = (ColumnOrder(V.column(), descending=True),)
        return LimitRows(replace(exchange(SortRows(self.relation(depth), order), Single()), order=order), None)

    def _broadcast(self, depth: int) -> Operator:
        build = exchange(self.relation(max(0, depth - 1)), Broadcast())
        probe = self.relation(0) if self.chance.random() < 0.5 else self._moved(depth)
        return HashJoin(probe, build, JoinKind.INNER, (KeyPair(K.column(), K.column()),), None, BuildSide.SHARED, (K, V))

    def _joined(self, depth: int) -> Operator:
        """Scans of the left side are told the keys of the right; they do not look at them here."""
        left, right = (
            exchange(self.relation(depth), self._dealing()),
            exchange(self.relation(max(0, depth - 1)), self._dealing()),
        )
        made = DynamicFilter(len(self.keys), K.column(), 0.1)
        self.keys[made.number] = frozenset(k for k, _ in self.answer(right))
        sides = (_told(left, made), replace(right, filters=(made,)))
        return HashJoin(*sides, JoinKind.INNER, (KeyPair(K.column(), K.column()),), None, BuildSide.OWN, (K, V))

    def _union(self, depth: int) -> Operator:
        parts = tuple(self._moved(max(0, depth - i)) for i in range(self.chance.randint(2, 3)))
        return UnionRows(parts, (K, V))

    def _diamond(self, depth: int) -> Operator:
        """One relation read twice: by one stage, or by two on the way to it."""
        self.shared += 1
        number, rows = self.shared, self.relation(depth)
        left, right = (exchange(rows, self._dealing(), shared=number) for _ in range(2))
        if self.chance.random() < 0.5:
            right = exchange(LimitRows(right, None), self._dealing())
        if self.chance.random() < 0.5:
            return UnionRows((left, right), (K, V))
        keys = (KeyPair(K.column(), K.column()),)
        return HashJoin(left, right, JoinKind.INNER, keys, None, BuildSide.OWN, (K, V))


def _told(node: Operator, made: DynamicFilter) -> Operator:
    """The operators with every scan applying a filter; of shared relations the stage is one, whoever comes first."""
    match node:
        case TableScan():
            return replace(node, dynamic=(*node.dynamic, made))
        case HashJoin():
            return replace(node, probe=_told(node.probe, made), build=_told(node.build, made))
        case UnionRows():
            return replace(node, inputs=tuple(_told(part, made) for part in node.inputs))
        case Exchange() | LimitRows() | SortRows():
            return replace(node, input=_told(node.input, made))
        case _:
            raise AssertionError(f"no such operator here: {node}")


def sum_of(rows: Iterable[Row]) -> int:
    """What a broadcast build adds to the rows of its probe."""
    return sum(k + v + 1 for k, v in rows) % MODULUS
