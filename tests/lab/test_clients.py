"""The clients of docs/clients on a LAN: from a machine without a node, with the CA and a token, at addresses of the LAN."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow.csv
import pytest

from nodes.lab import CLIENT, Lab, empty_lab
from tests.clients.programs import LANGUAGES, Program, program
from tests.clients.scenarios import CSV, PLAN, ordered, shown
from tests.lab.places import sweep, tag_of_this_process
from tests.packages import need

pytestmark = pytest.mark.xdist_group("lab")
ENDLESS = "select a.v from numbers a, numbers b, numbers c, numbers d"
ROWS = 1000
SERVING = ("n2", "n3")
"""Each serves one half of `orders`."""
ORDERS = 500


@pytest.fixture(scope="module")
def lan() -> Iterator[Lab]:
    """A driver and two workers. The client's token is made before they join: one that is made later reaches them by their next
    heartbeat."""
    need("ip", "iproute2")
    sweep()
    with empty_lab(["n1", "n2", "n3", CLIENT], tag_of_this_process("k")) as made:
        driver = made.start_driver("n1")
        state = str(made.folder / "state" / "n1")
        done = made.run("n1", "flightmesh", "token", "client", "--state", state, "--out", str(made.folder / "carried"))
        assert done.returncode == 0, done.stderr
        for number, place in enumerate(SERVING):
            folder = made.folder / f"orders-{place}"
            folder.mkdir()
            (folder / "part.csv").write_text("id,total\n" + "".join(f"{n},{n / 4}\n" for n in range(number, ORDERS, 2)))
            made.start_worker(place, made.token_for_workers(driver), ["--serve", f"orders={folder}"])
        for place in SERVING:
            made.nodes[place].wait_said(r"ready, registered")
        yield made


@pytest.fixture
def settings(lan: Lab) -> dict[str, str]:
    """What was written on the driver's machine, carried to the client's."""
    return {
        "FLIGHTMESH_DRIVER": f"grpc+tls://{lan.network.addresses['n1']}:8815",
        "FLIGHTMESH_CA": str(lan.folder / "carried" / "ca.pem"),
        "FLIGHTMESH_TOKEN_FILE": str(lan.folder / "carried" / "token"),
    }


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_client_uses_the_mesh(language: str, lan: Lab, settings: dict[str, str], tmp_path: Path) -> None:
    client = Program(tuple(lan.network.command(CLIENT, program(language).command)))
    people, numbers, plan = tmp_path / "people.csv", tmp_path / "numbers.csv", tmp_path / "plan.yaml"
    people.write_text(CSV)
    numbers.write_text("k,v\n" + "".join(f"{n % 7},{n}\n" for n in range(ROWS)))
    plan.write_text(PLAN)
    for name, file, rows in (("people", people, 3), ("numbers", numbers, ROWS)):
        assert client.run(settings, "upload", name, str(file)).lines == [{"name": name, "rows": rows}]
    got = client.run(settings, "sql", "select * from people where name <> :name", "--param", "name=none").lines
    assert ordered(got) == ordered(shown(pyarrow.csv.read_csv(people)))
    assert len(client.run(settings, "sql", "select v from numbers").lines) == ROWS + 1
    assert client.run(settings, "plan", str(plan), "--param", "below=2").lines == [["k", "v"], [1, 1], [0, 0]]
    served = client.run(settings, "sql", "select id, total from orders").lines
    assert sorted(served[1:]) == [[n, n / 4] for n in range(ORDERS)]
    catalog = {table["name"]: (table["kind"], table["nodes"]) for table in client.run(settings, "tables").lines}
    assert catalog["orders"] == ("served", ["n2", "n3"])
    assert {"numbers", "people"} <= set(catalog)
    assert client.run(settings, "cancel", ENDLESS).lines[0]["state"] == "cancelled"
    assert client.run({**settings, "FLIGHTMESH_TOKEN_FILE": ""}, "tables").error.startswith("unauthenticated: ")
