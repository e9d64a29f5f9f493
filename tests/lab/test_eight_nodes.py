"""Eight nodes on a LAN."""

from __future__ import annotations

import pytest

from nodes.lab import CLIENT, empty_lab
from tests.lab.members import listed, mesh_of
from tests.lab.places import sweep, tag_of_this_process
from tests.packages import need
from tests.waiting import again_if_slow

pytestmark = pytest.mark.xdist_group("lab")  # not beside the other one: a node takes 190 MB
WORKERS = [f"n{number}" for number in range(2, 9)]


@again_if_slow
def test_eight_nodes_are_one_mesh() -> None:
    need("ip", "iproute2")
    sweep()
    with empty_lab(["n1", *WORKERS, CLIENT], tag_of_this_process("e")) as made:
        mesh_of(made, WORKERS)
        assert listed(made) == {"driver": "driver", **dict.fromkeys(WORKERS, "worker")}
