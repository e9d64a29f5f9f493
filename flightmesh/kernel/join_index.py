"""An index over the key columns of a join's build side: which build rows have the key of a probe row.

Handed the build's key columns once, then any number of batches of probe keys; hands on `Lookup`s. Three kinds: keys that pack
into integers of a dense range address an array; others that pack are found in a hash table as they are; the rest by row hash,
verified on the columns. Build keys that repeat hang on their first slot as a list. What always holds: NULL matches nothing
unless its column is null-safe; NaN matches NaN and -0.0 matches 0.0; an index never changes, so threads may share it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
import pyarrow as pa

from flightmesh.dataclass import dataclass
from flightmesh.kernel.equality import rows_equal
from flightmesh.kernel.hash import hash_columns
from flightmesh.kernel.hash_table import HashTable, build_table
from flightmesh.kernel.key_codes import Packing, pack_keys
from flightmesh.kernel.lookup import Int32s, Lookup
from flightmesh.kernel.radix import stable_order
from flightmesh.kernel.values import Array, Int64s, Mask, validity

DENSE_KEYS_PER_ROW = 4
"""A range of up to so many keys a build row is dense: 16 bytes of table a row."""
SMALL_TABLE = 1 << 16
"""Ranges up to so many keys are addressed directly however few rows there are,"""
LARGEST_SPARSE_TABLE = 1 << 23
"""and up to so many when as many probes are expected: then filling the table costs less than it saves."""
_PIECE = 1 << 20
"""Rows that are compared at a time."""

Placed: TypeAlias = tuple[Int32s, Int32s | None, Int32s | None]
Placing: TypeAlias = Callable[[Int64s, int, Int32s], Placed]


@dataclass(frozen=True, slots=True)
class JoinIndex:
    """`place[number]` is, for key number `number` of the build, its row (unique keys) or where its rows begin in `listed`; -1:
    none. Its rows end where `ends[number]` says. The number is a code (`table` None) or a slot of `table`.
    """

    columns: tuple[Array, ...]
    null_safe: tuple[bool, ...]
    packing: Packing | None
    table: HashTable | None
    place: Int32s
    ends: Int32s | None
    listed: Int32s | None
    one_key_a_slot: bool

    @property
    def nbytes(self) -> int:
        """Bytes of the index, the key columns not counted."""
        arrays = (self.place, self.ends, self.listed, None if self.table is None else self.table.codes)
        return sum(a.nbytes for a in arrays if a is not None)

    @property
    def unique(self) -> bool:
        """Whether a key leads to one row at most."""
        return self.ends is None

    def lookup(self, columns: Sequence[Array], rows: int) -> Lookup:
        """The matches of `rows` probe rows with these key columns."""
        numbers = self._numbers(columns)
        begin = np.take(self.place, numbers, mode="clip")  # -1 becomes 0, and what is too large the last place, which is empty
        if self.table is not None:
            begin = np.where(numbers < 0, np.int32(-1), begin)
        if self.packing is None and self.one_key_a_slot:
            begin = self._verified(columns, begin)
        if self.ends is None or self.listed is None:
            found = Lookup(rows, begin, None, None)
        else:
            counts = np.where(begin >= 0, np.take(self.ends, numbers, mode="clip") - begin, np.int32(0))
            found = Lookup(rows, begin, counts, self.listed)
        if self.packing is None and not self.one_key_a_slot:
            return found.where(lambda probe, build: self._pairs_equal(columns, probe, build))
        return found

    def _numbers(self, columns: Sequence[Array]) -> Int64s:
        if self.packing is not None:
            codes = self.packing.codes(columns)
            if self.table is None:
                return np.minimum(codes.view(np.uint64), np.uint64(len(self.place) - 1)).view(np.int64)
        else:
            codes = _hash_codes(columns, self.null_safe)
        if self.table is None:
            raise ValueError("an index without a packing has a table")
        return self.table.find(codes)

    def _verified(self, columns: Sequence[Array], begin: Int32s) -> Int32s:
        """`begin`, -1 where the hash matched but the key does not. Rows of a slot have one key: the first is compared."""
        probe = np.flatnonzero(begin >= 0)
        build = begin[probe] if self.listed is None else self.listed[begin[probe]]
        same = self._pairs_equal(columns, probe, build)
        if not same.all():
            begin = begin.copy()
            begin[probe[~same]] = -1
        return begin

    def _pairs_equal(self, columns: Sequence[Array], probe: Int64s, build: Int64s | Int32s) -> Mask:
        if len(probe) == 0:
            return np.zeros(0, np.bool_)
        every = len(probe) == len(columns[0]) and bool((probe == np.arange(len(probe))).all())
        left = list(columns) if every else [c.take(pa.array(probe)) for c in columns]
        right = pa.array(build)
        return rows_equal(left, [c.take(right) for c in self.columns])


def build_join_index(columns: Sequence[Array], null_safe: Sequence[bool], expected_probes: float = 0) -> JoinIndex:
    """The index of a build side of at least one key column; `null_safe` says of each whether NULL equals NULL."""
    return _build(columns, null_safe, expected_probes, _every_row)


def build_key_index(columns: Sequence[Array], null_safe: Sequence[bool], expected_probes: float = 0) -> JoinIndex:
    """An index that finds one row of each key: enough to know whether there is any, and much cheaper where keys repeat."""
    return _build(columns, null_safe, expected_probes, _one_row)


def _build(columns: Sequence[Array], null_safe: Sequence[bool], expected_probes: float, placed: Placing) -> JoinIndex:
    packed = pack_keys(columns, null_safe)
    packing, codes = packed if packed is not None else (None, _hash_codes(columns, null_safe))
    if len(codes) and codes.min() < 0:
        rows = np.flatnonzero(codes >= 0).astype(np.int32)
        codes = codes[rows]
    else:
        rows = np.arange(len(codes), dtype=np.int32)
    table: HashTable | None = None
    if packing is not None and _dense(packing.size, len(rows), expected_probes):
        size, numbers = packing.size, codes
    else:
        table, numbers = build_table(codes)
        size = table.size
    one_key = packing is not None or _one_key_a_slot(columns, numbers, size, rows)
    place, ends, listed = (placed if one_key else _every_row)(numbers, size, rows)
    kept = () if packing is not None else tuple(columns)
    return JoinIndex(kept, tuple(null_safe), packing, table, place, ends, listed, one_key)


def _dense(size: int, rows: int, expected_probes: float) -> bool:
    return size <= max(SMALL_TABLE, DENSE_KEYS_PER_ROW * rows, min(expected_probes, LARGEST_SPARSE_TABLE))


def _hash_codes(columns: Sequence[Array], null_safe: Sequence[bool]) -> Int64s:
    """Row hashes as non-negative codes; -1 for a NULL that matches nothing."""
    codes = (hash_columns(columns) >> np.uint64(1)).view(np.int64)
    for column, safe in zip(columns, null_safe, strict=True):
        if not safe:
            valid = np.zeros(len(column), np.bool_) if pa.types.is_null(column.type) else validity(column)
            if valid is not None:
                codes[~valid] = -1
    return codes


def _one_row(numbers: Int64s, size: int, rows: Int32s) -> Placed:
    """One row of each number, as `_every_row` gives them where numbers do not repeat."""
    place = np.full(size + 1, -1, np.int32)
    place[numbers] = rows
    return place, None, None


def _every_row(numbers: Int64s, size: int, rows: Int32s) -> Placed:
    """Where the rows of each number are: (row of each number) when no number repeats, else (begin, end) in a list of rows.

    One place more than there are numbers stays empty: numbers out of range are looked up there.
    """
    place, _, _ = _one_row(numbers, size, rows)
    if all((place[numbers[i : i + _PIECE]] == rows[i : i + _PIECE]).all() for i in range(0, len(rows), _PIECE)):
        return place, None, None
    counts = np.bincount(numbers, minlength=size + 1)
    ends = np.cumsum(counts).astype(np.int32)
    begins = ends - counts.astype(np.int32)
    listed = rows[stable_order(numbers, size)]
    return np.where(counts > 0, begins, np.int32(-1)), ends, listed


def _one_key_a_slot(columns: Sequence[Array], numbers: Int64s, size: int, rows: Int32s) -> bool:
    """Whether all build rows of a slot have the same key, as they do unless two keys have one hash."""
    representative = np.zeros(size, np.int64)
    representative[numbers] = rows
    first = pa.array(representative[numbers])
    every = pa.array(rows)
    return bool(rows_equal([c.take(every) for c in columns], [c.take(first) for c in columns]).all())
