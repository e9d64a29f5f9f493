"""Names that a query gives to the columns of another: `AS t(a, b)`.

Handed a bound query and names; hands on the same rows. What always holds: no two columns share a name.
"""

from __future__ import annotations

from sqlglot import exp

from flightmesh.expression.nodes import Field
from flightmesh.frontend.sql.context import Bound, Context


def renamed(bound: Bound, columns: tuple[exp.Identifier, ...], context: Context, name: str) -> Bound:
    """The query with its first columns named anew; columns that share a name are told apart as DuckDB does (a, a_1)."""
    if len(columns) > len(bound.fields):
        raise context.source.error(
            f"{name} has {len(bound.fields)} columns, but {len(columns)} names are given", columns[len(bound.fields)]
        )
    names = [column.name for column in columns] + [f.name for f in bound.fields[len(columns) :]]
    taken: set[str] = set()
    fields = []
    for old, wanted in zip(bound.fields, names, strict=True):
        unique, number = wanted, 0
        while unique.casefold() in taken:
            number += 1
            unique = f"{wanted}_{number}"
        taken.add(unique.casefold())
        fields.append(old if unique == old.name else Field(old.id, unique, old.type, old.nullable))
    return Bound(bound.relation, tuple(fields))
