"""A Parquet file's footer, read once: row groups, sizes, and the statistics of each column, converted when first asked for.

Handed `FileMetaData` and the stored Arrow schema; hands on bounds as scalars of the table's type. What always holds: a bound
that the footer does not state, or states in a form that cannot be trusted, is None.
"""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.parquet as pq

from flightmesh.catalog.group_footers import GroupFooters, GroupLayout
from flightmesh.catalog.integer_footers import with_integers
from flightmesh.catalog.normalise import normalise_type
from flightmesh.catalog.packed_pages import StoredChunk
from flightmesh.catalog.pruning import NULLS, Range, cast_bound
from flightmesh.dataclass import dataclass
from flightmesh.expression.scaled import is_short_decimal, short_decimal
from flightmesh.expression.types import is_string

_BYTES_OF_A_NUMBER = 1.6
_LAYOUTS_KEPT = 256
_CHUNKS_KEPT = 20_000
"""Of so many column chunks of a file it is kept which of their pages are worth unpacking."""


@dataclass(frozen=True, slots=True)
class FooterColumn:
    """One column: its range in each row group, and its NULLs in each (None: not stated)."""

    ranges: tuple[Range, ...]
    null_counts: tuple[int | None, ...]


class Footer:
    """What the footer of one file says. Safe to share between threads: conversions are idempotent."""

    def __init__(self, metadata: pq.FileMetaData, schema: pa.Schema) -> None:
        self.metadata = metadata
        self.schema = schema
        self.row_groups = metadata.num_row_groups
        groups = [metadata.row_group(number) for number in range(self.row_groups)]
        self.rows = tuple(group.num_rows for group in groups)
        self.bytes = tuple(group.total_byte_size for group in groups)
        leaves = _leaves_in_order(metadata, schema)
        self.leaves_are_certain = leaves is not None
        """Whether the schema tells which leaves each column is made of; else their paths do, as far as they can."""
        self._leaves = _leaves_by_path(metadata, schema) if leaves is None else leaves
        self._short_decimals: dict[str, pa.DataType] | None = None
        self._with_integers: pq.FileMetaData | None = None
        self._repetitive: tuple[str, ...] | None = None
        self._columns: dict[tuple[str, pa.DataType], FooterColumn] = {}
        self._chunk_bytes: dict[tuple[int, str], int] = {}
        self._group_footers: GroupFooters | None = None
        self.layouts: dict[tuple[tuple[str, ...], int], GroupLayout] = {}
        """What was kept of columns, in order, and blocks of row groups."""
        self._stored_chunks: dict[tuple[int, int], StoredChunk] = {}

    def has(self, column: str) -> bool:
        """Whether the file has this column."""
        return column in self._leaves

    def chunk_bytes(self, group: int, column: str) -> int:
        """Stored bytes of a column in a row group."""
        found = self._chunk_bytes.get((group, column))
        if found is None:
            row_group = self.metadata.row_group(group)
            found = sum(row_group.column(leaf).total_compressed_size for leaf in self._leaves.get(column, ()))
            self._chunk_bytes[group, column] = found
        return found

    def leaves(self, column: str) -> list[int]:
        """The numbers of the leaves that a column is made of."""
        return self._leaves[column]

    def stored_chunk(self, group: int, leaf: int) -> StoredChunk | None:
        """What was kept of a column chunk."""
        return self._stored_chunks.get((group, leaf))

    def keep_chunk(self, group: int, leaf: int, chunk: StoredChunk) -> StoredChunk:
        """Keeps what was found out about a column chunk."""
        if len(self._stored_chunks) >= _CHUNKS_KEPT:
            self._stored_chunks.clear()
        self._stored_chunks[group, leaf] = chunk
        return chunk

    def keep_layout(self, columns: tuple[str, ...], block: int, layout: GroupLayout) -> GroupLayout:
        """Keeps where columns of a block of row groups are laid."""
        if len(self.layouts) >= _LAYOUTS_KEPT:
            self.layouts.clear()
        self.layouts[columns, block] = layout
        return layout

    @property
    def group_footers(self) -> GroupFooters:
        """Footers of a few columns and row groups, by which columns come as `with_integers` gives them."""
        if self._group_footers is None:
            self._group_footers = GroupFooters(self.with_integers, self.schema)
        return self._group_footers

    def leaf(self, column: str) -> int | None:
        """The number of the leaf that a flat column is, None for a nested one, and where it cannot be told: a column inside
        another may have the same path as a flat one with a dot in its name."""
        leaves = self._leaves[column]
        return None if pa.types.is_nested(self.schema.field(column).type) or len(leaves) > 1 else leaves[0]

    @property
    def short_decimals(self) -> dict[str, pa.DataType]:
        """Columns that are decimals of up to 18 digits, stored as integers, and the decimal64 that holds them."""
        if self._short_decimals is None:
            self._short_decimals = dict(self._find_short_decimals())
        return self._short_decimals

    @property
    def with_integers(self) -> pq.FileMetaData:
        """The metadata to read the file by: `short_decimals` come as the integers that are stored."""
        if self._with_integers is None:
            names = self.short_decimals
            self._with_integers = with_integers(self.metadata, names) if names else self.metadata
        return self._with_integers

    def _find_short_decimals(self) -> Iterator[tuple[str, pa.DataType]]:
        for entry in self.schema:
            leaf = self.leaf(entry.name) if is_short_decimal(entry.type) and self.has(entry.name) else None
            if leaf is not None and self.metadata.schema.column(leaf).physical_type in ("INT32", "INT64"):
                yield entry.name, short_decimal(entry.type)

    def repetitive_columns(self) -> tuple[str, ...]:
        """Text columns worth decoding as dictionaries: a value takes so few bytes that it must be an entry's number."""
        if self._repetitive is None:
            self._repetitive = tuple(self._find_repetitive())
        return self._repetitive

    def _find_repetitive(self) -> Iterator[str]:
        groups = [self.metadata.row_group(number) for number in range(self.row_groups)]
        for entry in self.schema:
            if not is_string(entry.type) or entry.name not in self._leaves:
                continue
            leaf = self._leaves[entry.name][0]
            chunks = [group.column(leaf) for group in groups]
            if all(_is_repetitive(chunk) for chunk in chunks):
                yield entry.name

    def column(self, name: str, kind: pa.DataType) -> FooterColumn:
        """Statistics of a column that the file has, bounds as `kind` (the table's type)."""
        key = (name, kind)
        found = self._columns.get(key)
        if found is None:
            found = self._columns[key] = self._convert(name, kind)
        return found

    def _convert(self, name: str, kind: pa.DataType) -> FooterColumn:
        leaf = self.leaf(name)
        if leaf is None:
            unknown = tuple(Range() for _ in range(self.row_groups))
            return FooterColumn(unknown, tuple(None for _ in unknown))
        stored = self.schema.field(name).type
        if pa.types.is_null(stored):
            return FooterColumn(tuple(NULLS for _ in self.rows), self.rows)
        bounds_as = _bounds_as(stored, self.metadata.schema.column(leaf).physical_type)
        pairs = [_chunk(self.metadata.row_group(group).column(leaf), bounds_as, kind) for group in range(self.row_groups)]
        return FooterColumn(tuple(bounds for bounds, _ in pairs), tuple(nulls for _, nulls in pairs))


