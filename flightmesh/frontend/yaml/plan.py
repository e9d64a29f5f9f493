"""A plan file from text to a typed relation.

Handed a path, or a plan's text; hands on a `PlanFile` (read, validated, in order), and from that with a catalog and
values for its parameters a `PlannedFile`. What always holds: whatever is wrong is an InvalidPlan that points into the
file, and relative paths in a plan are relative to its folder; where there is none (a plan that was sent to a mesh), they stay
as they are.
"""

from __future__ import annotations

import enum
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from sqlglot.dialects.dialect import Dialect

from flightmesh.catalog.catalog import Catalog, Entry
from flightmesh.catalog.named_files import named_files
from flightmesh.catalog.names import split_name
from flightmesh.catalog.table import Format, Storage
from flightmesh.dataclass import dataclass
from flightmesh.errors import DataError, InvalidInput, InvalidPlan, InvalidQuery, NotAllowed, Position
from flightmesh.frontend.yaml.binding import Scope, bind_steps
from flightmesh.frontend.yaml.document import Document, Node, read_document
from flightmesh.frontend.yaml.fragments import Fragments
from flightmesh.frontend.yaml.lower import StepLowering
from flightmesh.frontend.yaml.model import Input, Plan, Settings
from flightmesh.frontend.yaml.params import bind_params, sample_params
from flightmesh.frontend.yaml.steps import INPUTS, LoweredStep, Names, in_order, plan_names, resolve_step
from flightmesh.frontend.yaml.validation import nearest, validate
from flightmesh.ids import ColumnIds
from flightmesh.logical.relations import Relation

_SUBSTITUTION = re.compile(r"\{([^{}]*)\}")
_COLON = re.compile(r":[A-Za-z_]\w*")


@dataclass(frozen=True, slots=True)
class PlanFile:
    """A plan that has been read and validated. `folder` is what its relative paths are relative to: None for a plan that came
    from another machine."""

    document: Document
    plan: Plan
    folder: Path | None
    output: str
    names: Names

    @property
    def title(self) -> str:
        """The plan's name: the one it gives itself, or the file's."""
        return self.plan.plan or Path(self.document.name).stem


class Landing(enum.Enum):
    """Who writes a plan's files on a mesh: the nodes, or the client that asked. In one process that is the same."""

    NODES = "nodes"
    CLIENT = "client"


@dataclass(frozen=True, slots=True)
class Target:
    """Where a plan writes: an absolute path or a URL (a relative path in a plan without a folder); a slash at its end means a
    folder."""

    format: Format
    path: str
    landing: Landing = Landing.NODES


@dataclass(frozen=True, slots=True)
class LocalInput:
    """An input whose files (`file: local`) are those of who runs the plan."""

    name: str
    format: str
    paths: tuple[str, ...]
    options: Mapping[str, str]
    storage: Storage | None
    place: Node | None
    """Where the plan names them."""


@dataclass(frozen=True, slots=True)
class PlannedFile:
    """A plan bound to a catalog and to values: the relation with the names of its columns, and what to do with its rows."""

    relation: Relation
    names: tuple[str, ...]
    inputs: tuple[str, ...]
    write: Target | None
    settings: Settings


def load_plan(source: str | os.PathLike[str]) -> PlanFile:
    """The plan in a file; a string with a line break is the plan itself, relative to the working directory.

    Raises InvalidInput when there is no such file and InvalidPlan, with position, for anything that is wrong in it.
    """
    if isinstance(source, str) and "\n" in source:
        return read_plan(source, "plan", Path.cwd())
    path = Path(source)
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise InvalidPlan(f"{path} is not text in UTF-8", position=Position(1, 1, 1, str(path))) from None
    except OSError as error:
        hint = nearest(path.name, [item.name for item in path.parent.glob("*.y*ml")]) if path.parent.is_dir() else None
        raise InvalidInput(f"the plan {path} cannot be read: {(error.strerror or str(error)).lower()}", hint=hint) from None
    return read_plan(text, str(path), path.absolute().parent)


def read_plan(text: str, name: str, folder: Path | None) -> PlanFile:
    """The plan that a text holds; `name` stands for it in messages. `folder`: None where the text came from another machine."""
    document = read_document(text.removeprefix("\ufeff"), name)
    plan = validate(document)
    _check_dialect(document, plan)
    names = plan_names(document, plan.steps, plan.inputs)
    output = plan.output if plan.output is not None else list(plan.steps)[-1]
    if output not in plan.steps:
        node = document.root.get("output")
        raise document.error(f"the output {output!r} is not a step", node, nearest(output, plan.steps))
    return PlanFile(document, plan, folder, output, names)


