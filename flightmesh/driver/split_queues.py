"""Deals the splits of scans to the attempts that ask for them, one at a time, so that no task waits on another's long file.

Handed what scans found and who wants more; hands on grants. What always holds: a split goes to one attempt, and the table
says which; a task is given what its own worker holds before what others do.
"""

from __future__ import annotations

from dataclasses import replace

from flightmesh.catalog.table import MemorySplit, Split
from flightmesh.driver.entries import Share, SplitQueue, Table
from flightmesh.driver.events import DriverEffect, FindSplits, Send
from flightmesh.errors import InternalError
from flightmesh.ids import JobId, StageId, WorkerId
from flightmesh.protocol.messages import GrantSplits, WantSplits
from flightmesh.stage.graph import StageGraph


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
    """The next split for an attempt, recorded as drawn; an empty grant when there are none left; nothing while none are listed.

    A request that comes again is given what it drew the first time. Raises InternalError for one that skips a number.
    """
    task = table.task(want.attempt.task)
    if task is None or task.worker is None:
        return []
    key = (want.attempt.task.job, want.attempt.task.stage, want.source)
    queue = table.queues.get(key)
    if queue is None:
        raise InternalError(f"attempt {want.attempt} asked for splits of scan {want.source}, which it does not have")
    drawn = [split for source, split in task.drawn if source == want.source]
    if want.number > len(drawn):
        raise InternalError(f"attempt {want.attempt} asked {want.number} times for splits and was given {len(drawn)}")
    if want.number < len(drawn):
        return [_grant(task.worker, want, (drawn[want.number],))]
    if queue.shares is None:
        if want not in queue.waiting:
            table.queues[key] = replace(queue, waiting=(*queue.waiting, want))
        return []
    holder = _holder_for(queue.shares, task.worker)
    share = queue.shares.get(holder)
    if share is None or not share.left:
        return [_grant(task.worker, want, ())]
    split = share.splits[share.next]
    table.queues[key] = SplitQueue({**queue.shares, holder: replace(share, next=share.next + 1)})
    table.put(replace(task, drawn=(*task.drawn, (want.source, split))))
    return [_grant(task.worker, want, (split,))]


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