def _leaves_in_order(metadata: pq.FileMetaData, schema: pa.Schema) -> dict[str, list[int]] | None:
    """The numbers of the leaves that each column is made of: they come in the order of the columns. None: there is a type whose
    leaves are not known here."""
    found: dict[str, list[int]] = {}
    first = 0
    for entry in schema:
        last = first + _count_leaves(entry.type)
        found.setdefault(entry.name, []).extend(range(first, last))
        first = last
    return found if first == metadata.num_columns else None


def _leaves_by_path(metadata: pq.FileMetaData, schema: pa.Schema) -> dict[str, list[int]]:
    """The same by the leaves' paths, which are ambiguous: a column's name may have dots in it."""
    found: dict[str, list[int]] = {}
    top_names = frozenset(schema.names)
    for leaf in range(metadata.num_columns):
        path = metadata.schema.column(leaf).path
        found.setdefault(path if path in top_names else path.split(".")[0], []).append(leaf)
    return found


def _count_leaves(kind: pa.DataType) -> int:
    if isinstance(kind, pa.BaseExtensionType):
        return _count_leaves(kind.storage_type)
    if pa.types.is_dictionary(kind):
        return _count_leaves(kind.value_type)
    if pa.types.is_map(kind):
        return _count_leaves(kind.key_type) + _count_leaves(kind.item_type)
    if pa.types.is_struct(kind):
        return sum(_count_leaves(kind.field(number).type) for number in range(kind.num_fields))
    if pa.types.is_nested(kind):
        return _count_leaves(kind.value_type)
    return 1


def _is_repetitive(chunk: pq.ColumnChunkMetaData) -> bool:
    # A text that is not an entry of a dictionary takes four bytes and itself.
    return bool(chunk.has_dictionary_page and chunk.total_uncompressed_size <= _BYTES_OF_A_NUMBER * chunk.num_values)


@dataclass(frozen=True, slots=True)
class _BoundsAs:
    """How a column's bounds are taken from its statistics: these attributes, as scalars of this type."""

    type: pa.DataType
    minimum: str
    maximum: str


def _bounds_as(stored: pa.DataType, physical: str) -> _BoundsAs | None:
    """None: the bounds cannot be used."""
    if pa.types.is_float16(stored):
        return None
    if pa.types.is_temporal(stored) and physical in ("INT32", "INT64"):
        # Python's time and datetime drop nanoseconds; the raw integer is in the unit of the stored type.
        return _BoundsAs(stored, "min_raw", "max_raw")
    return _BoundsAs(normalise_type(stored), "min", "max")


def _chunk(chunk: pq.ColumnChunkMetaData, bounds_as: _BoundsAs | None, kind: pa.DataType) -> tuple[Range, int | None]:
    statistics = chunk.statistics
    if statistics is None:
        return Range(), None
    nulls = stated_nulls(statistics)
    if nulls == chunk.num_values:
        return NULLS, nulls
    low = high = None
    if bounds_as is not None and statistics.has_min_max:
        low = _bound(statistics, bounds_as.minimum, bounds_as.type, kind)
        high = _bound(statistics, bounds_as.maximum, bounds_as.type, kind)
    return Range(low, high, may_be_null=nulls != 0), nulls


def stated_nulls(statistics: pq.Statistics) -> int | None:
    """The NULLs of a column chunk, None where the footer does not state them."""
    # pyarrow-stubs do not know `has_null_count`; without it an unstated count reads as 0.
    return statistics.null_count if getattr(statistics, "has_null_count", False) else None


def _bound(statistics: pq.Statistics, attribute: str, stated: pa.DataType, kind: pa.DataType) -> pa.Scalar | None:
    try:
        value = getattr(statistics, attribute)
        if isinstance(value, float) and value != value:
            return None
        scalar = pa.scalar(value, stated)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, OverflowError, UnicodeDecodeError):
        return None
    return cast_bound(scalar, kind)
