"""The golden text of a plan: the query on every level, as `explain` writes it, with ids that do not depend on each other.

Handed a planner and a query; hands on text. What always holds: of the columns of one name, the first that the text has goes
without a number, the next is `name#2`; so a column that comes or goes leaves all others as they were.
"""

from __future__ import annotations

import re
from pathlib import Path

from flightmesh.logical.text import format_relation
from flightmesh.physical.operators import GroupBy, HashJoin, Operator, ProjectColumns, ReadExchange, TableScan, UnionRows
from flightmesh.physical.text import describe, format_fields, format_operator
from flightmesh.stage.graph import Stage
from flightmesh.stage.text import format_stages, format_stages_with
from tests.golden.plans import Name, Place, Planner

FOLDER = Path(__file__).parent / "plans"
_COLUMN = re.compile(r"'(?:[^']|'')*'|#(\d+)")
"""The id of a column, or a text of the query, in which there may be anything."""


def golden_path(name: Name) -> Path:
    """The file of a query."""
    return FOLDER / name.benchmark / f"q{name.number:02}.txt"


def golden_text(planner: Planner, name: Name) -> str:
    """The query's plans: logical and physical as embedded, then the stages there and on a mesh. A logical plan that is another
    on a mesh is written too."""
    here, there = planner.plan(name, Place.EMBEDDED), planner.plan(name, Place.MESH)
    logical, other = format_relation(here.optimized), format_relation(there.optimized)
    parts = {
        "logical": logical,
        "physical": format_operator(here.physical),
        "stages, embedded on two threads": _outline(format_stages(here.graph)),
        **({"logical, on a mesh": other} if with_own_ids(other) != with_own_ids(logical) else {}),
        "stages, on a mesh of three workers": format_stages_with(there.graph, _brief),
    }
    return with_own_ids("\n\n".join(f"== {title}\n{text}" for title, text in parts.items()) + "\n")


def _outline(stages: str) -> str:
    """The stages' own lines: their operators are those of the physical plan."""
    return "\n".join(line for line in stages.splitlines() if not line.startswith(" "))


def _brief(stage: Stage, number: int, node: Operator) -> str:
    """An operator without the columns that it hands on."""
    match node:
        case TableScan(table=table):
            return f"Scan {table.name}"
        case ReadExchange(edge=edge, order=order):
            return f"ReadExchange edge {edge}{' merging' if order else ''}"
        case ProjectColumns():
            return "Project"
        case GroupBy(phase=phase, keys=keys):
            return f"GroupBy {phase.value} {format_fields(keys)}"
        case HashJoin():
            return describe(node).rpartition(" -> ")[0]
        case UnionRows():
            return "Union"
        case _:
            return describe(node)


def with_own_ids(text: str) -> str:
    """The text with columns numbered among those of their name; an id that stands alone becomes a name of its column."""
    names: dict[str, str] = {}
    numbers: dict[str, dict[str, int]] = {}

    def own(match: re.Match[str]) -> str:
        id = match[1]
        if id is None:
            return match[0]
        written = name_before(text, match.start())
        name = written or names.setdefault(id, "")
        names.setdefault(id, name)
        ids = numbers.setdefault(name, {})
        number = ids.setdefault(id, len(ids) + 1)
        return ("" if written else name) + (f"#{number}" if number > 1 else "")

    return _COLUMN.sub(own, text)


def name_before(text: str, end: int) -> str:
    """The name that ends there: a word, or parentheses with the word before them."""
    start = end
    depth = 0
    while start and (depth or text[start - 1] == ")"):
        start -= 1
        depth += (text[start] == ")") - (text[start] == "(")
    while start and (text[start - 1].isalnum() or text[start - 1] == "_"):
        start -= 1
    return text[start:end]
