"""Puts the steps of a plan in order and makes one query of them.

Handed a query for each step; hands on one tree, `WITH step AS (...), ...` and the output step as its body, whose
tables are steps, inputs (under the schema `INPUTS`) or files. What always holds: a step comes after those it reads,
nobody reads in a circle, and a name means one thing in a plan.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import PurePath

from sqlglot import exp

from flightmesh.dataclass import dataclass
from flightmesh.errors import InvalidPlan
from flightmesh.frontend.yaml.document import Document, Node
from flightmesh.frontend.yaml.validation import nearest

INPUTS = "inputs of the plan"
"""The schema under which a plan's inputs are known to the binder, so that they hide nothing of the session's."""

_FILES = (".parquet", ".parq", ".pq", ".csv", ".tsv", ".json", ".jsonl", ".ndjson", ".arrow", ".arrows", ".feather", ".ipc")


@dataclass(frozen=True, slots=True)
class LoweredStep:
    """One step as a query, with the steps it reads."""

    name: str
    node: Node
    query: exp.Query
    reads: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Names:
    """The names of a plan, by their folded form."""

    steps: Mapping[str, str]
    inputs: Mapping[str, str]

    def all(self) -> list[str]:
        """Everything that a step can read."""
        return [*self.steps.values(), *self.inputs.values()]


def plan_names(document: Document, steps: Iterable[str], inputs: Iterable[str]) -> Names:
    """The names of a plan. Refuses a step named like an input and names that differ by case only."""
    seen: dict[str, tuple[str, str]] = {}
    for section, names in (("inputs", inputs), ("steps", steps)):
        for name in names:
            before = seen.get(name.casefold())
            if before is not None:
                node = document.root.get(section)
                what = "an input" if before[0] == "inputs" else "a step"
                raise document.error(
                    f"{name!r} is the name of {what} already", node.key(name) if node else None, "choose another name"
                )
            seen[name.casefold()] = (section, name)
    folded = {kind: {key: name for key, (section, name) in seen.items() if section == kind} for kind in ("steps", "inputs")}
    return Names(folded["steps"], folded["inputs"])


def resolve_step(
    document: Document, names: Names, name: str, node: Node, query: exp.Query, path: Callable[[str], str]
) -> LoweredStep:
    """The step with its tables resolved. `path` makes a file name that stands in SQL absolute."""
    own = _own_names(document, names, node, query)
    reads: dict[str, None] = {}
    for table in list(query.find_all(exp.Table)):
        if not isinstance(table.this, exp.Identifier):
            _resolve_function(table.this, path)
        elif table.args.get("db") is None and table.name.casefold() not in own:
            read = _resolve_table(document, names, node, table, path)
            if read is not None:
                reads[read] = None
    return LoweredStep(name, node, query, tuple(reads))


def _own_names(document: Document, names: Names, node: Node, query: exp.Query) -> set[str]:
    """The CTEs of a step's SQL."""
    own = set()
    for cte in query.find_all(exp.CTE):
        name = cte.alias
        if name.casefold() in names.steps or name.casefold() in names.inputs:
            raise _at(
                document, cte.args["alias"].this, node, f"the CTE {name!r} is named like a step or input", "choose another name"
            )
        own.add(name.casefold())
    return own


def _resolve_table(document: Document, names: Names, node: Node, table: exp.Table, path: Callable[[str], str]) -> str | None:
    """Points a table at a step (returned), an input, or a file."""
    written, key = table.name, table.name.casefold()
    identifier = table.this
    if key in names.steps:
        identifier.set("this", names.steps[key])
        return names.steps[key]
    if key in names.inputs:
        if not table.alias:
            table.set("alias", exp.TableAlias(this=exp.to_identifier(written)))
        target = exp.to_identifier(names.inputs[key])
        target.meta.update(identifier.meta)
        table.set("this", target)
        table.set("db", exp.to_identifier(INPUTS, quoted=True))
        return None
    if _is_file(written):
        identifier.set("this", path(written))
        return None
    hint = nearest(written, names.all())
    raise _at(document, identifier, node, f"no step or input is named {written!r}", hint)


def _is_file(name: str) -> bool:
    return "://" in name or os.sep in name or PurePath(name).suffix.lower() in _FILES


def _resolve_function(call: exp.Expr, path: Callable[[str], str]) -> None:
    """Makes the file names in `read_parquet('...')` and its kind absolute."""
    if "read" not in call.sql().lower().partition("(")[0]:
        return
    for literal in call.find_all(exp.Literal):
        if literal.is_string and _is_file(literal.name) and not isinstance(literal.parent, exp.EQ | exp.PropertyEQ | exp.Kwarg):
            literal.set("this", path(literal.name))


def _at(document: Document, tree: exp.Expr, node: Node, message: str, hint: str | None) -> InvalidPlan:
    start = tree.meta.get("start") if tree._meta else None
    if start is None:
        return document.error(message, node, hint)
    return document.error_at(message, start, tree.meta["end"] + 1, hint)


def in_order(document: Document, steps: Mapping[str, LoweredStep], output: str) -> tuple[LoweredStep, ...]:
    """The steps that the output needs, each after those it reads, the output last. Raises InvalidPlan for a circle."""
    done: dict[str, LoweredStep] = {}
    trail: list[str] = []

    def visit(name: str) -> None:
        if name in done:
            return
        if name in trail:
            circle = " -> ".join([*trail[trail.index(name) :], name])
            raise document.error(
                f"steps read one another in a circle: {circle}", steps[name].node, "a step reads only what is there before it"
            )
        trail.append(name)
        for read in steps[name].reads:
            visit(read)
        trail.pop()
        done[name] = steps[name]

    visit(output)
    return tuple(done.values())


def one_query(ordered: tuple[LoweredStep, ...]) -> exp.Query:
    """One query: the last step's, with the steps before it as CTEs before its own."""
    *before, output = ordered
    body = output.query.copy()
    if not before:
        return body
    ctes = [exp.CTE(this=step.query.copy(), alias=exp.TableAlias(this=exp.to_identifier(step.name))) for step in before]
    own = body.args.get("with_")
    clause = exp.With(expressions=[*ctes, *(own.expressions if own is not None else ())])
    clause.set("recursive", own is not None and own.args.get("recursive"))
    body.set("with_", clause)
    return body
