"""Where a plan's rows land at the client, for `write` with `to: client`.

Handed a plan and the target as the driver read it; hands on the target on this machine. What always holds: a relative path is
relative to the plan's folder, as for plans that run in this process.
"""

from __future__ import annotations

import os
from pathlib import Path

from flightmesh.catalog.table import Format
from flightmesh.frontend.yaml.plan import PlanFile, Target
from flightmesh.protocol.client_messages import WireTarget


def target_here(plan: PlanFile, target: WireTarget) -> Target:
    """The place of `target` on this machine."""
    path = target.path
    if "://" not in path and plan.folder is not None:
        path = os.path.normpath(plan.folder / Path(path).expanduser()) + ("/" if path.endswith("/") else "")
    return Target(Format(target.format), path)