def plan_file(
    plan: PlanFile,
    *,
    catalog: Catalog,
    params: Mapping[str, Any] | None = None,
    ids: ColumnIds,
    uploads: Mapping[str, str] | None = None,
) -> PlannedFile:
    """The plan's relation over its inputs, with values for its parameters. `uploads`: tables that stand for inputs."""
    return _planned(plan, catalog, _values(plan, params), ids, uploads or {})


def _values(plan: PlanFile, params: Mapping[str, Any] | None) -> dict[str, Any]:
    here = None if plan.folder is None else Path.cwd()
    return bind_params(plan.document, plan.plan.params, params or {}, here)


def local_inputs(plan: PlanFile, params: Mapping[str, Any] | None = None) -> tuple[LocalInput, ...]:
    """The inputs that have to be uploaded before the plan can run on a mesh."""
    values = _values(plan, params)
    section = plan.document.root.get("inputs")
    found = []
    for name, entry in plan.plan.inputs.items():
        if entry.file != "local":
            continue
        node = section.get(name) if section is not None else None
        kind, paths = entry.source()
        place = node.get(kind) if node is not None else None
        resolved = tuple(_absolute(plan, _filled(plan, path, place, values)) for path in paths)
        storage = None if entry.storage is None else _storage(plan, entry.storage, node, values)
        found.append(LocalInput(name, kind, resolved, entry.options(), storage, place))
    return tuple(found)


def client_target(plan: PlanFile, params: Mapping[str, Any] | None = None) -> Target | None:
    """Where the rows land of a plan whose `write` has `to: client`; None for other plans. Only for plans of this machine."""
    target = _target(plan, _values(plan, params))
    return target if target is not None and target.landing is Landing.CLIENT else None


def check_plan(
    source: str | os.PathLike[str], catalog: Catalog | None = None, params: Mapping[str, Any] | None = None
) -> tuple[str, ...]:
    """Checks everything that can be without running: the inputs exist and every step binds. Returns warnings.

    For required parameters that are not given a value of their type stands in.
    """
    plan = load_plan(source)
    values = sample_params(plan.document, plan.plan.params, params or {})
    tables = catalog or Catalog()
    _planned(plan, tables, values, ColumnIds(), {})
    steps = _lowered(plan, values)
    used = {step.name for step in in_order(plan.document, steps, plan.output)}
    read = {name for step in steps.values() for name in step.reads}
    warnings = []
    for name in steps:
        if name in used:
            continue
        place = plan.document.position(steps[name].node.start)
        warnings.append(f"{place}: the step {name!r} is not used: the output is {plan.output!r}")
        if name not in read:
            bind_steps(plan.document, in_order(plan.document, steps, name), _scope(plan, tables, values, {}), ColumnIds())
    return tuple(warnings)


def _planned(
    plan: PlanFile, catalog: Catalog, values: Mapping[str, Any], ids: ColumnIds, uploads: Mapping[str, str]
) -> PlannedFile:
    steps = _lowered(plan, values)
    for name in steps:
        in_order(plan.document, steps, name)  # a circle is wrong wherever it is
    scope = _scope(plan, catalog, values, uploads)
    bound = bind_steps(plan.document, in_order(plan.document, steps, plan.output), scope, ids)
    return PlannedFile(bound.relation, bound.names, tuple(plan.plan.inputs), _target(plan, values), plan.plan.settings)


def _check_dialect(document: Document, plan: Plan) -> None:
    name = plan.settings.dialect
    if Dialect.get(name) is None:
        settings = document.root.get("settings")
        known = sorted(key for key in Dialect.classes if key)
        raise document.error(
            f"no SQL dialect is named {name!r}", settings.get("dialect") if settings else None, nearest(name, known)
        )


def _lowered(plan: PlanFile, values: Mapping[str, Any]) -> dict[str, LoweredStep]:
    """Every step as a query with its tables resolved."""
    document, section = plan.document, plan.document.root.get("steps")
    assert section is not None
    lowering = StepLowering(document, Fragments(document, plan.plan.settings.dialect, tuple(plan.plan.params)), values)
    lowered = {}
    for name, step in plan.plan.steps.items():
        node = section.get(name) or section
        query = lowering.lower(name, step, node)
        key = section.key(name) or node
        lowered[name] = resolve_step(document, plan.names, name, key, query, lambda text: _absolute(plan, text))
    return lowered


