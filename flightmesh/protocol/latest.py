"""What was lately written, to be written again: the plan of a stage goes to each worker, and is tried before that.

Handed how a value is written; hands on the same with a memory. What always holds: values are known by identity, and kept while
they are known, so that no other value takes the place of one; the oldest is forgotten first.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

KNOWN = 64


def remembering(write: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """`write` for values that nobody changes, as nobody may change what it gives. Any thread may call."""
    known: dict[int, tuple[Any, Any]] = {}
    lock = threading.Lock()

    def remembered(value: Any) -> Any:
        with lock:
            found = known.get(id(value))
        if found is None:
            found = (value, write(value))
            with lock:
                known[id(value)] = found
                if len(known) > KNOWN:
                    del known[next(iter(known))]
        return found[1]

    return remembered
