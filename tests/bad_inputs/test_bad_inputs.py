"""Bad inputs and the error that each gets, word for word, as a person sees it: the cases are in cases.yaml."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from ruamel.yaml import YAML

import flightmesh
from flightmesh import errors
from tests.meshes import ANYWHERE, AnySession, session_anywhere

NOBODY = 65534


@dataclass(frozen=True, slots=True)
class Case:
    """What is done, with which options, and the error: the name of its class and its whole text, which is the same at a mesh
    unless said otherwise."""

    act: Callable[..., object]
    """Called with the session, the folder, `given` and the options."""
    given: str
    error: str
    text: str
    at_a_mesh: str | None = None
    options: dict[str, Any] = field(default_factory=dict)


def sql(session: AnySession, _: Path, text: str, **options: Any) -> None:
    session.sql(text, **options).to_arrow()


def register(session: AnySession, folder: Path, name: str, **options: Any) -> None:
    session.register("bad", folder / name, **options)


def read(session: AnySession, folder: Path, name: str, **options: Any) -> None:
    """Registers and reads: an error that only reading can find."""
    register(session, folder, name, **options)
    session.sql("select * from bad").to_arrow()


def plan(session: AnySession, folder: Path, text: str, **params: Any) -> None:
    path = folder / "plan.yaml"
    path.write_text(text)
    session.run_plan(path, params=params).to_arrow()


ACTS: dict[str, Callable[..., object]] = {"sql": sql, "register": register, "read": read, "plan": plan}


def cases() -> dict[str, Case]:
    """Those of the file, by name."""
    found = {}
    for name, told in YAML(typ="safe").load(Path(__file__).with_name("cases.yaml")).items():
        (done,) = told.keys() & ACTS
        assert told.keys() <= {done, "options", "error", "says", "says at a mesh"}, name
        texts = told["error"], told["says"], told.get("says at a mesh")
        found[name] = Case(ACTS[done], told[done], *texts, told.get("options", {}))
    return found


CASES = cases()


def unreadable(session: AnySession, folder: Path, name: str) -> None:
    locked = folder / name
    locked.mkdir()
    (locked / "a.csv").write_text("a\n1\n")
    locked.chmod(0)
    try:
        with as_somebody_else(folder):
            session.register("bad", locked)
    finally:
        locked.chmod(0o700)
        shutil.rmtree(locked)


@contextmanager
def as_somebody_else(folder: Path) -> Iterator[None]:
    """Not as root, who may read everything."""
    if os.geteuid() != 0:
        yield
        return
    for part in (folder, *folder.parents[:2]):
        part.chmod(0o755)
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files that are all wrong in their own way, and one that is right."""
    made = tmp_path_factory.mktemp("inputs")
    table = pa.table({"a": list(range(10_000)), "b": [f"text {n}" for n in range(10_000)]})
    pq.write_table(table, made / "orders.parquet")
    whole = (made / "orders.parquet").read_bytes()
    (made / "truncated.parquet").write_bytes(whole[: len(whole) // 2])
    (made / "broken.parquet").write_bytes(whole[:4] + b"\x00" * 2000 + whole[2004:])
    (made / "text.parquet").write_text("this is not a Parquet file, it only says so\n")
    (made / "ragged.csv").write_text("a,b\n1,2\n3,4,5\n")
    (made / "typed.csv").write_text("a,b\n1,x\ntwo,y\n")
    (made / "broken.jsonl").write_text('{"a": 1}\n{"a": \n')
    (made / "notes.txt").write_text("a\n")
    (made / "empty").mkdir()
    (made / "mixed").mkdir()
    pq.write_table(pa.table({"a": [1]}), made / "mixed" / "1.parquet")
    pq.write_table(pa.table({"a": ["x"]}), made / "mixed" / "2.parquet")
    return made


@pytest.fixture(scope="module", params=ANYWHERE)
def session(request: pytest.FixtureRequest) -> Iterator[AnySession]:
    with session_anywhere(request.param, request) as made:
        made.register(
            "orders",
            pa.table(
                {
                    "o_id": [1, 2, 3],
                    "status": ["open", "paid", "open"],
                    "total": [10.5, 20.0, 3.25],
                    "big": [2**62, 2**63 - 1, 1],
                    "huge": pa.array([10**37 * 9, 10**37 * 9, 1], pa.decimal128(38, 0)),
                }
            ),
        )
        yield made


UNREADABLE = Case(
    unreadable,
    "locked",
    "InvalidInput",
    "{folder}/locked cannot be read: permission denied\nhint: check who may read it, or run as its owner",
)
"""Not at a mesh: where its nodes are root's, they may read everything."""


def test_an_unreadable_folder(folder: Path) -> None:
    with flightmesh.connect() as session:
        check(UNREADABLE, session, folder)


@pytest.mark.parametrize("name", CASES)
def test_the_error_says_what_is_wrong(session: AnySession, folder: Path, name: str) -> None:
    check(CASES[name], session, folder)


def check(case: Case, session: AnySession, folder: Path) -> None:
    """What a case does fails as it says."""
    with pytest.raises(flightmesh.FlightmeshError) as caught:
        case.act(session, folder, case.given, **case.options)
    shown = caught.value.render().replace(str(folder), "{folder}")
    at_a_mesh = not isinstance(session, flightmesh.Session)
    assert shown == (case.at_a_mesh if at_a_mesh and case.at_a_mesh is not None else case.text)
    assert type(caught.value) is getattr(errors, case.error)
    assert not caught.value.retryable
