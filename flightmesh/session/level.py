"""The levels on which a plan can be shown."""

from __future__ import annotations

import enum

from flightmesh.errors import InvalidQuery


class Level(enum.Enum):
    """How far a plan is followed."""

    LOGICAL = "logical"
    OPTIMIZED = "optimized"
    PHYSICAL = "physical"
    STAGES = "stages"
    ANALYZE = "analyze"

    @classmethod
    def named(cls, name: str) -> Level:
        """The level of a name. Raises InvalidQuery for an unknown one."""
        try:
            return cls(name.lower())
        except ValueError:
            known = ", ".join(level.value for level in cls)
            raise InvalidQuery(f"there is no level {name!r} of explaining", hint=f"the levels are {known}") from None
