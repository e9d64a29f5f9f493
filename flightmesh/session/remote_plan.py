"""The values of a plan's parameters as they are sent to a driver.

Handed a plan and what the caller gave; hands on the same, with paths as text. What always holds: a relative path stays one: the
driver refuses it where it is to be the nodes', and what it means at the client is the client's to say.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from flightmesh.frontend.yaml.params import type_of
from flightmesh.frontend.yaml.plan import PlanFile


def sendable(plan: PlanFile, params: Mapping[str, Any] | None) -> dict[str, Any]:
    """`params` with the values of `path` parameters as text, also those that were given as paths."""
    declared = plan.plan.params
    return {
        name: os.fspath(value)
        if isinstance(value, os.PathLike) and name in declared and type_of(declared[name]) == "path"
        else value
        for name, value in (params or {}).items()
    }
