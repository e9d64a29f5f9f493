"""Rule: a shared relation is computed once for all its readers, or once for each, whichever costs less.

Handed a query whose filters are pushed down; hands on one whose shared relations give only rows that some reader keeps (the
readers' filters, under OR, pushed into the shared relation), and in which a relation that costs less to compute for each
reader under that reader's own filter than to keep stands in its readers. What always holds: what might not come out the same
twice (random(), a limit, a ranking with ties, a sum of floats) is computed once.
"""

from __future__ import annotations

from functools import partial

from flightmesh.expression.nodes import Expression, columns_of, conjunction
from flightmesh.expression.properties import is_volatile
from flightmesh.ids import ColumnId
from flightmesh.logical.expressions import with_fresh_ids
from flightmesh.logical.relations import Definition, Filter, Project, Relation, With
from flightmesh.optimize.booleans import is_true, joined, simplify_or_parts
from flightmesh.optimize.context import Context
from flightmesh.optimize.empty_inputs import remove_empty_inputs
from flightmesh.optimize.estimate import estimate
from flightmesh.optimize.fragile import is_fragile
from flightmesh.optimize.push_filters import filtered_down
from flightmesh.optimize.readers import Reader, readers, replaced
from flightmesh.optimize.repeatable import is_repeatable
from flightmesh.optimize.shared import inline_shared, read_inline
from flightmesh.optimize.simplify import simplify
from flightmesh.optimize.work import KEPT, work

Predicates = tuple[Expression, ...]

MOST_COPIES = 4
"""With more readers than that a relation is shared: plans must not grow out of bounds."""


def place_shared(relation: Relation, context: Context) -> Relation:
    """The query with its shared relations cut down, and those that are cheap copied."""
    if not isinstance(relation, With):
        return relation
    body = relation.body
    kept: list[Definition] = []
    # From the last to the first: what is pushed into one may be a filter over one before it.
    for old in reversed(relation.definitions):
        parts = (*(d.relation for d in kept), body)
        found = [r for part in parts for r in readers(part) if r.reference.shared == old.id]
        common = _common(found)
        shared = _cut_down(old.relation, common, found)
        if _copies_are_cheaper(old.relation, shared, found, context):
            change = partial(_copied, old, context)
        else:
            kept.insert(0, old if shared is old.relation else Definition(old.id, old.name, shared))
            if not common:
                continue
            change = partial(_without, old, frozenset(common))
        kept = [Definition(d.id, d.name, replaced(d.relation, change)) for d in kept]
        body = replaced(body, change)
    return inline_shared(With(tuple(kept), body), context) if kept else body


def _movable(reader: Reader) -> Predicates:
    """What a reader keeps to, over the shared relation's columns, as far as it may be asked earlier."""
    return tuple(p for p in reader.of_source(reader.predicates) if not is_volatile(p) and not is_fragile(p))


def _common(found: list[Reader]) -> Predicates:
    """What all readers keep to."""
    each = [_movable(reader) for reader in found]
    return tuple(p for p in each[0] if all(p in other for other in each[1:])) if each else ()


def _cut_down(relation: Relation, common: Predicates, found: list[Reader]) -> Relation:
    """The shared relation without rows that no reader keeps."""
    rests = [tuple(p for p in _movable(reader) if p not in common) for reader in found]
    if not rests or not all(rests):
        return filtered_down(relation, common)
    some = simplify_or_parts([joined("and", list(rest)) for rest in rests])
    if is_true(some):
        return filtered_down(relation, common)
    cut = filtered_down(relation, (*common, some))
    return filtered_down(cut, _of_one_column(rests)) if _stays_on_top(cut) else cut


def _stays_on_top(relation: Relation) -> bool:
    while isinstance(relation, Project):
        relation = relation.input
    return isinstance(relation, Filter)


def _of_one_column(rests: list[Predicates]) -> Predicates:
    """What follows from the readers' predicates for single columns, and may go where the whole cannot: below a grouping."""
    said = [_by_column(rest) for rest in rests]
    shared = [column for column in said[0] if all(column in other for other in said[1:])]
    found = (simplify_or_parts([joined("and", one[column]) for one in said]) for column in shared)
    return tuple(part for part in found if not is_true(part))


def _by_column(parts: Predicates) -> dict[ColumnId, list[Expression]]:
    found: dict[ColumnId, list[Expression]] = {}
    for part in parts:
        read = columns_of(part)
        if len(read) == 1:
            found.setdefault(next(iter(read)), []).append(part)
    return found


def _copies_are_cheaper(alone: Relation, shared: Relation, found: list[Reader], context: Context) -> bool:
    if not 1 < len(found) <= MOST_COPIES or not is_repeatable(alone):
        return False
    once = work(shared, context) + KEPT * estimate(shared, context).rows * (1 + len(found))
    copies = 0.0
    for reader in found:
        own = filtered_down(alone, reader.of_source(reader.predicates))
        copies += work(remove_empty_inputs(simplify(own, context), context), context)
        if copies >= once:
            return False
    return True


def _copied(old: Definition, context: Context, reader: Reader) -> Relation | None:
    """The reader over a copy of its own."""
    if reader.reference.shared != old.id:
        return None
    copy, names = with_fresh_ids(old.relation, context.ids)
    read = read_inline(reader.reference, copy, names)
    return filtered_down(read, reader.predicates)


def _without(old: Definition, common: frozenset[Expression], reader: Reader) -> Relation | None:
    """The reader without the predicates that its shared relation sees to."""
    if reader.reference.shared != old.id:
        return None
    own = zip(reader.predicates, reader.of_source(reader.predicates), strict=True)
    predicate = conjunction(tuple(part for part, of_source in own if of_source not in common))
    return reader.reference if predicate is None else Filter(reader.reference, predicate)
