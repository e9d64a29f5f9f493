"""The annotated configuration file of a role: configs/driver.yaml, configs/worker.yaml, configs/embedded.yaml.

Handed a role; hands on the text of a file that sets every key of that role to its default and says what each means. What always
holds: the file loads, and to the defaults.
"""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator
from typing import Any

from flightmesh.setting_kinds import SIZE, SIZE_OR_NOTHING, Role
from flightmesh.settings.keys import SECTIONS, Key, keys_of, meaning, section_meaning

WIDTH = 120
ROLES = (Role.DRIVER, Role.WORKER, Role.EMBEDDED)
"""Those that have a file of their own; a client's settings may stand in an embedded session's."""
_UNITS = ((1 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB"))
_OPENINGS = {
    Role.DRIVER: (
        "The configuration of a driver: every setting that concerns one, with its default.",
        ["flightmesh driver --config configs/driver.yaml"],
        "What a worker holds, and where it spills, is the worker's to say: see configs/worker.yaml.",
    ),
    Role.WORKER: (
        "The configuration of a worker: every setting that concerns one, with its default.",
        ["flightmesh worker --config configs/worker.yaml"],
        "What the whole mesh agrees on (how rows are moved, when a silent worker is lost) is the driver's to say: see "
        "configs/driver.yaml.",
    ),
    Role.EMBEDDED: (
        "The configuration of queries in one's own process: every setting that concerns them, with its default.",
        [
            'flightmesh sql "select ..." --config configs/embedded.yaml',
            'flightmesh.connect(config="configs/embedded.yaml")',
        ],
        "flightmesh.connect() reads no environment variables, the commands sql, run and shell do.",
    ),
}
_RULES = (
    "All settings may be left out. Sizes are a number of bytes, or a number with a unit: KB MB GB TB count in thousands, KiB "
    "MiB GiB TiB (or just K M G T) in 1024s; times are seconds, unless a name says otherwise. A flag wins over an environment "
    "variable, that over this file, and that over the default; lists in a variable are separated by commas. `flightmesh "
    "config` shows what is in effect, and from where."
)


def example(role: Role) -> str:
    """The text of the file."""
    title, commands, border = _OPENINGS[role]
    lines = [*_comment(title), "#", *(f"#     {command}" for command in commands), "#", *_comment(f"{_RULES} {border}")]
    keys = keys_of(role)
    for key in keys:
        if not key.section:
            lines += ["", *_entry(key, role)]
    for section in SECTIONS:
        inside = [key for key in keys if key.section == section]
        if inside:
            lines += ["", *_comment(section_meaning(section)), f"{section}:"]
            entries = ["\n".join(f"  {line}" for line in _entry(key, role)) for key in inside]
            lines.append("\n\n".join(entries))
    return "\n".join(lines) + "\n"


def _entry(key: Key, role: Role) -> Iterator[str]:
    room = WIDTH - 2 * bool(key.section)
    yield from _comment(meaning(key), room)
    yield from _comment(ways(key, role), room)
    if key.of_machine:
        yield f"# {key.name}: 8"
    else:
        yield f"{key.name}: {written(key, key.default)}"


def ways(key: Key, role: Role) -> str:
    """How else the key is set: `Variable: FLIGHTMESH_MEMORY; flag: --memory.`"""
    flag = key.flag(role)
    plural = "Variables" if len(key.variables) > 1 else "Variable"
    return f"{plural}: {', '.join(key.variables)}" + (f"; flag: {flag}." if flag else ".")


def written(key: Key, value: Any) -> str:
    """A value as a file has it."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return f"[{', '.join(_scalar(each) for each in value)}]"
    if key.setting.kind in (SIZE, SIZE_OR_NOTHING):
        return _size(value)
    return _scalar(value) if isinstance(value, str) else str(value)


def _scalar(value: str) -> str:
    """A text, in quotes where YAML would read it as something else."""
    plain = value.replace("/", "").replace(".", "").replace("-", "").replace("_", "").replace("=", "")
    words = ("true", "false", "null", "yes", "no", "on", "off")
    return (
        value
        if plain.isalnum() and not plain[0].isdigit() and plain.lower() not in words
        else json.dumps(value, ensure_ascii=False)
    )


def _size(value: int) -> str:
    unit = next(((size, name) for size, name in _UNITS if value and value % size == 0), None)
    return f"{value // unit[0]}{unit[1]}" if unit else str(value)


def _comment(text: str, width: int = WIDTH) -> list[str]:
    return textwrap.wrap(
        text, width, initial_indent="# ", subsequent_indent="# ", break_on_hyphens=False, break_long_words=False
    )