def _scope(plan: PlanFile, catalog: Catalog, values: Mapping[str, Any], uploads: Mapping[str, str]) -> Scope:
    """What steps are bound against: the catalog with the inputs under a schema of their own, and values."""
    tables = catalog.copy()
    section = plan.document.root.get("inputs")
    for name, entry in plan.plan.inputs.items():
        node = section.get(name) if section is not None else None
        place = ("memory", INPUTS, name)
        if name in uploads:
            tables.register(place, catalog.lookup(split_name(uploads[name])))
        else:
            tables.register(place, _opened(plan, catalog, name, entry, node, values))
    return Scope(tables, plan.plan.settings.dialect, values)


def _opened(plan: PlanFile, catalog: Catalog, name: str, entry: Input, node: Node | None, values: Mapping[str, Any]) -> Entry:
    """What an input stands for: a table of the session, or files opened now."""
    kind, paths = entry.source()
    place = node.get(kind) if node is not None else None
    with pointing_at(plan.document, place):
        if kind == "table":
            return catalog.lookup(paths[0].split("."))
        if entry.file == "local" and plan.folder is None:
            raise InvalidInput(
                f"the files of the input {name} were not uploaded",
                hint="whoever runs the plan uploads them (flightmesh run does), or leave file: local out",
            )
        resolved = [_absolute(plan, _filled(plan, path, place, values)) for path in paths]
        if entry.storage is None:
            return replace(catalog.open_path(resolved, kind, entry.options()), name=name)
        storage = _storage(plan, entry.storage, node, values)
        return catalog.open_files(named_files(name, resolved, kind, entry.options(), storage))


@contextmanager
def pointing_at(document: Document, node: Node | None) -> Iterator[None]:
    """Errors of files and tables within it say where the plan names what is wrong."""
    try:
        yield
    except InvalidQuery as error:
        raise document.error(error.message, node, error.hint) from None
    except (InvalidInput, DataError, NotAllowed) as error:
        at = document.error("", node).position
        raise type(error)(error.message, hint=error.hint, position=at, text=document.text) from None


def _storage(plan: PlanFile, options: Mapping[str, Any], node: Node | None, values: Mapping[str, Any]) -> Storage:
    """The S3 of an input; its texts may hold parameters, so that a key need not stand in the file."""
    section = node.get("storage") if node is not None else None
    pairs = []
    for name, option in options.items():
        place = section.get(name) if section is not None else None
        text = _filled(plan, option, place, values) if isinstance(option, str) else str(option).lower()
        pairs.append((name, text))
    return Storage("s3", tuple(sorted(pairs)))


def _target(plan: PlanFile, values: Mapping[str, Any]) -> Target | None:
    if plan.plan.write is None:
        return None
    kind, path = plan.plan.write.targets()[0]
    section = plan.document.root.get("write")
    place = section.get(kind) if section else None
    filled = _filled(plan, path, place, values)
    landing = Landing(plan.plan.write.to)
    if plan.folder is None and landing is Landing.NODES and "://" not in filled and not filled.startswith("/"):
        hint = "on a mesh a plan's files land on the nodes: write the path in full, or add `to: client` to `write`"
        raise plan.document.error(f"the path {filled} is relative", place, hint)
    resolved = _absolute(plan, filled)
    return Target(Format(kind), resolved.rstrip("/") + "/" if filled.endswith("/") else resolved, landing)


def _filled(plan: PlanFile, path: str, node: Node | None, values: Mapping[str, Any]) -> str:
    """The path with `{name}` replaced by the values of parameters."""
    if _COLON.fullmatch(path):
        raise plan.document.error(f"{path} is a parameter only in expressions", node, f'in a path write "{{{path[1:]}}}"')

    def value(match: re.Match[str]) -> str:
        name = match[1].strip()
        if name not in plan.plan.params:
            raise plan.document.error(
                f"no parameter is named {name!r}", node, nearest(name, plan.plan.params) or "declare it under params"
            )
        return str(values[name])

    return _SUBSTITUTION.sub(value, path)


def _absolute(plan: PlanFile, path: str) -> str:
    if "://" in path or plan.folder is None:
        return path
    return os.path.normpath(plan.folder / Path(path).expanduser())
