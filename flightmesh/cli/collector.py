"""The garbage collector of a command: off while modules are loaded, and what they are it never looks through again.

Whatever is imported stays until the process ends; the collector would look through all of it, over and over as it grows, and
three times more at the end. What always holds: while a command does its work the collector is on.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


def pause() -> None:
    """Before modules are loaded."""
    gc.disable()


def resume() -> None:
    """After that."""
    gc.freeze()
    gc.enable()


@contextmanager
def paused() -> Iterator[None]:
    """While modules are loaded."""
    pause()
    try:
        yield
    finally:
        resume()
