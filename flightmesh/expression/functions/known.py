"""Every scalar function there is: what the files beside this one declare, by name.

Loading this loads all of them, so the registry does it when the first function is looked up: a query that only reads rows has
none.
"""

from __future__ import annotations

from flightmesh.expression.functions import (
    arithmetic,
    bitwise,
    codecs,
    comparison,
    conditional,
    dates,
    datetext,
    listaccess,
    listfolds,
    lists,
    listsearch,
    listtexts,
    logic,
    math,
    regex,
    rounding,
    series,
    sketches,
    string,
    temporal,
)
from flightmesh.expression.functions.declare import ScalarFunction

_MODULES = (
    arithmetic,
    comparison,
    logic,
    conditional,
    string,
    codecs,
    regex,
    math,
    rounding,
    bitwise,
    temporal,
    dates,
    datetext,
    sketches,
    lists,
    listaccess,
    listsearch,
    listfolds,
    listtexts,
    series,
)

FUNCTIONS: dict[str, ScalarFunction] = {f.name: f for module in _MODULES for f in module.FUNCTIONS}
"""Every scalar function by its one name."""

ALIASES: dict[str, str] = {alias: f.name for f in FUNCTIONS.values() for alias in f.aliases}
"""The one name of a function by each of its others."""

OF_UNITS, NOW = dates.OF_UNITS, dates.NOW
"""Functions whose first argument is a unit of time; functions of the time at which the statement began."""
