"""What a worker may read: look-up and tables against allowed roots."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from flightmesh.catalog.open import open_table
from flightmesh.errors import FlightmeshError, InvalidConfig, InvalidInput, NotAllowed
from flightmesh.node.look_up import collect_statistics, list_splits, look_up
from flightmesh.node.offers import Offers
from flightmesh.node.roots import EVERYWHERE, Roots, read_roots
from flightmesh.physical.operators import TableScan
from flightmesh.protocol.asking import AskStatistics, LookUp
from flightmesh.protocol.node_messages import ListSplits


@pytest.fixture
def storage(tmp_path: Path) -> Path:
    """`open` is allowed, `shut` beside it is not; `open/door` is a link to `shut`."""
    for name in ("open", "open/deep", "shut", "opening"):
        (tmp_path / name).mkdir()
        pq.write_table(pa.table({"x": [1, 2, 3]}), tmp_path / name / "rows.parquet")
    (tmp_path / "open" / "door").symlink_to(tmp_path / "shut")
    (tmp_path / "open" / "latch.parquet").symlink_to(tmp_path / "shut" / "rows.parquet")
    (tmp_path / "open" / "inside.parquet").symlink_to(tmp_path / "open" / "deep" / "rows.parquet")
    return tmp_path


def asked(*paths: Path | str) -> LookUp:
    return LookUp("t", tuple(str(path) for path in paths))


@pytest.mark.parametrize("path", ["rows.parquet", "deep", "deep/*.parquet", "r*.parquet", "inside.parquet", "../open/deep"])
def test_what_lies_under_a_root_is_found(storage: Path, path: str) -> None:
    roots = read_roots([str(storage / "open")])
    found = look_up(asked(f"{storage}/open/{path}"), roots).table
    assert found == look_up(asked(f"{storage}/open/{path}"), EVERYWHERE).table
    assert [file.size > 0 for file in found.files] == [True]
    assert collect_statistics(AskStatistics(found, ("x",)), roots, Offers()).rows == 3
    assert len(list_splits(ListSplits(TableScan(found, 0, (), (), ())), roots, Offers()).splits) == 1


@pytest.mark.parametrize(
    "path",
    [
        "/shut/rows.parquet",
        "/shut",
        "/opening/rows.parquet",
        "/open/../shut/rows.parquet",
        "/open/deep/../../shut",
        "/open/door",
        "/open/door/rows.parquet",
        "/open/door/*.parquet",
        "/open/latch.parquet",
        "/open/l*.parquet",
        "/op*/rows.parquet",
        "/*",
        "/shut/nothing.parquet",
        "/nothing/at/all",
    ],
)
def test_what_lies_elsewhere_is_refused(storage: Path, path: str) -> None:
    roots = read_roots([str(storage / "open")])
    with pytest.raises(NotAllowed) as caught:
        look_up(asked(f"{storage}{path}"), roots)
    assert "outside the roots" in caught.value.message
    assert str(storage / "open") in (caught.value.hint or "")


def test_one_path_of_several_is_enough_to_refuse(storage: Path) -> None:
    roots = read_roots([str(storage / "open")])
    with pytest.raises(NotAllowed):
        look_up(asked(storage / "open" / "rows.parquet", storage / "shut" / "rows.parquet"), roots)


def test_a_table_that_was_opened_elsewhere_is_checked_too(storage: Path) -> None:
    roots = read_roots([str(storage / "open")])
    for path in ("shut/rows.parquet", "open/latch.parquet"):
        table = open_table("t", storage / path)
        with pytest.raises(NotAllowed):
            roots.check_table(table)
        with pytest.raises(NotAllowed):
            collect_statistics(AskStatistics(table), roots, Offers())
        with pytest.raises(NotAllowed):
            list_splits(ListSplits(TableScan(table, 0, (), (), ())), roots, Offers())
    roots.check_table(open_table("t", storage / "open" / "deep"))


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("data/rows.parquet", InvalidInput),
        ("./rows.parquet", InvalidInput),
        ("~/rows.parquet", InvalidInput),
        ("", InvalidInput),
        ("http://host/rows.parquet", NotAllowed),
        ("gs://bucket/rows.parquet", NotAllowed),
        ("FILE://etc/passwd", NotAllowed),
    ],
)
def test_relative_paths_and_other_schemes(path: str, error: type[FlightmeshError]) -> None:
    with pytest.raises(error) as caught:
        look_up(asked(path), EVERYWHERE)
    assert caught.value.hint


def test_a_relative_path_hints_at_uploading() -> None:
    with pytest.raises(InvalidInput, match=r"session\.upload"):
        look_up(asked("data/rows.parquet"), EVERYWHERE)


def test_a_root_may_be_written_through_a_link(storage: Path) -> None:
    roots = read_roots([str(storage / "open" / "door")])
    assert look_up(asked(storage / "shut" / "rows.parquet"), roots).table.files
    with pytest.raises(NotAllowed):
        look_up(asked(storage / "open" / "rows.parquet"), roots)


def test_object_stores_are_closed_once_a_root_is_named(storage: Path) -> None:
    everything = Roots()
    everything.check_paths(["s3://bucket/any", str(storage)])
    for roots in (read_roots([str(storage / "open")]), Roots(())):
        with pytest.raises(NotAllowed, match="s3://bucket/any is outside"):
            roots.check_paths(["s3://bucket/any"])
    stores = read_roots(["s3://bucket/prefix"])
    stores.check_paths(["s3://bucket/prefix", "s3://bucket/prefix/rows.parquet"])
    for path in (
        "s3://bucket/prefixed/rows.parquet",
        "s3://other/prefix",
        "s3://bucket/prefix/../other",
        str(storage / "open"),
    ):
        with pytest.raises(NotAllowed):
            stores.check_paths([path])
    with pytest.raises(NotAllowed, match="outside"):
        Roots(()).check_paths([str(storage)])


def test_the_whole_machine_is_a_root(storage: Path) -> None:
    assert look_up(asked(storage / "shut"), read_roots(["/"])).table.files


def test_a_root_that_is_no_folder(storage: Path) -> None:
    for text in ("open/rows.parquet", "missing"):
        with pytest.raises(InvalidConfig, match="not a folder"):
            read_roots([str(storage / text)])


@pytest.mark.parametrize("written", ["", "/rows.parquet", "/*.parquet"])
def test_what_is_closed_is_in_no_root(storage: Path, written: str) -> None:
    (storage / "way").symlink_to(storage / "shut")
    for allowed in (EVERYWHERE, read_roots([str(storage)])):
        roots = allowed.without([storage / "shut"])
        for place in (storage / "shut", storage / "way", storage / "open" / "door"):
            with pytest.raises(NotAllowed, match="secret of the mesh"):
                look_up(asked(f"{place}{written}"), roots)
            with pytest.raises(NotAllowed, match="secret of the mesh"):
                roots.target(f"{place}/new.csv")
        assert look_up(asked(storage / "open" / "deep"), roots).table.files
        with pytest.raises(NotAllowed, match="secret of the mesh"):
            look_up(asked(f"{storage}/*/rows.parquet"), roots)
