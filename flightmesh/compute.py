"""`pc`: pyarrow's functions of arrays, loaded when the first of them is called.

pyarrow writes a Python function for each of some 300 when they are loaded, which takes a tenth of the time of a command that
only reads rows. What always holds: what `pc` has is what `pyarrow.compute` has.
"""

from __future__ import annotations

import importlib
from typing import Any


class _Compute:
    """Found once, a function is an attribute as any other: no slower than a module's."""

    def __getattr__(self, name: str) -> Any:
        found = getattr(importlib.import_module("pyarrow.compute"), name)
        setattr(self, name, found)
        return found


pc: Any = _Compute()
