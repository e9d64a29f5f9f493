"""A join's residual condition over candidate pairs, and the three-valued truth of a probe row's comparison with the whole
build.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from flightmesh.compute import pc
from flightmesh.expression.lower import compile_expressions
from flightmesh.expression.nodes import columns_of
from flightmesh.fragment.join_build import JoinBuild, has_null_key
from flightmesh.fragment.join_output import Rows, given_type
from flightmesh.fragment.pair_blocks import PairBlocks
from flightmesh.fragment.site import Site
from flightmesh.kernel.batches import make_batch, take_rows
from flightmesh.kernel.equality import rows_equal
from flightmesh.kernel.lookup import Lookup, all_pairs
from flightmesh.kernel.values import Array, Mask, unpack_bits, validity
from flightmesh.physical.operators import HashJoin

WINDOW_BYTES = 16 << 20
"""Bytes that the pairs looked at together may come to, about."""


class JoinCondition:
    """Decides which candidate pairs of a join match."""

    def __init__(self, node: HashJoin, built: JoinBuild, site: Site) -> None:
        self._node = node
        self._built = built
        self._site = site
        self._program = None if node.residual is None else compile_expressions((node.residual,))
        read = frozenset() if node.residual is None else columns_of(node.residual)
        self._probe_names = [f.key for f in node.probe.fields if f.id in read]
        self._build_names = [f.key for f in node.build.fields if f.id in read]
        held = built.rows.schema
        kinds = [(f.key, given_type(held.field(f.key).type, f.type)) for f in node.build.fields if f.id in read]
        self._build_schema = pa.schema(kinds)
        self._blocks = PairBlocks(built.rows.select(self._build_names), site.context.morsel_rows)
        self._build_width = built.rows.nbytes // max(1, built.rows.num_rows)
        self._null_keys = np.flatnonzero(has_null_key(built.rows, self._unsafe_build_keys())) if node.null_aware else None

    @property
    def always(self) -> bool:
        """Whether candidates match without a further condition."""
        return self._program is None

    def matches(self, batch: pa.RecordBatch, found: Lookup) -> Iterator[tuple[Rows, Rows]]:
        """The pairs that match, at most a morsel at a time, in order of probe rows."""
        for probe, build, _ in self._tested(batch, found):
            if len(probe):
                yield probe, build

    def truth(self, batch: pa.RecordBatch, found: Lookup) -> tuple[Mask, Mask]:
        """For each probe row whether some build row matches, and, where none does, whether that is unknown."""
        rows = batch.num_rows
        if self._program is None:
            true, unknown = found.matched(), np.zeros(rows, np.bool_)
        else:
            true, unknown = np.zeros(rows, np.bool_), np.zeros(rows, np.bool_)
            for hit, _, maybe in self._tested(batch, found):
                true[hit] = True
                unknown[maybe] = True
        if self._node.null_aware and self._built.count:
            self._add_unknown_keys(batch, true, unknown)
        return true, unknown & ~true

    def _tested(self, batch: pa.RecordBatch, found: Lookup) -> Iterator[tuple[Rows, Rows, Rows]]:
        """Of at most a morsel of candidates at a time: the probe and build rows that match, the probe rows of unknown ones."""
        if self._program is None:
            for probe, build in found.pairs(self._window(batch)):
                self._site.context.check()
                yield probe, build, probe[:0]
        elif self._built.index is None:
            for block in self._blocks.of(batch.select(self._probe_names)):
                self._site.context.check()
                (value,) = self._program.run(block.pairs)
                matching = block.rows(np.flatnonzero(unpack_bits(value)))
                yield *matching, block.rows(np.flatnonzero(_unknown(value)))[0] if value.null_count else matching[0][:0]
        else:
            for probe, build in found.pairs(self._window(batch)):
                self._site.context.check()
                true, null = self._verdict(batch, probe, build)
                yield probe[true], build[true], probe[null]

    def _window(self, batch: pa.RecordBatch) -> int:
        """Pairs at a time: a morsel, or fewer when their rows are long."""
        size: int = self._build_width + batch.nbytes // max(1, batch.num_rows)
        return max(1, min(self._site.context.morsel_rows, WINDOW_BYTES // max(1, size)))

    def _verdict(self, batch: pa.RecordBatch, probe: Rows, build: Rows) -> tuple[Mask, Mask]:
        """Of each pair whether the residual is true, and whether it is NULL."""
        if self._program is None:
            return np.ones(len(probe), np.bool_), np.zeros(len(probe), np.bool_)
        left = batch.select(self._probe_names).take(pa.array(probe))
        right = take_rows(self._built.rows.select(self._build_names), build, self._build_schema)
        pairs = make_batch([*left.columns, *right.columns], [*self._probe_names, *self._build_names], len(probe))
        (value,) = self._program.run(pairs)
        return unpack_bits(value), _unknown(value)

    def _add_unknown_keys(self, batch: pa.RecordBatch, true: Mask, unknown: Mask) -> None:
        """Adds the probe rows for which a comparison with a NULL key, on either side, is all that stands between."""
        null_probe = has_null_key(batch, [k.probe.key for k in self._node.keys if not k.null_safe])
        null_build = self._null_keys
        if null_build is None:
            return
        if len(self._node.keys) == 1 and self._program is None:
            unknown |= null_probe if len(null_build) == 0 else True
            return
        open_rows = ~true & ~unknown
        self._compare(batch, np.flatnonzero(open_rows & null_probe), np.arange(self._built.count), unknown)
        self._compare(batch, np.flatnonzero(open_rows & ~null_probe), null_build, unknown)

    def _compare(self, batch: pa.RecordBatch, probe_rows: Rows, build_rows: Rows, unknown: Mask) -> None:
        """Compares these rows pair by pair (all have a NULL key on one side, so no pair is true)."""
        for i, j in all_pairs(len(probe_rows), len(build_rows)).pairs(self._site.context.morsel_rows):
            self._site.context.check()
            probe, build = probe_rows[i], build_rows[j]
            possible = ~self._keys_differ(batch, probe, build)
            probe, build = probe[possible], build[possible]
            true, null = self._verdict(batch, probe, build)
            unknown[probe[true | null]] = True

    def _keys_differ(self, batch: pa.RecordBatch, probe: Rows, build: Rows) -> Mask:
        """Of each pair whether one of the keys is certainly not equal."""
        differ = np.zeros(len(probe), np.bool_)
        for key in self._node.keys:
            left = batch.column(key.probe.key).take(pa.array(probe))
            right = self._built.rows.column(key.build.key).take(pa.array(build))
            one = ~rows_equal([left], [right])
            if not key.null_safe:
                for side in (left, right):
                    valid = validity(side)
                    if valid is not None:
                        one &= valid
            differ |= one
        return differ

    def _unsafe_build_keys(self) -> list[str]:
        return [k.build.key for k in self._node.keys if not k.null_safe]


def _unknown(verdicts: Array) -> Mask:
    """Which verdicts are NULL."""
    return unpack_bits(pc.is_null(verdicts)) if verdicts.null_count else np.zeros(len(verdicts), np.bool_)
