"""What each setting is, for people: the document docs/configuration.md, and one key at a time.

Handed the keys; hands on Markdown, or pairs of what is said and how it is. What always holds: all of it follows from the
model, so that a test can tell when the document is out of date.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from flightmesh.errors import InvalidConfig
from flightmesh.setting_kinds import Role, nearest
from flightmesh.settings.example import WIDTH, written
from flightmesh.settings.keys import KEYS, SECTIONS, Key, meaning, roles_text, section_meaning

_HEAD = """# Configuration

Written by `flightmesh.settings.reference` from the fields of `flightmesh.config`; do not edit.

Every setting is a key of a YAML file (`--config FILE`), an environment variable and, where it makes sense, a flag. A flag
wins over a variable, that over the file, and that over the default.

    flightmesh config worker --config FILE      what is in effect, and where each value came from
    flightmesh config --explain KEY             what a key means, and how it is set
    flightmesh config worker --schema           a JSON Schema, for editors

The annotated files [driver.yaml](../configs/driver.yaml), [worker.yaml](../configs/worker.yaml) and
[embedded.yaml](../configs/embedded.yaml) list every key of their role with its default.

- **Whom it concerns.** `driver` and `worker` are nodes; `embedded` is a query in one's own process, `client` one (or a
  question) at a driver. A key in the file of somebody whom it does not concern is an error; as a variable it is ignored, so
  that one environment can serve several nodes. `embedded` and `client` share a file. `flightmesh.connect()` reads no
  variables.
- **Sizes** are a number of bytes, or a number with a unit: KB MB GB TB count in thousands, KiB MiB GiB TiB (or just K M G T)
  in 1024s.
- **Lists** are separated by commas in a variable; a flag is repeated. `~` at the beginning of a path is the user's home;
  other relative paths are those of the working directory.
- **Variables** that are empty count as not set; `null` is what it is in a file. One that begins with `FLIGHTMESH_` and is no
  setting is an error, but for those that Kubernetes and Docker make of services nearby, and these, which are no settings:
  `FLIGHTMESH_TOKEN` (the token itself), `FLIGHTMESH_LOG` (`text` or `json`), `FLIGHTMESH_DEBUG` (tracebacks),
  `FLIGHTMESH_READY_FILE` (a file that is there while the node is ready), `FLIGHTMESH_SEED` (of tests),
  `FLIGHTMESH_CA` and `FLIGHTMESH_HOST_NAME` (of the programs in [clients](clients/README.md)).
"""


def reference() -> str:
    """The whole document."""
    chapters = [_HEAD, "## At the top of the file\n", *(_entry(key) for key in KEYS.values() if not key.section)]
    for section in SECTIONS:
        inside = [key for key in KEYS.values() if key.section == section]
        chapters += [f"## {section}\n\n{section_meaning(section)}\n", *(_entry(key) for key in inside)]
    return "\n".join(chapters)


def _entry(key: Key) -> str:
    facts = "\n".join(f"- {name}: {said}" for name, said in described(key))
    said = textwrap.fill(meaning(key), WIDTH, break_on_hyphens=False, break_long_words=False)
    return f"### {key.path}\n\n{said}\n\n{facts}\n"


def described(key: Key) -> Iterator[tuple[str, str]]:
    """What there is to know of a key beside its meaning."""
    kind = key.setting.kind.noun
    yield "value", f"{kind}, or null" if key.optional else kind
    yield "default", "as many as cores" if key.of_machine else written(key, key.default)
    yield "concerns", roles_text(key)
    yield "variable", " or ".join(key.variables)
    flags: dict[str, list[str]] = {}
    for role in Role:
        flag = key.flag(role)
        if flag:
            flags.setdefault(flag, []).append(role.value)
    if flags:
        yield "flag", ", ".join(f"{flag} ({', '.join(roles)})" for flag, roles in flags.items())


def find(name: str) -> list[Key]:
    """The keys that somebody may mean: by path, name, section, variable or flag. Raises InvalidConfig where there is none."""
    wanted = name.strip()
    if wanted in KEYS:
        return [KEYS[wanted]]
    found = [key for key in KEYS.values() if wanted in (key.section, key.name, *key.variables, *key.setting.flags.values())]
    if found:
        return found
    known = [*KEYS, *(key.name for key in KEYS.values()), *(variable for key in KEYS.values() for variable in key.variables)]
    near = nearest(wanted, known)
    hint = f"did you mean {near!r}?" if near else "flightmesh config lists the settings"
    raise InvalidConfig(f"there is no setting {name!r}", hint=hint)
