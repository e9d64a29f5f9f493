"""Golden files: cases of a title and an SQL text, each with the plan before a rule and after it.

# a title
select ...
---- before
Scan ...
---- after
Scan ...
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

FOLDER = Path(__file__).parent / "goldens"


@dataclass(frozen=True)
class Case:
    """One case of a file; the texts are empty in a case that has just been written down."""

    title: str
    sql: str
    before: str = ""
    after: str = ""


def read(rule: str) -> list[Case]:
    """The cases of a rule's file."""
    cases: list[Case] = []
    part = "sql"
    lines: dict[str, list[str]] = {}

    def finish(title: str | None) -> None:
        if title is not None:
            texts = {name: "\n".join(found).strip("\n") for name, found in lines.items()}
            cases.append(Case(title, texts.get("sql", ""), texts.get("before", ""), texts.get("after", "")))
        lines.clear()

    title: str | None = None
    for line in (FOLDER / f"{rule}.txt").read_text().splitlines():
        if line.startswith("# "):
            finish(title)
            title, part = line[2:], "sql"
        elif line.startswith("---- "):
            part = line[5:]
        else:
            lines.setdefault(part, []).append(line)
    finish(title)
    return cases


def write(rule: str, cases: list[Case]) -> None:
    """Writes a rule's file."""
    texts = (f"# {c.title}\n{c.sql}\n---- before\n{c.before}\n---- after\n{c.after}\n" for c in cases)
    (FOLDER / f"{rule}.txt").write_text("\n".join(texts))


def update(rule: str, title: str, before: str, after: str) -> None:
    """Puts the texts of one case into its file."""
    write(rule, [replace(c, before=before, after=after) if c.title == title else c for c in read(rule)])
