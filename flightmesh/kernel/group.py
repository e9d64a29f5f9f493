"""Numbers the groups of a batch: which rows have equal keys.

Handed the key columns; hands on a group number for each row and one row of each group. Three ways, chosen by the keys' values:
integers of a small range are addressed directly; others go through a hash table, as codes where they pack into one integer,
else as row hashes that are verified on the columns. Where equal keys stand together (clustered input) only one row of each run
is looked up. What always holds: NULLs are one group, NaNs are one group, -0.0 is in the group of 0.0.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from flightmesh.compute import pc
from flightmesh.dataclass import dataclass
from flightmesh.kernel.byte_words import longest_bytes
from flightmesh.kernel.equality import rows_equal
from flightmesh.kernel.hash import COMBINE, hash_columns
from flightmesh.kernel.hash_table import build_table
from flightmesh.kernel.key_codes import SHORT_BYTES, pack_keys
from flightmesh.kernel.radix import stable_order
from flightmesh.kernel.values import Array, Int64s, canonical_floats, is_byte_string, validity

DIRECT_SIZE = 1 << 16
"""Ranges up to this are addressed directly whatever the number of rows."""
DIRECT_PER_ROW = 12
"""Ranges of up to so many keys a row are addressed directly."""
TABLE_ROWS = 1 << 18
"""Rows that one hash table groups; more are split first."""
WIDE_ROWS = 8
"""With so many rows a number, numbers are made as wide as they have to be in the table, not row by row."""
SAMPLE_ROWS = 8192
REPETITIVE = 2
"""Strings repeat when each stands in a sample so many times on average."""
RUN_LENGTH = 4
"""Runs of equal keys are worth finding when they are this long on average."""


@dataclass(slots=True)
class Grouping:
    """`ids`: the group of each row, 0 up to `count`; every group has a row, but for the one group of no rows. `rows`: one row
    of each group. `starts`: where each group's rows begin, when they stand together in the order of their groups.
    """

    ids: Int64s
    count: int
    rows: Int64s
    starts: Int64s | None = None
    _order: Int64s | None = None
    _sizes: Int64s | None = None
    _is_full: bool | None = None

    def sizes(self) -> Int64s:
        """Rows of each group."""
        if self._sizes is None:
            if self.starts is not None and self.count:
                self._sizes = np.empty(self.count, np.int64)
                np.subtract(self.starts[1:], self.starts[:-1], out=self._sizes[:-1])
                self._sizes[-1] = len(self.ids) - self.starts[-1]
            else:
                self._sizes = np.bincount(self.ids, minlength=self.count)
        return self._sizes

    @property
    def is_full(self) -> bool:
        """Whether every group has a row: that of no rows has none, and rows may have been taken away."""
        if self._is_full is None:
            self._is_full = not self.count or int(self.sizes().min()) > 0
        return self._is_full

    def order(self) -> Int64s | None:
        """Row numbers that bring each group's rows together, groups in order; None when they are so already."""
        if self.starts is None:
            self._order = stable_order(self.ids, self.count)
            ends = np.cumsum(self.sizes())
            self.starts = np.concatenate((np.zeros(1, np.int64), ends[:-1]))
        return self._order


def group_rows(columns: Sequence[Array], rows: int) -> Grouping:
    """The groups of `rows` rows by these columns; without columns one group of all rows (none of no rows)."""
    if rows == 0:
        return Grouping(np.zeros(0, np.int64), 0, np.zeros(0, np.int64), np.zeros(0, np.int64))
    if not columns:
        return one_group(rows)
    # What is NULL throughout tells no rows apart: sets of ROLLUP have many such columns.
    columns = [_compact(c) for c in columns if c.null_count < rows]
    if not columns:
        return one_group(rows)
    packed = pack_keys(columns, [True] * len(columns))
    if packed is not None:
        packing, codes = packed
        return _by_runs(codes, packing.size) or _by_code(codes, packing.size)
    codes = (hash_columns(columns) >> np.uint64(1)).view(np.int64)
    grouping = _by_runs(codes, 1 << 63) or _by_table(codes)
    representatives = pa.array(grouping.rows[grouping.ids])
    if rows_equal(columns, [c.take(representatives) for c in columns]).all():
        return grouping
    return _by_encoding(columns, rows)  # different keys with one hash


def one_group(rows: int) -> Grouping:
    """All of `rows` rows, possibly none, in one group."""
    return Grouping(np.zeros(rows, np.int64), 1, np.zeros(1, np.int64), np.zeros(1, np.int64))


