"""Where the rows of a join meet: in one task, at a build that all tasks share, or dealt by the keys.

Handed the two sides as they were planned, and what the readers above need together; hands on the sides brought together. What
always holds: a side that is dealt by some of the keys stays where it is, and the other one comes to it; where both have to
move, it is by those keys that suit the readers, if they have values enough.
"""

from __future__ import annotations

from collections.abc import Sequence

from flightmesh.dataclass import dataclass
from flightmesh.expression.nodes import Column
from flightmesh.ids import ColumnId
from flightmesh.logical.relations import Join, JoinKind
from flightmesh.physical.dynamic_filters import may_filter
from flightmesh.physical.join_condition import Condition
from flightmesh.physical.one_task import is_few
from flightmesh.physical.operators import BuildSide, KeyPair
from flightmesh.physical.partitioning import Broadcast, Hash
from flightmesh.physical.placement import Needs, Places, Value, are_spread, needs, sought
from flightmesh.physical.planned import Planned, Planning, exchange, gather


@dataclass(frozen=True, slots=True)
class Meeting:
    """Both sides brought together, and how the rows of the join are dealt then."""

    side: BuildSide
    probe: Planned
    build: Planned
    hashed: Places | None


def is_whole(condition: Condition) -> bool:
    """Whether the whole build matters to every probe row: there are no keys, or a NULL among them, or that there is none."""
    return not condition.equalities or condition.null_aware


def is_sent(join: Join, condition: Condition, planning: Planning) -> bool:
    """Whether the build is sent to all tasks and the probe side stays where it is."""
    return join.kind is not JoinKind.FULL and (is_whole(condition) or _shares(join, planning))


def probe_needs(join: Join, condition: Condition, above: Needs, planning: Planning) -> Needs:
    """What the probe side is needed by together: where it stays, only by the readers; else by the keys."""
    pairs = _plain_pairs(condition)
    if join.kind is JoinKind.FULL:
        sources: dict[Value, Value] = {frozenset(pair): pair[0] for pair in pairs}
    else:
        sources = {f.id: f.id for f in join.left.fields}
        if join.kind is JoinKind.INNER:
            sources |= {right: left for left, right in pairs}
    passed = sought(above, sources)
    if passed and is_sent(join, condition, planning):
        return passed
    return needs([left for left, _ in pairs], passed)


def build_needs(join: Join, condition: Condition, above: Needs, probe: Planned, planning: Planning) -> Needs:
    """What the build side is needed by together: as the probe side is, if it is dealt by keys already."""
    pairs = _plain_pairs(condition)
    own = [right for _, right in pairs]
    dealt = _matching(probe.hashed, [left for left, _ in pairs])
    if dealt is not None:
        return needs(own, (tuple(own[number] for number in dealt),))
    if is_sent(join, condition, planning):
        return ()
    sources: dict[Value, Value] = {frozenset(pair): pair[1] for pair in pairs}
    if join.kind is not JoinKind.FULL:
        sources = dict[Value, Value](pairs)
        if join.kind is JoinKind.INNER:
            sources |= {right: right for right in own}
    return needs(own, sought(above, sources))


def _plain_pairs(condition: Condition) -> list[tuple[ColumnId, ColumnId]]:
    sides = ((e.left, e.right) for e in condition.equalities)
    return [(left.id, right.id) for left, right in sides if isinstance(left, Column) and isinstance(right, Column)]


