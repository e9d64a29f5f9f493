"""What a running recursion keeps from turn to turn, for the operators of its step.

What always holds: one thread uses it; what stands here is the same in every turn, but for the working tables.
"""

from __future__ import annotations

from dataclasses import field

import pyarrow as pa

from flightmesh.dataclass import dataclass
from flightmesh.ids import EdgeId, RecursionId


@dataclass(slots=True)
class Turns:
    """`working`: the rows that came last in each recursion that runs; `edges`: what was read of exchanges, but for those in
    `once`, which nobody reads again; `builds`: build sides of joins, by the join's position in the fragment."""

    working: dict[RecursionId, list[pa.RecordBatch]] = field(default_factory=dict)
    edges: dict[EdgeId, list[pa.RecordBatch]] = field(default_factory=dict)
    once: set[EdgeId] = field(default_factory=set)
    builds: dict[int, object] = field(default_factory=dict)