def group_each(rows: int) -> Grouping:
    """Every row a group of its own."""
    each = np.arange(rows, dtype=np.int64)
    return Grouping(each, rows, each, each)


def _by_runs(codes: Int64s, size: int) -> Grouping | None:
    """For codes in ascending order, or clustered: groups of the runs, then of the rows. None where runs are short."""
    changes = codes[1:] != codes[:-1]
    runs = int(np.count_nonzero(changes)) + 1
    ascending = _ascend(codes[:SAMPLE_ROWS]) and _ascend(codes)
    if not ascending and runs * RUN_LENGTH > len(codes):
        return None
    if runs == len(codes):
        return group_each(runs)
    starts = np.concatenate((np.zeros(1, np.int64), np.flatnonzero(changes) + 1))
    run_of = np.zeros(len(codes), np.int64)
    np.cumsum(changes, out=run_of[1:])
    if ascending:
        return Grouping(run_of, runs, starts, starts)
    groups = _by_code(codes[starts], size)
    return Grouping(groups.ids[run_of], groups.count, starts[groups.rows])


def _ascend(codes: Int64s) -> bool:
    return bool((codes[1:] >= codes[:-1]).all())


def _by_code(codes: Int64s, size: int) -> Grouping:
    if size <= max(DIRECT_SIZE, DIRECT_PER_ROW * len(codes)):
        return _numbered(codes, size)
    return _by_table(codes)


def _by_table(codes: Int64s) -> Grouping:
    """Through hash tables: one, or where that would outgrow the CPU's cache one for each of 64 to 256 parts of the codes."""
    if len(codes) <= TABLE_ROWS:
        table, slots = build_table(codes)
        return _numbered(slots, table.size)
    bits = min(8, max(6, (len(codes) // TABLE_ROWS).bit_length()))
    part_of = ((codes.view(np.uint64) * COMBINE) >> np.uint64(64 - bits)).astype(np.uint8)
    order = np.argsort(part_of, kind="stable")
    ends = np.cumsum(np.bincount(part_of, minlength=1 << bits)).tolist()
    ids = np.empty(len(codes), np.int64)
    rows: list[Int64s] = []
    count = start = 0
    for end in ends:
        if end > start:
            members = order[start:end]
            table, slots = build_table(codes[members])
            groups = _numbered(slots, table.size)
            ids[members] = groups.ids + count
            rows.append(members[groups.rows])
            count += groups.count
            start = end
    return Grouping(ids, count, np.concatenate(rows))


def _numbered(slots: Int64s, size: int) -> Grouping:
    """Groups of rows by a number below `size`, renumbered without gaps; the same numbers where there are none.

    One array of 32 bits serves twice: where the range is wide most of the time goes into such arrays.
    """
    known = np.full(size, -1, np.int32)  # a row of each number, then each number's group
    known[slots] = np.arange(len(slots), dtype=np.int32)
    taken = np.flatnonzero(known >= 0)
    rows = known[taken].astype(np.int64)
    if len(taken) == size:
        return Grouping(slots, size, rows)
    if WIDE_ROWS * size <= len(slots):
        known = known.astype(np.int64)
    known[taken] = np.arange(len(taken), dtype=np.int32)
    return Grouping(np.take(known, slots).astype(np.int64, copy=False), len(taken), rows)


def _compact(array: Array) -> Array:
    """A column of long strings as codes of its values, when a sample says that they repeat: that is cheaper than hashing."""
    if pa.types.is_dictionary(array.type):
        return _encoded(array)
    if not is_byte_string(array.type) or len(array) == 0:
        return array
    sample = array.slice(0, SAMPLE_ROWS)
    if longest_bytes(sample) <= SHORT_BYTES and longest_bytes(array) <= SHORT_BYTES:
        return array
    distinct = len(pc.dictionary_encode(sample).dictionary)
    return _encoded(array) if distinct * REPETITIVE <= len(sample) else array


def _by_encoding(columns: Sequence[Array], rows: int) -> Grouping:
    """Column by column: codes of distinct values pack with the groups of the columns before."""
    grouping = group_rows([_encoded(columns[0])], rows)
    for column in columns[1:]:
        grouping = group_rows([pa.array(grouping.ids), _encoded(column)], rows)
    return grouping


def _encoded(array: Array) -> Array:
    """A column as codes of its distinct values: exact where hashes collide."""
    if pa.types.is_dictionary(array.type):
        array = array.cast(array.type.value_type)
    if pa.types.is_floating(array.type):
        valid = validity(array)
        array = pa.array(canonical_floats(array).view(np.int64), mask=None if valid is None else ~valid)
    return pc.dictionary_encode(array).indices
