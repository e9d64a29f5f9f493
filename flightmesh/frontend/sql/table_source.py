"""What a table in FROM reads: a WITH entry, a registered table, a view, files that the query names, or a table function.

Handed a table node; hands on its bound rows with the name they go by. What always holds: WITH entries hide registered
tables, registered tables hide paths, and a file is read only where the query says so by a path or a function.
"""

from __future__ import annotations

from pathlib import PurePath

from sqlglot import exp

from flightmesh.catalog.catalog import View
from flightmesh.errors import InvalidInput, InvalidQuery, NotAllowed, WorkerLost
from flightmesh.frontend.sql.context import Bound, Context
from flightmesh.frontend.sql.ctes import Environment, NotYet
from flightmesh.frontend.sql.names import renamed
from flightmesh.frontend.sql.parse import dialect_named, parse_statement
from flightmesh.frontend.sql.readings import read_entry, scan
from flightmesh.frontend.sql.scope import nearest
from flightmesh.frontend.sql.series import bind_series
from flightmesh.frontend.sql.source import Source

_EXTENSIONS = (
    ".parquet",
    ".parq",
    ".pq",
    ".csv",
    ".tsv",
    ".json",
    ".jsonl",
    ".ndjson",
    ".arrow",
    ".arrows",
    ".feather",
    ".ipc",
    ".gz",
    ".zst",
    ".bz2",
)
_READERS: dict[str, str | None] = {
    "read_parquet": "parquet", "parquet_scan": "parquet",
    "read_csv": "csv", "read_csv_auto": "csv",
    "read_json": "json", "read_json_auto": "json", "read_ndjson": "json", "read_ndjson_auto": "json",
    "read_arrow": "arrow", "read_ipc": "arrow", "scan_arrow_ipc": "arrow",
}  # fmt: skip
_OPTION_NAMES = {"delim": "delimiter", "sep": "delimiter"}
_IGNORED_OPTIONS = frozenset({"hive_partitioning", "auto_detect", "union_by_name"})


def bind_table(node: exp.Table, context: Context, environment: Environment) -> tuple[Bound, str, tuple[str, ...]]:
    """The rows of a table, the name it goes by without an alias, and the catalog and schema that a longer name may give."""
    if not isinstance(node.this, exp.Identifier):
        bound, name = _function(node.this, node, context)
        return bound, name, ()
    parts = tuple(part.name for part in node.parts)
    if len(parts) == 1:
        entry = environment.find(parts[0])
        if entry is not None and isinstance(entry.query, NotYet):
            raise context.source.error(
                f"the first part of the recursive query {entry.name} reads {entry.name}",
                node,
                "only the part after the last UNION may read it; several such parts stand in parentheses: (... UNION ALL ...)",
            )
        if entry is not None:
            return read_entry(entry, context), entry.name, ()
    try:
        found = context.catalog.lookup(parts)
    except InvalidQuery as error:
        if len(parts) == 1 and _is_path(node.this, context):
            return _files(parts[0], None, {}, node, context), PurePath(parts[0].rstrip("/")).stem, ()
        raise _unknown(error, node, parts, context, environment) from None
    except (InvalidInput, NotAllowed, WorkerLost) as error:
        if error.position is None:
            error.position, error.text = context.source.position(node), context.source.text
        raise
    path = parts[:-1] if len(parts) == 3 else ("memory", *(parts[:-1] or ("main",)))
    if isinstance(found, View):
        return _view(found, node, context), parts[-1], path
    return scan(found, context), parts[-1], path


def _unknown(
    error: InvalidQuery, node: exp.Table, parts: tuple[str, ...], context: Context, environment: Environment
) -> InvalidQuery:
    near = nearest(parts[0], {name: name for name in environment.names()}) if len(parts) == 1 else None
    hint = f"did you mean {near}?" if near else error.hint
    if len(parts) == 1 and _is_inside(node, parts[0]):
        hint = f"WITH RECURSIVE lets {parts[0]} read itself"
    return context.source.error(error.message, node, hint)


