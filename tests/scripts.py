"""Golden scripts of actors: a text of events, each followed by the effects that it had.

A line that begins with `> ` is an event; the lines after it, up to the next event or empty line, are its effects. Other
lines before an event are comments (`# ...`) and stay. With --update-goldens the effects are written anew.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

EVENT = "> "


def check_script(path: Path, play: Callable[[str], Sequence[str]], update: bool) -> None:
    """Plays every event of a script and compares the effects with those it says."""
    text = path.read_text(encoding="utf-8")
    played = _played(text, play)
    if update:
        path.write_text(played, encoding="utf-8")
        return
    assert played == text, f"{path.name} differs:\n{played}"


def _played(text: str, play: Callable[[str], Sequence[str]]) -> str:
    lines: list[str] = []
    skipping = False
    for line in text.splitlines():
        if line.startswith(EVENT):
            lines.append(line)
            lines.extend(play(line.removeprefix(EVENT)) or ["(nothing)"])
            skipping = True
        elif not line.strip() or line.startswith("#"):
            skipping = False
            lines.append(line)
        elif not skipping:
            lines.append(line)
    return "\n".join(lines) + "\n"
