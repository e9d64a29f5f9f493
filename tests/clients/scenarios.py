"""What a client in any language has to do: one table, run by the three test modules. What it prints is compared with what
`flightmesh.connect` gives."""

from __future__ import annotations

import datetime
import decimal
import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.csv
import pyarrow.ipc
import pytest

from flightmesh.trust.certificates import self_signed
from tests.clients.programs import CLIENTS, Program
from tests.mesh.cluster import Cluster
from tests.waiting import wait_until

DOCUMENT = CLIENTS.parent / "flight.md"
ROWS = 70_000  # more than a message of an upload, and than a batch of a result
ENDLESS = "select a.v, b.v as w from numbers a cross join numbers b"
IN_ORDER = True


def tables() -> dict[str, pa.Table]:
    """`numbers`: more rows than a batch; `mixed`: every type that results have."""
    numbers = np.arange(ROWS)
    moment = datetime.datetime(2024, 1, 31, 12, 0, 1, 250000)
    mixed = pa.table(
        {
            "whole": pa.array([1, -(2**62) - 1, None], pa.int64()),
            "small": pa.array([-128, 127, None], pa.int8()),
            "unsigned": pa.array([0, 2**64 - 1, None], pa.uint64()),
            "number": pa.array([0.1, 1e300, None]),
            "narrow": pa.array([0.5, -2.25, None], pa.float32()),
            "odd": pa.array([math.nan, -math.inf, math.inf]),
            "money": pa.array([decimal.Decimal("-0.05"), decimal.Decimal("1234567.89"), None], pa.decimal128(38, 2)),
            "truth": pa.array([True, False, None]),
            "text": pa.array(['ü "quoted" \\ \n\t', "", None]),
            "day": pa.array([datetime.date(1969, 12, 31), datetime.date(2024, 2, 29), None]),
            "moment": pa.array([moment, moment - datetime.timedelta(days=30_000), None], pa.timestamp("us")),
            "nothing": pa.nulls(3),
        }
    )
    return {"numbers": pa.table({"k": numbers % 7, "v": numbers}), "mixed": mixed}


@dataclass(frozen=True, slots=True)
class Query:
    """A query with parameters as the command line takes them and as Python does."""

    sql: str
    given: tuple[str, ...] = ()
    params: dict[str, Any] | list[Any] = field(default_factory=dict)
    in_order: bool = False


QUERIES = {
    "types": Query("select * from mixed"),
    "named parameters": Query(
        "select v, v * :factor as f, :word as w, :yes as y, :none is null as n from numbers where v < :below order by v",
        ("factor=1.5", "word=Grüße", "yes=true", "none=null", "below=3"),
        {"factor": 1.5, "word": "Grüße", "yes": True, "none": None, "below": 3},
        IN_ORDER,
    ),
    "numbered parameters": Query("select $2 as b, $1 as a", ("$1=9007199254740993", '$2="7"'), [9007199254740993, "7"]),
    "no rows": Query("select k, v from numbers where v < 0"),
    "many rows from all workers": Query("select v, k from numbers where k <> 3"),
    "many rows in order": Query("select v, k from numbers order by v desc", in_order=IN_ORDER),
    "grouped": Query("select k, count(*) as n, avg(v) as mean from numbers group by k"),
}
PLAN = """params: {below: 5}
inputs:
  numbers: {table: numbers}
steps:
  few: {from: numbers, where: "v < :below", order_by: [v desc]}
"""
CSV = 'name,count,share\n"Smith, J.",3,0.5\n"said ""no""",,1e-3\nGrüße,-12,\n'


def shown(table: pa.Table) -> list[list[Any]]:
    """What a client prints of a result: names, then rows."""
    columns = [[_shown(value) for value in column.to_pylist()] for column in table.columns]
    return [table.column_names, *(list(row) for row in zip(*columns, strict=True))]


