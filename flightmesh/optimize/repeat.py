"""Rows repeated as often as a column says, without an operator for it.

Handed a relation with a column of counts; hands on each row that many times. The copies of a row are numbered in base 16, a
digit a join: the digits from the highest down are joined on `number so far < count`, so a row meets 16 digits a level and
only those that lead to one of its copies are kept.
"""

from __future__ import annotations

import pyarrow as pa

from flightmesh.expression.nodes import Call, Column, Expression, Field, Literal
from flightmesh.logical.relations import Item, Join, JoinKind, Project, Relation, Values, passes
from flightmesh.optimize.context import Context

BASE = 16
LEVELS = 8
"""Up to 16 ** 8 copies of one row: more rows than a query of one process can hold."""


def repeated(
    relation: Relation, count: Column, fields: tuple[Field, ...], context: Context, most: int = BASE**LEVELS
) -> Relation:
    """The columns `fields` of the relation, each row `count` times; `most`: no count is larger."""
    levels = 1
    while levels < LEVELS and BASE**levels < most:
        levels += 1
    number: Expression = Literal(pa.scalar(0, pa.int64()))
    kept = tuple(passes(f.column()) for f in fields)
    for level in reversed(range(levels)):
        digit = Field(context.ids.fresh(), "digit", pa.int64(), False)
        values = pa.array([d * BASE**level for d in range(BASE)], pa.int64())
        digits = Values((digit,), pa.RecordBatch.from_arrays([values], [digit.key]))
        wider = Call("add", (number, digit.column()), pa.int64())
        joined = Join(relation, digits, JoinKind.INNER, Call("less", (wider, count), pa.bool_()))
        if level == 0:
            return Project(joined, kept)
        made = Field(context.ids.fresh(), "number", pa.int64(), False)
        relation = Project(joined, (*kept, passes(count), Item(made, wider)))
        number = made.column()
    return relation
