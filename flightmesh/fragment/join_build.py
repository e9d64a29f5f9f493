"""The build side of a join: its rows in one batch, and the index over their keys. Immutable once built; tasks may share it."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from flightmesh.dataclass import dataclass
from flightmesh.expression.nodes import columns_of
from flightmesh.fragment.encoded_columns import encode_build
from flightmesh.fragment.metrics import Pull
from flightmesh.fragment.site import Memory, Site, batch_bytes
from flightmesh.kernel.batches import drained
from flightmesh.kernel.join_index import JoinIndex, build_join_index, build_key_index
from flightmesh.kernel.key_filter import KeyFilter, build_key_filter
from flightmesh.kernel.lookup import Lookup, all_pairs
from flightmesh.kernel.values import Mask, validity
from flightmesh.logical.relations import JoinKind
from flightmesh.physical.operators import HashJoin, Operator, operator_inputs


@dataclass(frozen=True, slots=True)
class BuildRows:
    """`rows` holds the build columns that the join reads; `filters` are those that the join makes, by their numbers."""

    rows: pa.RecordBatch
    filters: tuple[tuple[int, KeyFilter], ...]


@dataclass(frozen=True, slots=True)
class JoinBuild:
    """`rows` holds the build columns that the join reads, `index` finds them by key (None: a join without keys); `filters` are
    those that the join makes, by their numbers."""

    rows: pa.RecordBatch
    index: JoinIndex | None
    filters: tuple[tuple[int, KeyFilter], ...] = ()

    @property
    def count(self) -> int:
        """Build rows."""
        return int(self.rows.num_rows)

    def lookup(self, batch: pa.RecordBatch, node: HashJoin) -> Lookup:
        """The build rows whose keys match each row of a probe batch."""
        if self.index is None:
            return all_pairs(batch.num_rows, self.count)
        return self.index.lookup([batch.column(k.probe.key) for k in node.keys], batch.num_rows)


def build_schema(node: HashJoin) -> pa.Schema:
    """The build columns that the join reads: its keys, the residual's, those it gives."""
    wanted = {k.build.id for k in node.keys} | {f.id for f in node.fields}
    if node.residual is not None:
        wanted |= columns_of(node.residual)
    return pa.schema([pa.field(f.key, f.type) for f in node.build.fields if f.id in wanted])


def collect_build(node: HashJoin, rows: Pull, site: Site, memory: Memory) -> JoinBuild:
    """Reads the build side to its end and indexes it."""
    return index_build(node, collect_rows(node, rows, site, memory), site, memory)


def collect_rows(node: HashJoin, rows: Pull, site: Site, memory: Memory) -> BuildRows:
    """Reads the build side to its end and makes the join's filters."""
    schema = build_schema(node)
    names = schema.names
    collected: list[pa.RecordBatch] = []
    for batch in rows:
        site.context.check()
        narrow = batch.select(names)
        memory.take(batch_bytes(narrow))
        collected.append(narrow)
        del batch, narrow
    merged = drained(collected, schema)
    filters = tuple((made.number, build_key_filter([merged.column(made.column.key)])) for made in node.dynamic)
    memory.take(sum(each.nbytes for _, each in filters))
    site.metrics.count("build_rows", merged.num_rows)
    return BuildRows(merged, filters)


def index_build(node: HashJoin, build: BuildRows, site: Site, memory: Memory) -> JoinBuild:
    """The rows, texts of them perhaps as dictionaries, with the index over their keys."""
    merged, index = build.rows, None
    if node.keys:
        build_index = build_key_index if _only_asks(node) else build_join_index
        keys = [merged.column(k.build.key) for k in node.keys]
        index = build_index(keys, [k.null_safe for k in node.keys], expected_rows(node.probe) or 0)
        memory.take(index.nbytes)
    encoded = encode_build(merged, node, site.encoded)
    memory.take(max(0, batch_bytes(encoded) - batch_bytes(merged)))
    return JoinBuild(encoded, index, build.filters)


def _only_asks(node: HashJoin) -> bool:
    """Whether the join only needs to know if there is a match."""
    return node.residual is None and node.kind in (JoinKind.SEMI, JoinKind.ANTI, JoinKind.MARK)


def expected_rows(node: Operator) -> float | None:
    """The planner's estimate of an operator's rows, or of its input's where it only passes rows on."""
    while (estimate := getattr(node, "estimate", None)) is None:
        inputs = operator_inputs(node)
        if len(inputs) != 1:
            return None
        node = inputs[0]
    return float(estimate)


def has_null_key(batch: pa.RecordBatch, names: list[str]) -> Mask:
    """Which rows have NULL in one of these columns."""
    result = np.zeros(batch.num_rows, np.bool_)
    for name in names:
        column = batch.column(name)
        valid = np.zeros(len(column), np.bool_) if pa.types.is_null(column.type) else validity(column)
        if valid is not None:
            result |= ~valid
    return result