def _shown(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else f"{'-' if value < 0 else ''}Infinity"
    if isinstance(value, datetime.datetime):
        return value.strftime("%Y-%m-%d %H:%M:%S.%f")
    return str(value) if isinstance(value, (decimal.Decimal, datetime.date)) else value


def ordered(rows: list[list[Any]]) -> list[list[Any]]:
    """The names, and the rows in an order that does not depend on how they came."""
    return [rows[0], *sorted(rows[1:], key=repr)]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a scenario may use."""

    client: Program
    mesh: Cluster
    settings: dict[str, str]
    folder: Path


def queries(at: Surroundings) -> None:
    """Every query of the table above."""
    with at.mesh.connect() as session:
        for name, query in QUERIES.items():
            params = [word for given in query.given for word in ("--param", given)]
            got = at.client.run(at.settings, "sql", query.sql, *params).lines
            expected = shown(session.sql(query.sql, params=query.params).to_arrow())
            assert got == expected if query.in_order else ordered(got) == ordered(expected), name


def plan(at: Surroundings) -> None:
    """A YAML plan, with its default and with a parameter."""
    file = at.folder / "plan.yaml"
    file.write_text(PLAN)
    for given, params in (((), {}), (("--param", "below=2"), {"below": 2})):
        with at.mesh.connect() as session:
            expected = shown(session.run_plan(file, params=params).to_arrow())
        assert at.client.run(at.settings, "plan", str(file), *given).lines == expected


def upload(at: Surroundings) -> None:
    """A CSV file and an Arrow file become tables of the mesh."""
    text, arrow = at.folder / "people.csv", at.folder / "numbers.arrow"
    text.write_text(CSV)
    table = tables()["numbers"]
    with pa.ipc.new_file(arrow, table.schema) as writer:
        writer.write_table(table)
    with at.mesh.connect() as session:
        for name, file, expected in (("people", text, pa.csv.read_csv(text)), ("arrows", arrow, table)):
            assert at.client.run(at.settings, "upload", name, str(file)).lines == [{"name": name, "rows": expected.num_rows}]
            assert ordered(shown(session.sql(f"select * from {name}").to_arrow())) == ordered(shown(expected))
            session.drop(name)


def refused_upload(at: Surroundings) -> None:
    """A table has to have a name."""
    file = at.folder / "people.csv"
    file.write_text(CSV)
    assert at.client.run(at.settings, "upload", "", str(file)).error.startswith("invalid_message: an upload names its table")


def cancel(at: Surroundings) -> None:
    """A query that would not end in this century is cancelled in either way, and leaves nothing behind."""
    for by in ("action", "drop"):
        (line,) = at.client.run(at.settings, "cancel", ENDLESS, "--by", by).lines
        assert line["state"] == "cancelled"
        assert line["job"] in [job.job for job in at.mesh.jobs().jobs]
    wait_until(at.mesh.is_idle, 20, "the mesh to hold nothing any more")


def side_by_side(at: Surroundings) -> None:
    """A result that does not end is read from all workers at once; ending the client ends the query."""
    workers = {int(node.client.rpartition(":")[2]) for node in at.mesh.carrying()}
    assert len(workers) > 1
    process = at.client.start(at.settings, "sql", ENDLESS)

    def connected() -> bool:
        assert process.poll() is None
        found = psutil.Process(process.pid).net_connections("tcp")
        return workers <= {connection.raddr.port for connection in found if connection.raddr}

    def read() -> bool:
        """Whether what still runs is read: only that can notice that its reader has gone."""
        loads = [node.load for node in at.mesh.carrying() if node.load is not None and node.load.running_tasks]
        return bool(loads) and all(load.streams for load in loads)

    try:
        wait_until(connected, 60, "connections to all workers")
        wait_until(read, 60, "streams from the workers that still have something to give")
    finally:
        process.terminate()
        process.wait(20)
    wait_until(at.mesh.is_idle, 20, "the mesh to hold nothing any more")


def catalog(at: Surroundings) -> None:
    """Every table with its size and columns."""
    listed = {line["name"]: line for line in at.client.run(at.settings, "tables").lines}
    assert set(tables()) <= set(listed)
    for name, table in tables().items():
        assert listed[name]["kind"] == "memory"
        assert (listed[name]["rows"], listed[name]["columns"]) == (table.num_rows, table.column_names)
        assert listed[name]["bytes"] > 0


def typed_errors(at: Surroundings) -> None:
    """Code, place, message and hint of an error, of planning and of running."""
    assert at.client.run(at.settings, "sql", "select x from numbers").error == (
        "invalid_query at 1:8: there is no column 'x'; hint: columns are k, v"
    )
    late = at.client.run(at.settings, "sql", "select cast(v - 70001 as utinyint) as v from numbers")
    assert re.match(r"data_error at 1:\d+: cannot cast -\d+ of type BIGINT to UTINYINT", late.error), late.error
    (at.folder / "plan.yaml").write_text("steps:\n  a: {from: nowhere}\n")
    assert at.client.run(at.settings, "plan", str(at.folder / "plan.yaml")).error.startswith("invalid_plan at 2:")


def plain_errors(at: Surroundings) -> None:
    """What is no mesh's error: nobody listens, a file that is not there."""
    nobody = {**at.settings, "FLIGHTMESH_DRIVER": "grpc://127.0.0.1:1"}
    assert at.client.run(nobody, "tables").error.startswith("unavailable: ")
    assert at.client.run(at.settings, "plan", str(at.folder / "none.yaml")).error.startswith("failed: ")


def who_is_let_in(at: Surroundings) -> None:
    """Under the mesh's name as well as under a node's address; not without a token, with a wrong one, or with another CA."""
    by_name = {**at.settings, "FLIGHTMESH_HOST_NAME": "flightmesh.flightmesh"}
    assert at.client.run(by_name, "sql", "select count(*) as n from numbers").lines == [["n"], [ROWS]]
    wrong = at.folder / "wrong.token"
    wrong.write_text(re.sub(r"-.{8}", "-AAAAAAAA", Path(at.settings["FLIGHTMESH_TOKEN_FILE"]).read_text()))
    other = at.folder / "other.pem"
    other.write_bytes(self_signed()[0])
    for changed, said in {
        ("FLIGHTMESH_TOKEN_FILE", ""): "unauthenticated: this mesh asks for a token, and the call had none; hint: ",
        ("FLIGHTMESH_TOKEN_FILE", str(wrong)): "unauthenticated: the token ",
        ("FLIGHTMESH_CA", str(other)): "unavailable: ",
        ("FLIGHTMESH_HOST_NAME", "other.flightmesh"): "unavailable: ",
    }.items():
        name, value = changed
        error = at.client.run({**at.settings, name: value}, "tables").error
        assert error.startswith(said)
        assert name == "FLIGHTMESH_TOKEN_FILE" or f"; hint: {'set ' if name.endswith('NAME') else ''}{name} " in error, error
    plain = {"FLIGHTMESH_DRIVER": at.settings["FLIGHTMESH_DRIVER"].replace("grpc+tls", "grpc")}
    assert at.client.run(plain, "tables").error.startswith("unavailable: ")


def vectors(at: Surroundings) -> None:
    """Every map of docs/flight.md is read, and written byte for byte."""
    lines = at.client.run({}, "vectors", str(DOCUMENT)).lines
    maps = re.findall(r"^<!-- map (\w+) -->$", DOCUMENT.read_text(), re.MULTILINE)
    assert [line["map"] for line in lines] == maps
    assert len(maps) > 70
    assert [line for line in lines if not line["same"] or not line["bytes"]] == []


SCENARIOS: tuple[Callable[[Surroundings], None], ...] = (
    queries,
    plan,
    upload,
    refused_upload,
    cancel,
    side_by_side,
    catalog,
    typed_errors,
    plain_errors,
    who_is_let_in,
    vectors,
)
EVERY_SCENARIO = pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.__name__)
AT_ONE_MESH = pytest.mark.xdist_group("clients")
"""The tests of all languages run in one process, and share its mesh."""
