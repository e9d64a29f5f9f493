"""By which values rows were dealt to tasks, and by which ones their readers need them together.

Handed what operators pass on, rename and equate; hands on whether rows are where a reader needs them, and by which of its keys
to deal them so that the readers above need no further exchange. What always holds: values that are equal have one hash (NULL
too, and -0.0 as 0.0), so columns that a join has equated stand for each other; rows dealt by some of the keys that a reader
needs together are together for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

from flightmesh.expression.nodes import Call, Case, Column, Expression, When
from flightmesh.ids import ColumnId
from flightmesh.optimize.estimate import distinct_of
from flightmesh.optimize.selectivity import Columns

MOST_NULLS = 0.25
"""Rows are not dealt by columns that are NULL in a larger part of them: those would all go to one task."""

Value: TypeAlias = ColumnId | frozenset[ColumnId]
"""The value of a column; or of that one of two columns which is not NULL, where a FULL join has matched them."""
Places: TypeAlias = tuple[frozenset[Value], ...]
"""How rows were dealt by hash: for each value that was hashed, in order, all that has it. It may name columns that have been
dropped since: nobody asks for them."""
Needs: TypeAlias = tuple[tuple[Value, ...], ...]
"""The values by which readers need equal rows together, the nearest reader first. Each need is a part of the one before, so
what suits the last suits all; its order is the one in which the reader would hash them."""


def places_by(keys: Iterable[Column]) -> Places:
    """Of rows dealt by these keys."""
    return tuple(frozenset[Value]({key.id}) for key in keys)


def are_together(places: Places | None, keys: Iterable[ColumnId]) -> bool:
    """Whether rows that agree in the keys are certainly in one task."""
    wanted = frozenset[Value](keys)
    return bool(places) and all(place & wanted for place in places or ())


def renamed(places: Places | None, names: Iterable[tuple[ColumnId, Expression]]) -> Places | None:
    """The places with the names that values get: each a column and the expression that makes it."""
    if places is None:
        return None
    made: dict[Value, set[Value]] = {}
    for name, expression in names:
        value = value_of(expression)
        if value is not None:
            made.setdefault(value, set()).add(name)

    def known_as(value: Value) -> set[Value]:
        found = {value, *made.get(value, ())}
        if isinstance(value, frozenset):
            one, other = value
            found.update(
                frozenset({a, b})
                for a in made.get(one, ())
                for b in made.get(other, ())
                if not isinstance(a, frozenset) and not isinstance(b, frozenset) and a != b
            )
        return found

    return tuple(frozenset(name for value in place for name in known_as(value)) for place in places)


def united(parts: Sequence[Places | None]) -> Places | None:
    """The places of all rows of several inputs: those where all were dealt by the same."""
    known = [places for places in parts if places is not None]
    if len(known) < len(parts) or len({len(places) for places in known}) != 1:
        return None
    shared = tuple(frozenset[Value].intersection(*of_one) for of_one in zip(*known, strict=True))
    return shared if all(shared) else None


def value_of(expression: Expression) -> Value | None:
    """What a plain column, or the first of two columns that is not NULL, is the value of; None for other expressions."""
    match expression:
        case Column(id=id):
            return id
        case Call(function="coalesce", args=(Column() as one, Column() as other)):
            return _either(one, other)
        case Case(
            whens=(When(condition=Call(function="is_not_null", args=(asked,)), value=Column() as one),),
            otherwise=Column() as other,
        ) if asked == one:
            return _either(one, other)
        case Case(
            whens=(When(condition=Call(function="is_null", args=(asked,)), value=Column() as other),),
            otherwise=Column() as one,
        ) if asked == one:
            return _either(one, other)
        case _:
            return None


def _either(one: Column, other: Column) -> Value | None:
    return frozenset({one.id, other.id}) if one.type == other.type and one.id != other.id else None


def needs(own: Sequence[Value], above: Needs) -> Needs:
    """The needs of a reader's input: its own, then what they share with those of the readers above it."""
    found = [tuple(own)] if own else []
    for need in above:
        part = tuple(value for value in need if value in own)
        if part:
            if set(part) == set(found[-1]):
                found.pop()
            found.append(part)
    return tuple(found)


def sought(above: Needs, sources: Mapping[Value, Value]) -> Needs:
    """The needs in the values of an input: `sources` says where each comes from, and what is made here is left out."""
    translated = []
    for need in above:
        values = (_source(value, sources) for value in need)
        part = tuple(dict.fromkeys(value for value in values if value is not None))
        if part:
            translated.append(part)
    return tuple(translated)


def _source(value: Value, sources: Mapping[Value, Value]) -> Value | None:
    found = sources.get(value)
    if found is not None or not isinstance(value, frozenset):
        return found
    both = [sources.get(part) for part in value]
    columns = [part for part in both if part is not None and not isinstance(part, frozenset)]
    return frozenset(columns) if len(set(columns)) == 2 else None


def chosen(above: Needs, keys: Mapping[ColumnId, Column], columns: Columns, least: float) -> tuple[Column, ...]:
    """The keys by which to deal: those that suit the most readers and have at least so many values; else all."""
    for need in reversed(above):
        part = tuple(keys[value] for value in need if not isinstance(value, frozenset) and value in keys)
        if part and are_spread((key.id for key in part), columns, least):
            return part
    return tuple(keys.values())


def are_spread(keys: Iterable[ColumnId], columns: Columns, least: float) -> bool:
    """Whether rows dealt by these keys are expected to be at least so many groups, and not mostly NULL."""
    known = [columns[key] for key in keys if key in columns]
    return bool(known) and distinct_of(known) >= least and min(column.null_fraction for column in known) <= MOST_NULLS