def _is_inside(node: exp.Expr, name: str) -> bool:
    """Whether a node stands in a WITH entry of this name."""
    cte = node.find_ancestor(exp.CTE)
    while cte is not None and cte.alias.casefold() != name.casefold():
        cte = cte.find_ancestor(exp.CTE)
    return cte is not None


def _is_path(identifier: exp.Identifier, context: Context) -> bool:
    """Whether a name that no table has is a path: written in single quotes, or quoted with the looks of one."""
    start = identifier.meta.get("start")
    if start is not None and context.source.text[start : start + 1] == "'":
        return True
    name = identifier.name
    return bool(identifier.args.get("quoted")) and ("/" in name or "*" in name or name.lower().endswith(_EXTENSIONS))


def _files(paths: str | list[str], kind: str | None, options: dict[str, str], node: exp.Expr, context: Context) -> Bound:
    try:
        table = context.catalog.open_path(paths, kind, options)
    except (InvalidInput, InvalidQuery, NotAllowed) as error:
        if error.position is None:
            error.position, error.text = context.source.position(node), context.source.text
        raise
    return scan(table, context)


def _view(view: View, node: exp.Table, context: Context) -> Bound:
    if view.name.casefold() in context.views:
        raise context.source.error(f"the view {view.name} reads itself", node)
    source = Source(view.text)
    dialect = dialect_named(view.dialect)
    inner = context.with_text(source, dialect, view.dialect, view.name.casefold())
    try:
        bound = inner.bind_query(parse_statement(source, dialect).tree, inner, Environment(), None)
    except InvalidQuery as error:
        error.message = f"in the view {view.name}: {error.message}"
        raise
    return renamed(bound, (), context, view.name)


def _function(call: exp.Expr, node: exp.Table, context: Context) -> tuple[Bound, str]:
    if isinstance(call, exp.GenerateSeries):
        return bind_series(call, node, context)
    name = call.name if isinstance(call, exp.Anonymous) else call.sql_name() if isinstance(call, exp.Func) else call.key
    name = name.lower()
    if name not in _READERS:
        name = (context.source.word(call) or name).lower()
        near = nearest(name, {reader: reader for reader in _READERS})
        raise context.source.unsupported(f"the table function {name}", node, f"did you mean {near}?" if near else None)
    args = [part for part in ([call.args.get("this")] if isinstance(call, exp.ReadCSV) else []) if part is not None] + list(
        call.expressions
    )
    if not args:
        raise context.source.error(f"{name} needs a path", node, f"{name}('data/*.{_READERS[name]}')")
    options = dict(pair for arg in args[1:] if (pair := _option(name, arg, context)) is not None)
    return _files(_paths(name, args[0], context), _READERS[name], options, node, context), name


def _paths(function: str, node: exp.Expr, context: Context) -> str | list[str]:
    if isinstance(node, exp.Array):
        return [_text(function, part, context) for part in node.expressions]
    return _text(function, node, context)


def _text(function: str, node: exp.Expr, context: Context) -> str:
    if isinstance(node, exp.Literal) and node.is_string:
        return str(node.this)
    if isinstance(node, exp.Placeholder | exp.Parameter | exp.Literal):
        value = context.parameters.literal(node, context.source).value.as_py()
        if isinstance(value, str):
            return value
    raise context.source.error(f"{function} takes a path as constant text", node)


def _option(function: str, node: exp.Expr, context: Context) -> tuple[str, str] | None:
    if not isinstance(node, exp.EQ | exp.PropertyEQ) or not isinstance(node.this, exp.Column | exp.Identifier):
        raise context.source.error(
            f"{function} takes one path, then options such as delim = ';'", node, "give several paths as a list: ['a', 'b']"
        )
    name, value = node.this.name.lower(), node.expression
    if name in _IGNORED_OPTIONS:
        return None
    match value:
        case exp.Boolean():
            text = "true" if value.this else "false"
        case exp.Literal():
            text = str(value.this)
        case _:
            raise context.source.error(f"the option {name} takes a constant", value)
    return _OPTION_NAMES.get(name, name), text
