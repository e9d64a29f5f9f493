"""A relation of a FROM clause with the names that it is read by.

Handed on between the tables and the joins of one FROM clause.
"""

from __future__ import annotations

from flightmesh.dataclass import dataclass
from flightmesh.expression.nodes import Field
from flightmesh.frontend.sql.scope import Tables
from flightmesh.logical.relations import Relation


@dataclass(frozen=True, slots=True)
class Joined:
    """A relation with the names it is read by."""

    relation: Relation
    tables: Tables


def side_by_side(left: Joined, right: Joined) -> Tables:
    """The tables of two sides, nothing merged."""
    mine, other = left.tables, right.tables
    return Tables(
        (*mine.ranges, *other.ranges), (*mine.star, *other.star), mine.hidden | other.hidden, (*mine.merged, *other.merged)
    )


def visible(tables: Tables, name: str) -> list[Field]:
    """The columns that a bare name means among these tables."""
    wanted = name.casefold()
    found = [f for owner in tables.ranges for f in owner.fields if f.name.casefold() == wanted and f.id not in tables.hidden]
    return found + [f for f in tables.merged if f.name.casefold() == wanted and f.id not in tables.hidden]