def meet(
    join: Join,
    condition: Condition,
    keys: tuple[KeyPair, ...],
    sides: tuple[Planned, Planned],
    above: Needs,
    share: float,
    planning: Planning,
) -> Meeting:
    """The `sides` (probe, build), which have the keys as columns, brought together. `share`: of the probe rows that are
    expected to have a partner."""
    probe, build = sides
    if probe.single and build.single:
        return Meeting(BuildSide.OWN, probe, build, None)
    sent = is_sent(join, condition, planning)
    of_probe = _matching(probe.hashed, [key.probe.id for key in keys])
    of_build = _matching(build.hashed, [key.build.id for key in keys])
    # The keys of a build that is sent may spare the scans of the probe side most of their rows.
    stay = not is_whole(condition) and not (sent and may_filter(join.kind, share, planning))
    if stay and of_probe is not None and of_probe == of_build:
        return Meeting(BuildSide.OWN, probe, build, _after(join.kind, probe.hashed, keys, of_probe))
    if sent:
        moved = exchange(build, Broadcast(), planning)
        return Meeting(BuildSide.SHARED, probe, moved, _after(join.kind, probe.hashed, keys, ()))
    if not keys or _are_few(probe, build, planning):
        return Meeting(BuildSide.OWN, gather(probe, planning), gather(build, planning), None)
    by = _dealt_by(join, keys, of_probe, of_build, above, planning)
    if of_probe != by:
        probe = exchange(probe, Hash(tuple(keys[number].probe for number in by), planning.buckets()), planning)
    if of_build != by:
        build = exchange(build, Hash(tuple(keys[number].build for number in by), planning.buckets()), planning)
    return Meeting(BuildSide.OWN, probe, build, _after(join.kind, probe.hashed, keys, by))


def _matching(places: Places | None, keys: Sequence[ColumnId]) -> tuple[int, ...] | None:
    """By which of the keys (their numbers, in the order of the hash) rows are dealt; None where by something else."""
    if not places:
        return None
    numbers = [next((number for number, key in enumerate(keys) if key in place), None) for place in places]
    known = tuple(number for number in numbers if number is not None)
    return known if len(known) == len(numbers) else None


def _dealt_by(
    join: Join,
    keys: tuple[KeyPair, ...],
    of_probe: tuple[int, ...] | None,
    of_build: tuple[int, ...] | None,
    above: Needs,
    planning: Planning,
) -> tuple[int, ...]:
    """The numbers of the keys by which both sides are to be dealt."""
    left, right = planning.estimate(join.left), planning.estimate(join.right)
    if of_probe is not None and of_build is not None:
        return of_probe if left.rows * left.row_bytes >= right.rows * right.row_bytes else of_build
    stays = of_probe or of_build
    if stays is not None:
        return stays
    least = planning.least_groups()
    for need in reversed(above):
        found = [n for value in need for n, key in enumerate(keys) if value in _values(join.kind, key)]
        numbers = tuple(dict.fromkeys(found))
        on_left = are_spread((keys[n].probe.id for n in numbers), left.columns, least)
        if on_left and are_spread((keys[n].build.id for n in numbers), right.columns, least):
            return numbers
    return tuple(range(len(keys)))


def _values(kind: JoinKind, key: KeyPair) -> tuple[Value, ...]:
    """The values of the join's rows that are dealt where both sides are by this key."""
    match kind:
        case JoinKind.FULL:
            return (frozenset({key.probe.id, key.build.id}),)
        case JoinKind.INNER:
            return (key.probe.id, key.build.id)
        case _:
            return (key.probe.id,)


def _after(kind: JoinKind, hashed: Places | None, keys: tuple[KeyPair, ...], by: tuple[int, ...]) -> Places | None:
    """How the rows of a join are dealt whose probe side is `hashed`, and whose sides are both dealt by the keys `by`."""
    if kind is JoinKind.FULL:  # where a side has no row its columns are NULL
        return tuple(frozenset(_values(kind, keys[number])) for number in by) or None
    if kind is not JoinKind.INNER or hashed is None:
        return hashed
    return tuple(place.union(key.build.id for key in keys if key.probe.id in place) for place in hashed)


def _are_few(probe: Planned, build: Planned, planning: Planning) -> bool:
    """Whether the rows of both sides together are worth one task."""
    if probe.rows is None or build.rows is None:
        return False
    return is_few(probe.rows + build.rows, planning.config)


def _shares(join: Join, planning: Planning) -> bool:
    if planning.config.planner.share_builds:
        return True
    size = planning.estimate(join.right)
    return size.rows * size.row_bytes <= planning.config.planner.broadcast_bytes
