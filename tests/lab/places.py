"""Laboratories of tests: each has the tag of the process that built it, so that what a killed one left behind is known."""

from __future__ import annotations

import os
import re
from pathlib import Path

from nodes.lab.mesh import remove
from nodes.lab.network import tags


def tag_of_this_process(name: str) -> str:
    """A tag that no other process has. `name`: a letter."""
    return f"t{os.getpid()}{name}"


def sweep() -> None:
    """Removes the laboratories of tests that are not running any more."""
    for tag in tags():
        match = re.fullmatch(r"t(\d+)[a-z]", tag)
        if match and not Path(f"/proc/{match[1]}").exists():
            remove(tag)
