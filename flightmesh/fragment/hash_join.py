"""Runs HashJoin: builds the table of one side (or finds the one that another task built), then streams the probe side past it.

A join without keys compares every pair and runs here too: only the way candidates are found differs. Output batches hold at
most a morsel of rows, however many matches a probe row has; small ones are gathered.

MARK and null-aware ANTI are three-valued: a row's truth is TRUE when a pair matches; else unknown when a pair's residual is
NULL or, null-aware, when a NULL key leaves its comparison open; else FALSE. Elsewhere an unknown condition does not match.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import assert_never

import numpy as np
import pyarrow as pa

from flightmesh.dataclass import dataclass
from flightmesh.errors import DataError, InternalError
from flightmesh.fragment.coalesce import coalesce
from flightmesh.fragment.join_build import BuildRows, JoinBuild, collect_build, collect_rows, index_build
from flightmesh.fragment.join_condition import JoinCondition
from flightmesh.fragment.join_output import JoinOutput
from flightmesh.fragment.metrics import Pull
from flightmesh.fragment.site import Memory, Site
from flightmesh.fragment.turns import Turns
from flightmesh.kernel.batches import rows_without_columns
from flightmesh.kernel.key_filter import KeyFilter
from flightmesh.kernel.lookup import Lookup
from flightmesh.kernel.masks import keep_rows
from flightmesh.kernel.values import Mask
from flightmesh.logical.relations import JoinKind
from flightmesh.physical.operators import BuildSide, HashJoin, ReadExchange
from flightmesh.physical.recursion import is_kept

NEEDS_BUILD_ROWS = (JoinKind.INNER, JoinKind.SEMI, JoinKind.RIGHT)
"""Kinds that give nothing when the build side is empty."""


def run_hash_join(node: HashJoin, probe: Pull, build: Pull, site: Site) -> Iterator[pa.RecordBatch]:
    """The joined rows, as `node.fields`."""
    with site.memory("the build side of a join") as memory:
        if site.turns is not None and is_kept(node.build):
            built = _kept_build(node, build, site, site.turns, memory)
        elif node.side is BuildSide.SHARED:
            yield from coalesce(_with_shared_build(node, probe, build, site), site.context.morsel_rows)
            return
        else:
            built = collect_build(node, build, site, memory)
        build.close()
        if built.count == 0 and node.kind in NEEDS_BUILD_ROWS:
            probe.close()
            return
        site.filters.update(built.filters)
        yield from coalesce(_Join(node, built, site).run(probe), site.context.morsel_rows)


def _kept_build(node: HashJoin, build: Pull, site: Site, turns: Turns, memory: Memory) -> JoinBuild:
    """The build of a join that is the same in every turn of a recursion, made in the first."""
    known = turns.builds.get(site.position)
    if known is None:
        if isinstance(node.build, ReadExchange):
            turns.once.add(node.build.edge)
        known = turns.builds[site.position] = collect_build(node, build, site, memory)
        memory.keep()
    if not isinstance(known, JoinBuild):
        raise InternalError(f"what is kept for join {site.position} is a {type(known).__name__}")
    return known


def _with_shared_build(node: HashJoin, probe: Pull, build: Pull, site: Site) -> Iterator[pa.RecordBatch]:
    """The joined rows, of one build for all tasks of the stage on this worker. The first task to come reads its rows, and goes
    on to index them; the others begin with the probe side meanwhile: a filtered scan reads long before it gives rows."""
    if node.kind in (JoinKind.RIGHT, JoinKind.FULL):
        raise InternalError(f"a {node.kind.value} join cannot share its build: unmatched build rows would be given once a task")
    shared, is_first = _shared_rows(node, build, site)
    build.close()
    if shared.count == 0 and node.kind in NEEDS_BUILD_ROWS:
        probe.close()
        return
    site.filters.update(shared.filters)
    begun: list[pa.RecordBatch] = []
    if not is_first:
        batch = next(probe, None)
        if batch is None:
            return
        begun.append(batch)
    built = _indexed(node, shared, site)
    yield from _Join(node, built, site).run(chain(begun, probe))


@dataclass(slots=True)
class _SharedBuild:
    """The build of a join that tasks share: first its rows, of so many `bytes`, later its index in their place."""

    rows: BuildRows | None
    count: int
    filters: tuple[tuple[int, KeyFilter], ...]
    bytes: int
    built: JoinBuild | None = None


def _shared_rows(node: HashJoin, build: Pull, site: Site) -> tuple[_SharedBuild, bool]:
    """The build with its rows read, and whether this task has done that."""
    key = ("join build", int(site.context.attempt.task.stage), site.position)
    with site.context.shared(key) as slot, site.memory("the shared build side of a join") as memory:
        is_first = slot.value is None
        if is_first:
            rows = collect_rows(node, build, site, memory)
            slot.value = _SharedBuild(rows, int(rows.rows.num_rows), rows.filters, memory.held)
            memory.keep()
        if not isinstance(slot.value, _SharedBuild):
            raise InternalError(f"the shared object {key} is a {type(slot.value).__name__}")
        return slot.value, is_first


def _indexed(node: HashJoin, shared: _SharedBuild, site: Site) -> JoinBuild:
    """The build with its index; who comes first makes it."""
    key = ("join index", int(site.context.attempt.task.stage), site.position)
    with site.context.shared(key) as slot, site.memory("the shared build side of a join") as memory:
        if shared.rows is not None:
            shared.built = index_build(node, shared.rows, site, memory)
            slot.value = shared.built
            details = site.metrics.details
            details["memory_peak"] = max(details.get("memory_peak", 0), shared.bytes + memory.held)
            shared.rows = None
            memory.keep()
        if shared.built is None:
            raise InternalError(f"the shared object {key} was not made")
        return shared.built


class _Join:
    """One task's probing of one build."""

    def __init__(self, node: HashJoin, built: JoinBuild, site: Site) -> None:
        self._node = node
        self._built = built
        self._site = site
        self._output = JoinOutput(node, built.rows)
        self._condition = JoinCondition(node, built, site)
        self._given: Mask | None = None
        if node.kind in (JoinKind.RIGHT, JoinKind.FULL):
            self._given = np.zeros(built.count, np.bool_)

    def run(self, probe: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in probe:
            self._site.context.check()
            if batch.num_rows:
                yield from self._join(batch, self._built.lookup(batch, self._node))
        if self._given is not None:
            missing = np.flatnonzero(~self._given)
            for start in range(0, len(missing), self._site.context.morsel_rows):
                yield self._output.build_only(missing[start : start + self._site.context.morsel_rows])

    def _join(self, batch: pa.RecordBatch, found: Lookup) -> Iterator[pa.RecordBatch]:
        kind = self._node.kind
        match kind:
            case JoinKind.INNER | JoinKind.RIGHT:
                return self._inner(batch, found)
            case JoinKind.LEFT | JoinKind.FULL | JoinKind.SINGLE:
                return self._outer(batch, found)
            case JoinKind.SEMI:
                return self._kept(batch, self._condition.truth(batch, found)[0])
            case JoinKind.ANTI:
                true, unknown = self._condition.truth(batch, found)
                return self._kept(batch, ~(true | unknown) if self._node.null_aware else ~true)
            case JoinKind.MARK:
                true, unknown = self._condition.truth(batch, found)
                return iter((self._output.marked(batch, pa.array(true, mask=unknown)),))
            case _:
                assert_never(kind)

    def _inner(self, batch: pa.RecordBatch, found: Lookup) -> Iterator[pa.RecordBatch]:
        for probe, build in self._condition.matches(batch, found):
            self._give(build)
            yield self._output.pairs(batch, probe, build)

    def _outer(self, batch: pa.RecordBatch, found: Lookup) -> Iterator[pa.RecordBatch]:
        if self._condition.always and found.single:
            first = found.first()
            self._give(first[first >= 0])
            yield self._output.every_probe_row(batch, first)
            return
        matches = np.zeros(batch.num_rows, np.int64)
        for probe, build in self._condition.matches(batch, found):
            matches += np.bincount(probe, minlength=batch.num_rows)
            if self._node.kind is JoinKind.SINGLE and (matches > 1).any():
                raise DataError(
                    "a subquery used as a value gave more than one row",
                    hint="add LIMIT 1, or an aggregate such as any_value(...)",
                    position=self._node.at,
                )
            self._give(build)
            yield self._output.pairs(batch, probe, build)
        yield self._output.probe_only(batch, np.flatnonzero(matches == 0))

    def _kept(self, batch: pa.RecordBatch, keep: Mask) -> Iterator[pa.RecordBatch]:
        names = [f.key for f in self._node.fields]
        part = batch.select(names) if names else rows_without_columns(batch.num_rows)
        yield keep_rows(part, keep)

    def _give(self, build: np.ndarray) -> None:
        if self._given is not None:
            self._given[build] = True
