"""Deals the splits of scans to the attempts that read them: the first ones unasked, then whenever they ask; several at a time
while many are left, since asking is a round trip (through the event loop even in one process), one at a time at the end, so
that no task waits on another's long file, and where a few rows are enough.

Handed what scans found, who is placed and who wants more; hands on grants. What always holds: a split goes to one attempt, and
the table says which; a task is given what its own worker holds before what others do. Splits of files that nodes serve stay
where they are: a task elsewhere is given them only when no task is there, or will be, that could read them; and a task is told
that none are left only when another one is left that will draw what there still is. So each is drawn, once.
"""

from __future__ import annotations

from dataclasses import replace

from flightmesh.catalog.table import FileSplit, Split
from flightmesh.dataclass import dataclass
from flightmesh.driver.entries import Holders, Share, SplitQueue, Table, TaskEntry
from flightmesh.driver.events import DriverEffect, FindSplits, Send
from flightmesh.driver.transitions import TaskPhase
from flightmesh.errors import InternalError
from flightmesh.ids import JobId, StageId, TaskId, WorkerId
from flightmesh.protocol.messages import GrantSplits, WantSplits
from flightmesh.stage.graph import StageGraph


@dataclass(frozen=True, slots=True)
class Portion:
    """How much a grant is: so many of `whole` parts of what is the task's even part of the splits that are left, and splits at
    most."""

    parts: int
    whole: int
    most: int

    def of(self, left: int, tasks: int) -> int:
        """The part for one of so many tasks, rounded up; not more than the most."""
        return min(self.most, -(-left * self.parts // (self.whole * tasks)))


FIRST, LATER = Portion(1, 2, 8), Portion(3, 4, 16)
"""At first a task is given less: a limit may stop it soon, and how fast it is nobody knows."""

SMALL_ROWS = 128 * 1024
"""Rows of splits that are granted together: fewer are read in less time than asking takes."""


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
    table.queues[key] = SplitQueue(_by_reader(table, splits) if table.config.split_affinity else _by_holder(splits))
    effects: list[DriverEffect] = []
    for want in queue.waiting:
        task = table.task(want.attempt.task)
        if task is not None and task.attempt == want.attempt and task.phase.is_resident and not task.has_all(source):
            effects.extend(grant(table, want))
    return effects


def first_grants(table: Table, task: TaskEntry) -> list[DriverEffect]:
    """What a task that has been placed is given unasked: the first splits of each of its scans, or, while none are listed, a
    place among those that wait for them."""
    effects: list[DriverEffect] = []
    for scan in table.stage(task.id).scans:
        now = table.task(task.id)
        if now is not None and not now.has_all(scan.source):
            effects.extend(grant(table, WantSplits(task.attempt, scan.source, 0)))
    return effects


def grant(table: Table, want: WantSplits) -> list[DriverEffect]:
    """The next splits for an attempt, recorded as drawn; an empty grant when there are none left, as soon as the last was
    taken; nothing while none are listed.

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
    table: Table, task: TaskEntry, worker: WorkerId, want: WantSplits, shares: dict[Holders, Share]
) -> list[DriverEffect]:
    holders = _place_to_draw(table, task, worker, want.source, shares)
    if holders is None:
        table.put(replace(task, grants=(*task.grants, (want.source, 0))))
        return [_grant(worker, want, ())]
    share = shares[holders]
    stage = table.stage(task.id)
    has_limit = any(scan.source == want.source and scan.limit is not None for scan in stage.scans)
    readers = -(-stage.tasks // len(shares)) if holders and table.config.split_affinity else stage.tasks
    count = 1 if has_limit else _count(share, readers, FIRST if want.number == 0 else LATER)
    splits = share.splits[share.next : share.next + count]
    left = {**shares, holders: replace(share, next=share.next + count)}
    table.queues[task.id.job, task.id.stage, want.source] = SplitQueue(left)
    drawn = (*task.drawn, *((want.source, split) for split in splits))
    table.put(replace(task, drawn=drawn, grants=(*task.grants, (want.source, count))))
    granted: list[DriverEffect] = [_grant(worker, want, splits)]
    if not any(share.left for share in left.values()):
        granted.extend(_tell_none_left(table, task.id, want.source))
    return granted


def _tell_none_left(table: Table, drawer: TaskId, source: int) -> list[DriverEffect]:
    """That no splits of a scan are left, to all tasks that would ask for more of them."""
    told: list[DriverEffect] = []
    for task in table.tasks[drawer.job][drawer.stage]:
        if task.phase is TaskPhase.RUNNING and task.worker is not None and not task.has_all(source):
            number = sum(granted == source for granted, _ in task.grants)
            table.put(replace(task, grants=(*task.grants, (source, 0))))
            told.append(_grant(task.worker, WantSplits(task.attempt, source, number), ()))
    return told


def _count(share: Share, tasks: int, portion: Portion) -> int:
    """How many splits a request is given: a part of what is the task's even part of those left, so that all tasks end together
    (Hummel, Schonberg and Flynn, "Factoring", 1992); as many as its even part where they are small."""
    count = portion.of(share.left, tasks)
    most = min(portion.most, -(-share.left // tasks))
    while count < most and _rows(share, count + 1) <= SMALL_ROWS:
        count += 1
    return count


def _rows(share: Share, count: int) -> int:
    """Rows of the next splits; where a split does not say, too many to be small."""
    splits = share.splits[share.next : share.next + count]
    return sum(SMALL_ROWS + 1 if split.rows is None else split.rows for split in splits)


def holders_of(split: Split) -> Holders:
    """The workers that have a split's rows; none if it is read everywhere."""
    if isinstance(split, FileSplit):
        return split.holders
    return () if split.holder is None else (split.holder,)


def _by_holder(splits: tuple[Split, ...]) -> dict[Holders, Share]:
    shares: dict[tuple[Holders, bool], list[Split]] = {}
    for split in splits:
        holders = holders_of(split)
        shares.setdefault((holders, bool(holders) and isinstance(split, FileSplit)), []).append(split)
    return {holders: Share(tuple(held), stays=stays) for (holders, stays), held in shares.items()}


def _by_reader(table: Table, splits: tuple[Split, ...]) -> dict[Holders, Share]:
    """As `_by_holder`; files that every worker reads are dealt to the workers there are, the same part of them each time."""
    workers = sorted(worker.id for worker in table.takers())
    dealt: dict[WorkerId, list[Split]] = {}
    others: list[Split] = []
    for split in splits:
        if isinstance(split, FileSplit) and not split.holders and workers:
            number = split.file + (split.pieces[0] if split.pieces else 0)
            dealt.setdefault(workers[number % len(workers)], []).append(split)
        else:
            others.append(split)
    return _by_holder(tuple(others)) | {(worker,): Share(tuple(held)) for worker, held in dealt.items()}


def _place_to_draw(
    table: Table, task: TaskEntry, worker: WorkerId, source: int, shares: dict[Holders, Share]
) -> Holders | None:
    """Whose splits a task draws from: its own worker's (what no other has first), else what nobody holds, else those of whom
    has most left, unless they are to be read there. None: none are left for it."""
    left = [holders for holders, share in shares.items() if share.left]
    own = [holders for holders in left if worker in holders]
    if own:
        return min(own, key=len)
    if () in left:
        return ()
    free = [holders for holders in left if not (shares[holders].stays and _will_be_drawn(table, task, source, holders))]
    return max(free, key=lambda holders: shares[holders].left, default=None)


def _will_be_drawn(table: Table, task: TaskEntry, source: int, holders: Holders) -> bool:
    """Whether another task draws what `holders` have: one that is there and asks for more, or one that waits for a place, which
    may be there. Wherever that one will be, it asks."""
    may_be_there = any(worker.id in holders for worker in table.takers())
    for other in table.tasks[task.id.job][task.id.stage]:
        if other.id == task.id or other.phase.is_over:
            continue
        if may_be_there if other.phase is TaskPhase.PENDING else other.worker in holders and not other.has_all(source):
            return True
    return False


def _grant(worker: WorkerId, want: WantSplits, splits: tuple[Split, ...]) -> Send:
    return Send(worker, GrantSplits(want.attempt, want.source, want.number, splits))
