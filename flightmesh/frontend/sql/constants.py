"""What must have a value before a statement runs: numbers of rows, the ends of a series.

Handed an expression of the text; hands on its value. What always holds: it sees no column, and where its value cannot be
computed the error has its place.
"""

from __future__ import annotations

import pyarrow as pa
from sqlglot import exp

from flightmesh.errors import DataError
from flightmesh.expression.lower import evaluate_constant
from flightmesh.expression.properties import is_constant
from flightmesh.frontend.sql.clause import Clause, Site
from flightmesh.frontend.sql.context import Context
from flightmesh.frontend.sql.ctes import Environment
from flightmesh.frontend.sql.expressions import ExpressionBinder
from flightmesh.frontend.sql.scope import Scope, Tables


def constant_value(node: exp.Expr, what: str, context: Context) -> pa.Scalar | None:
    """The value of an expression in `what`, a clause or a function; None where it is not constant."""
    bound = ExpressionBinder(context, Scope(Tables(), None, Environment()), Clause(what, Site())).bind(node)
    if not is_constant(bound):
        return None
    try:
        return evaluate_constant(bound).value
    except DataError as error:
        raise context.source.error(error.message, node, error.hint) from None
