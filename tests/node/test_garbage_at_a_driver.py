"""Bytes that mean nothing, at a driver's client listener: typed errors, and the mesh goes on."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import msgpack
import pytest

from flightmesh.errors import Fault, FlightmeshError
from flightmesh.protocol.client_messages import (
    AskJob,
    Delivery,
    DropTable,
    Explain,
    OpenSession,
    RegisterTable,
    Run,
    Statement,
    UploadTable,
)
from flightmesh.protocol.codec import encode
from flightmesh.session.remote_params import pack_params
from flightmesh.transport.service import Asked
from tests.node.loopback import Client, Loopback
from tests.node.small_mesh import client, mesh

__all__ = ["client", "mesh"]

SEED = 20_240
TRIES = 400


@dataclass
class Caller:
    """A call that is nobody's."""

    peer: str = "ipv4:127.0.0.1:9"
    headers: Mapping[str, str] = field(default_factory=dict)

    def is_cancelled(self) -> bool:
        return False


def bodies() -> list[bytes]:
    """One good body of each kind that a client sends."""
    params = pack_params({"a": 1, "b": "x"})
    return [
        encode(OpenSession("duckdb", 2)),
        encode(Statement("select :a", params=params)),
        encode(Statement(plan="steps: {s: {values: [{x: 1}]}}", source="p.yaml", uploads=(("a", "b"),))),
        encode(Explain("select 1", "stages")),
        encode(Run(sql="select :a as x", params=params, delivery=Delivery.COMPLETE)),
        encode(RegisterTable("t", ("/nowhere/x.csv",), "csv", (("delimiter", ";"),), (("region", "x"),))),
        encode(DropTable("t")),
        encode(UploadTable("t", True)),
        encode(AskJob(1)),  # type: ignore[arg-type]
        b"select 1 as x",
    ]


def mutated(body: bytes, chance: random.Random) -> bytes:
    """A body with some bytes changed, lost, doubled or added."""
    changed = bytearray(body)
    for _ in range(chance.randint(1, 6)):
        place = chance.randrange(len(changed) + 1)
        match chance.randrange(4):
            case 0 if place < len(changed):
                changed[place] = chance.randrange(256)
            case 1:
                del changed[place : place + chance.randint(1, 8)]
            case 2:
                changed[place:place] = chance.randbytes(chance.randint(1, 8))
            case _:
                changed[place:place] = changed[place : place + chance.randint(1, 8)]
    return bytes(changed)


def maps(chance: random.Random) -> bytes:
    """A msgpack map with the right keys and wrong values."""
    values = [None, -1, 2**63, 1.5, "", "x", b"\x00", [], [[]], {}, True, "select 1", ["a", 1]]
    keys = ["sql", "plan", "statement", "name", "paths", "options", "job", "params", "level", "delivery", "results", "uploads"]
    return msgpack.packb({chance.choice(keys): chance.choice(values) for _ in range(chance.randint(0, 4))})


def harmless(call: Callable[[], object]) -> None:
    """The call gives something, or an error that is the caller's."""
    try:
        call()
    except FlightmeshError as error:
        assert error.fault is not Fault.INTERNAL, error.render()


@pytest.mark.parametrize("round", range(4))
def test_garbage_is_the_callers_fault(mesh: Loopback, client: Client, round: int) -> None:
    chance = random.Random(SEED + round)
    service, caller = mesh.service, Caller()
    actions = [kind.name for kind in service.actions() if kind.name not in ("drain", "close-session")]
    for _ in range(TRIES):
        body = chance.choice([lambda: mutated(chance.choice(bodies()), chance), lambda: maps(chance)])()
        name = chance.choice([*actions, "no-such-action"])
        harmless(lambda name=name, body=body: list(service.act(name, body, caller)))
        harmless(lambda body=body: service.schema(Asked(command=body), caller))
        harmless(lambda body=body: service.get(body, caller))
        harmless(lambda body=body: service.schema(Asked(path=(body.decode(errors="replace"),)), caller))
    for job in mesh.driver.mesh.jobs():
        if job.state in ("queued", "running") or job.state == "succeeded":
            mesh.driver.mesh.cancel(job.job, "the test is over")
    assert client.sql("select 1 as x").to_pydict() == {"x": [1]}
