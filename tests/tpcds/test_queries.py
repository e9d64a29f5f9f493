"""All 99 queries against DuckDB, and a ratchet: what was right stays right, and what is refused is refused as recorded.

A query that finds nothing at the scale of CI has a variant that does (tests/tpcds/variants.py).

`pytest tests/tpcds --update-goldens` writes the record, outcomes.txt, anew. A wrong answer fails, whatever is recorded.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

import flightmesh
from flightmesh.config import Config
from tests.meshes import AT_MESHES, AnySession, Meshes, session_at
from tests.tpcds.data import NUMBERS, queries, table_files, tpcds_folder
from tests.tpcds.outcome import RIGHT, answer, is_trivial, outcome, record, recorded
from tests.tpcds.variants import VARIANTS, variant

EACH = pytest.mark.parametrize("number", NUMBERS, ids="q{:02}".format)
EACH_VARIANT = pytest.mark.parametrize("number", VARIANTS, ids="q{:02}".format)


@pytest.fixture(scope="module")
def embedded() -> Iterator[list[flightmesh.Session]]:
    """Sessions without tables whose queries run in one partition, and in seven."""
    with ExitStack() as ends:
        yield [ends.enter_context(flightmesh.connect(config=Config(threads=2, partitions=count))) for count in (1, 7)]


@pytest.fixture(scope="module", params=AT_MESHES[:1])
def remote(request: pytest.FixtureRequest, meshes: Meshes) -> Iterator[flightmesh.RemoteSession]:
    """A session without tables at a mesh of three workers."""
    with session_at(meshes.of(request.param)) as made:
        yield made


def over(session: AnySession, folder: Path) -> AnySession:
    for table, path in table_files(folder).items():
        session.register(table, path)
    return session


def test_there_are_99() -> None:
    assert sorted(queries()) == sorted(recorded()) == list(NUMBERS)


@pytest.fixture(scope="module")
def sessions(embedded: list[flightmesh.Session], small: Path) -> list[AnySession]:
    return [over(session, small) for session in embedded]


@EACH
def test_no_query_got_worse(sessions: list[AnySession], small: Path, number: int, update_goldens: bool) -> None:
    (became,) = {outcome(session, small, queries()[number]) for session in sessions}
    if update_goldens:
        record(number, became)
    check(number, became)


def check(number: int, became: str) -> None:
    was = recorded()[number]
    assert was != RIGHT or became == RIGHT, f"was right, and is now refused: {became}"
    assert became == was, f"was {was!r}, is now {became!r}: record it with --update-goldens"


@pytest.fixture(scope="module")
def mesh(remote: flightmesh.RemoteSession, small: Path) -> AnySession:
    return over(remote, small)


@EACH
def test_no_query_got_worse_on_a_mesh(mesh: AnySession, small: Path, number: int) -> None:
    check(number, outcome(mesh, small, queries()[number]))


@EACH
def test_what_proves_little_has_a_variant(small: Path, number: int) -> None:
    assert is_trivial(answer(small, queries()[number]).plain) == (number in VARIANTS)


@EACH_VARIANT
def test_a_variant_finds_something(sessions: list[AnySession], small: Path, number: int) -> None:
    assert not is_trivial(answer(small, variant(number)).plain)
    assert {outcome(session, small, variant(number)) for session in sessions} == {RIGHT}


@EACH_VARIANT
def test_a_variant_on_a_mesh(mesh: AnySession, small: Path, number: int) -> None:
    assert outcome(mesh, small, variant(number)) == RIGHT


@pytest.fixture(scope="module")
def sessions_one(embedded: list[flightmesh.Session]) -> list[AnySession]:
    return [over(session, tpcds_folder("1")) for session in embedded]


@pytest.mark.tpcds_sf1
@EACH
def test_no_query_got_worse_at_scale_one(sessions_one: list[AnySession], number: int) -> None:
    assert {outcome(session, tpcds_folder("1"), queries()[number]) for session in sessions_one} == {recorded()[number]}


@pytest.fixture(scope="module")
def mesh_one(remote: flightmesh.RemoteSession) -> AnySession:
    return over(remote, tpcds_folder("1"))


@pytest.mark.tpcds_sf1
@EACH
def test_no_query_got_worse_on_a_mesh_at_scale_one(mesh_one: AnySession, number: int) -> None:
    assert outcome(mesh_one, tpcds_folder("1"), queries()[number]) == recorded()[number]
