"""Plans what clients send: SQL, or the text of a YAML plan.

Handed a statement and a session; hands on a query to be run, or the rows of what was done. What always holds: `schema_of`
changes nothing and runs nothing.
"""

from __future__ import annotations

import pyarrow as pa

from flightmesh.errors import InvalidMessage, InvalidQuery
from flightmesh.node.commands import read_params
from flightmesh.node.sessions import MeshSession
from flightmesh.protocol.client_messages import Run, Statement
from flightmesh.session.workspace import Prepared


def plan_text(asked: Statement, session: MeshSession) -> Prepared | pa.Table:
    """Plans a statement; CREATE and DROP take effect. Raises InvalidQuery and InvalidPlan with the place."""
    params = read_params(asked.params)
    if (asked.sql is None) == (asked.plan is None):
        raise InvalidMessage("a statement is either sql or plan")
    if asked.sql is not None:
        return session.workspace.statement(asked.sql, asked.dialect, params)
    from flightmesh.frontend.yaml.plan import read_plan

    assert asked.plan is not None
    if params is not None and not isinstance(params, dict):
        raise InvalidQuery("parameters of a plan have names", hint="name the columns of `params` as the plan names them")
    plan = read_plan(asked.plan, asked.source or "plan", None)
    return session.workspace.plan(plan, params, dict(asked.uploads))


def schema_of(run: Run, session: MeshSession) -> pa.Schema:
    """The columns of what a command would give."""
    if run.job is not None:
        raise InvalidMessage("GetSchema takes a statement, not a job", hint="GetFlightInfo has the schema of a job")
    if run.statement is not None:
        return session.statement(run.statement).schema
    if run.sql is not None:
        return session.workspace.schema(run.sql, run.dialect, read_params(run.params))
    planned = plan_text(Statement(None, run.plan, None, run.dialect, run.params), session)
    assert isinstance(planned, Prepared)
    return session.stored(planned, "").schema
