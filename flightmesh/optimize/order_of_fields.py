"""Columns back in the order that a reader by position needs (the client, a set operation)."""

from __future__ import annotations

from flightmesh.expression.nodes import Field
from flightmesh.logical.relations import Project, Relation, passes


def in_order(relation: Relation, fields: tuple[Field, ...]) -> Relation:
    """The relation with exactly these columns in this order; itself when it has them already."""
    if [f.id for f in relation.fields] == [f.id for f in fields]:
        return relation
    by_id = {f.id: f for f in relation.fields}
    return Project(relation, tuple(passes(by_id[f.id].column()) for f in fields))
