"""Binds unnest in FROM, and series in FROM that are not of constant whole numbers: the elements of lists as tables.

Handed a call's node and the scope of its arguments, which is that of the tables before it; hands on the rows of an Unnest over
one row. What always holds: a list that reads columns makes the table a lateral one.
"""

from __future__ import annotations

import pyarrow as pa
from sqlglot import exp

from flightmesh.expression.nodes import Expression, Field
from flightmesh.expression.registry import bind_call
from flightmesh.frontend.sql.clause import Clause, Site
from flightmesh.frontend.sql.context import Bound, Context
from flightmesh.frontend.sql.expressions import ExpressionBinder
from flightmesh.frontend.sql.functions_map import translate
from flightmesh.frontend.sql.scope import Scope
from flightmesh.frontend.sql.unnests import as_list
from flightmesh.frontend.sql.values import one_row
from flightmesh.logical.relations import Project, Relation, Unnest, UnnestItem, passes


def bind_unnest(node: exp.Unnest, context: Context, scope: Scope) -> Bound:
    """The elements of one list as a table, numbered from 1 WITH ORDINALITY."""
    if len(node.expressions) != 1:
        raise context.source.error("unnest in FROM takes one list", node, "write unnest(a), unnest(b) in a select list")
    site = Site()
    inner = node.expressions[0]
    bound = as_list(ExpressionBinder(context, scope, Clause("unnest", site)).bind(inner), inner, context)
    ordinal = None
    offset = node.args.get("offset")
    if offset:
        written = offset.name if isinstance(offset, exp.Identifier) and offset.name != "offset" else "ordinality"
        ordinal = Field(context.state.ids.fresh(), written, pa.int64(), False)
    return _rows(bound, "unnest", ordinal, site, context)


def bind_series(node: exp.GenerateSeries, context: Context, scope: Scope) -> tuple[Bound, str]:
    """The values of a series as a table: of dates or timestamps, or one that columns bound."""
    site = Site()
    translated = translate(node)
    assert translated is not None
    name, parts = translated
    binder = ExpressionBinder(context, scope, Clause(name, site))
    bound = bind_call(name, [binder.bind(part) for part in parts], context.source.position(node))
    return _rows(bound, name, None, site, context), name


def _rows(bound: Expression, name: str, ordinal: Field | None, site: Site, context: Context) -> Bound:
    item = UnnestItem(Field(context.state.ids.fresh(), name, bound.type.value_type), bound)
    relation: Relation = Unnest(site.attach(one_row()), (item,), ordinal=ordinal)
    fields = (item.field, *(() if ordinal is None else (ordinal,)))
    if relation.fields != fields:
        relation = Project(relation, tuple(passes(f.column()) for f in fields))
    return Bound(relation, fields)
