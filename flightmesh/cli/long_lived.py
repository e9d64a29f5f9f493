"""Has Python's collector of garbage leave alone what a node has loaded and keeps until it ends.

Called once a node has been made. What always holds: what comes later is collected as ever.
"""

from __future__ import annotations

import gc


def set_long_lived_aside() -> None:
    """Collects what is garbage now, and takes the rest out of the collector's sight.

    A node that has just started holds some hundred thousand objects (modules, classes, functions). A full collection, which
    plans and messages bring about every few queries, looks at each of them: tens of milliseconds in which nothing else of the
    node runs (docs/performance.md). For processes that are nodes and nothing else: what is set aside is never freed.
    """
    gc.collect()
    gc.freeze()
