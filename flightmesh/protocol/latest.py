"""What was lately written, to be written again: the plan of a stage goes to each worker, and is tried before that.

Handed how a value is written; hands on the same with a memory. What always holds: values are known by identity, and kept while
they are known, so that no other value takes the place of one; the oldest is forgotten first. What is kept is bounded by its
size: a plan with a list of 40,000 values is 100 MB of objects.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

KNOWN = 64
"""So many values are known at most,"""
KNOWN_ITEMS = 100_000
"""with so many items of dicts and lists in what was written of them; the last one whatever it has."""


def remembering(write: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """`write` for values that nobody changes, as nobody may change what it gives. Any thread may call."""
    known: dict[int, tuple[Any, Any, int]] = {}
    lock = threading.Lock()

    def remembered(value: Any) -> Any:
        with lock:
            found = known.get(id(value))
        if found is not None:
            return found[1]
        written = write(value)
        items = _count_items(written)
        with lock:
            known[id(value)] = (value, written, items)
            total = sum(count for _, _, count in known.values())
            while len(known) > 1 and (len(known) > KNOWN or total > KNOWN_ITEMS):
                total -= known.pop(next(iter(known)))[2]
        return written

    return remembered


def _count_items(written: Any) -> int:
    """The items of all dicts and lists within each other."""
    items = 0
    waiting = [written]
    while waiting:
        inside = waiting.pop()
        if isinstance(inside, dict):
            inside = inside.values()
        elif not isinstance(inside, list | tuple):
            continue
        items += len(inside)
        waiting.extend(inside)
    return items
