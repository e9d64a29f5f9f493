"""Deals the splits of scans to the attempts that ask for them: in one process one at a time, so that no task waits on another's
long file; on a mesh, where asking is a round trip, several while many are left.

Handed what scans found and who wants more; hands on grants. What always holds: a split goes to one attempt, and the table
says which; a task is given what its own worker holds before what others do.
"""

from __future__ import annotations

from dataclasses import replace

from flightmesh.catalog.table import MemorySplit, Split
from flightmesh.driver.entries import Share, SplitQueue, Table, TaskEntry
from flightmesh.driver.events import DriverEffect, FindSplits, Send
from flightmesh.errors import InternalError
from flightmesh.ids import JobId, StageId, WorkerId
from flightmesh.protocol.messages import GrantSplits, WantSplits
from flightmesh.stage.graph import StageGraph

MOST_GRANTED = 8
"""Splits of one grant."""


def open_queues(table: Table, job: JobId, graph: StageGraph) -> list[DriverEffect]:
    """A queue for every scan of a job, and the orders to list their splits."""
    effects: list[DriverEffect] = []
    for stage in graph.stages:
        for scan in stage.scans:
            table.queues[job, stage.id, scan.source] = SplitQueue()
            effects.append(FindSplits(job, stage.id, scan))
    return effects


def fill_queue(table: Table, job: JobId, stage: StageId, source: int, splits: tuple[Split, ...]) -> list[DriverEffect]:
    """Puts the splits of a scan in and serves whoever waited for them."""
    key = (job, stage, source)
    queue = table.queues.get(key)
    if queue is None or queue.shares is not None:
        return []
    table.queues[key] = SplitQueue(_by_holder(splits))
    effects: list[DriverEffect] = []
    for want in queue.waiting:
        task = table.task(want.attempt.task)
        if task is not None and task.attempt == want.attempt and task.phase.is_resident:
            effects.extend(grant(table, want))
    return effects


def grant(table: Table, want: WantSplits) -> list[DriverEffect]:
    """The next splits for an attempt, recorded as drawn; an empty grant when there are none left, on a mesh right after the one
    that took the last; nothing while none are listed.

    A request that comes again is given what it drew the first time. Raises InternalError for one that skips a number.
    """
    task = table.task(want.attempt.task)
    if task is None or task.worker is None:
        return []
    key = (want.attempt.task.job, want.attempt.task.stage, want.source)
    queue = table.queues.get(key)
    if queue is None:
        raise InternalError(f"attempt {want.attempt} asked for splits of scan {want.source}, which it does not have")
    sizes = [count for source, count in task.grants if source == want.source]
    if want.number > len(sizes):
        raise InternalError(f"attempt {want.attempt} asked {want.number} times for splits and was given {len(sizes)}")
    if want.number < len(sizes):
        drawn = [split for source, split in task.drawn if source == want.source]
        first = sum(sizes[: want.number])
        return [_grant(task.worker, want, tuple(drawn[first : first + sizes[want.number]]))]
    if queue.shares is None:
        if want not in queue.waiting:
            table.queues[key] = replace(queue, waiting=(*queue.waiting, want))
        return []
    return _draw(table, task, task.worker, want, queue.shares)


def _draw(
    table: Table, task: TaskEntry, worker: WorkerId, want: WantSplits, shares: dict[str | None, Share]
) -> list[DriverEffect]:
    holder = _holder_for(shares, worker)
    share = shares.get(holder)
    if share is None or not share.left:
        return [_grant(worker, want, ())]
    is_far = table.workers[worker].address is not None
    count = _count(share, want.number, table.stage(task.id).tasks) if is_far else 1
    splits = share.splits[share.next : share.next + count]
    left = {**shares, holder: replace(share, next=share.next + count)}
    table.queues[task.id.job, task.id.stage, want.source] = SplitQueue(left)
    drawn = (*task.drawn, *((want.source, split) for split in splits))
    table.put(replace(task, drawn=drawn, grants=(*task.grants, (want.source, count))))
    granted: list[DriverEffect] = [_grant(worker, want, splits)]
    if is_far and not any(share.left for share in left.values()):
        granted.append(_grant(worker, replace(want, number=want.number + 1), ()))
    return granted


def _count(share: Share, number: int, tasks: int) -> int:
    """How many splits a request is given: at first one, so that a query that needs only a few rows stops soon; then more each
    time; but never more than half of what is the task's even part of those left, so that all tasks end together."""
    return max(1, min(MOST_GRANTED, 1 << min(number, MOST_GRANTED), share.left // (2 * tasks)))


def _by_holder(splits: tuple[Split, ...]) -> dict[str | None, Share]:
    shares: dict[str | None, list[Split]] = {}
    for split in splits:
        shares.setdefault(split.holder if isinstance(split, MemorySplit) else None, []).append(split)
    return {holder: Share(tuple(held)) for holder, held in shares.items()}


def _holder_for(shares: dict[str | None, Share], worker: WorkerId) -> str | None:
    """Whose splits a task draws from: its own worker's, else what nobody holds, else those of whom has most left."""
    for own in (worker, None):
        if own in shares and shares[own].left:
            return own
    return max(shares, key=lambda holder: shares[holder].left, default=None)


def _grant(worker: WorkerId, want: WantSplits, splits: tuple[Split, ...]) -> Send:
    return Send(worker, GrantSplits(want.attempt, want.source, want.number, splits))
