"""Names of a session: registering, looking up, suggesting."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from flightmesh.catalog.catalog import Catalog, View
from flightmesh.catalog.memory import MemoryTables
from flightmesh.catalog.names import join_name, split_name
from flightmesh.catalog.table import FileTable, MemoryTable
from flightmesh.errors import InvalidInput, InvalidQuery


@pytest.fixture
def orders() -> MemoryTable:
    return MemoryTables().put("orders", {"o_orderkey": [1]})


def test_lookup_with_and_without_catalog_and_schema(orders: MemoryTable) -> None:
    catalog = Catalog()
    catalog.register("Orders", orders)
    for parts in (
        ["orders"],
        ["ORDERS"],
        ["main", "orders"],
        ["memory", "main", "orders"],
        ["MEMORY", "Main", "oRdErS"],
        "orders",
    ):
        assert catalog.lookup(parts) is orders
        assert parts in catalog


def test_other_schemas_are_other_names(orders: MemoryTable) -> None:
    catalog = Catalog()
    catalog.register(["sales", "orders"], orders)
    assert catalog.lookup(["sales", "orders"]) is orders
    assert catalog.lookup(["memory", "sales", "orders"]) is orders
    assert ["orders"] not in catalog
    with pytest.raises(InvalidQuery, match="'orders'") as caught:
        catalog.lookup(["orders"])
    assert caught.value.hint == "did you mean memory.sales.orders?"


def test_registering_again_replaces_and_tells(orders: MemoryTable) -> None:
    catalog = Catalog()
    view = View("orders", "select 1", "duckdb")
    assert catalog.register("orders", orders) is None
    assert catalog.register("ORDERS", view) is orders
    assert catalog.lookup("orders") is view
    assert catalog.drop("Orders") is view
    assert "orders" not in catalog


def test_unknown_names_are_answered_with_near_ones(orders: MemoryTable) -> None:
    catalog = Catalog()
    with pytest.raises(InvalidQuery, match="no table or view is named 'orders'") as caught:
        catalog.lookup(["orders"])
    assert caught.value.hint == "no table is registered"
    catalog.register("orders", orders)
    catalog.register("nation", orders)
    with pytest.raises(InvalidQuery) as caught:
        catalog.lookup(["ordres"])
    assert caught.value.hint == "did you mean orders?"
    with pytest.raises(InvalidQuery) as caught:
        catalog.drop("zzz")
    assert caught.value.hint == "tables are nation, orders"
    with pytest.raises(InvalidQuery, match="is not a table name"):
        catalog.lookup(["a", "b", "c", "d"])


def test_listing(orders: MemoryTable) -> None:
    catalog = Catalog()
    catalog.register("b", orders)
    catalog.register(["x", "a"], orders)
    catalog.register("A", View("A", "select 1", "duckdb"))
    assert [(entry.catalog, entry.schema, entry.name) for entry in catalog.tables()] == [
        ("memory", "main", "A"),
        ("memory", "main", "b"),
        ("memory", "x", "a"),
    ]


def test_paths_in_queries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.csv").write_text("x;y\n1;2\n")
    monkeypatch.chdir(tmp_path)
    catalog = Catalog()
    table = catalog.open_path("a.csv")
    assert isinstance(table, FileTable)
    assert (table.name, table.schema.names) == ("a.csv", ["x", "y"])
    assert catalog.open_path("a.csv", options={"delim": ","}).schema.names == ["x;y"]
    with pytest.raises(InvalidInput, match=r"b\.csv does not exist") as caught:
        catalog.open_path("b.csv")
    assert caught.value.hint == "did you mean a.csv?"


def test_threads(orders: MemoryTable) -> None:
    catalog = Catalog()

    def work(number: int) -> None:
        for step in range(50):
            catalog.register(f"t{number}_{step}", orders)
            catalog.lookup(f"t{number}_{step}")
            catalog.tables()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(catalog.tables()) == 200


@pytest.mark.parametrize("parts", [("a",), ("a b",), ("s", "t"), ("c", "s", "t"), ("a.b",), ('x"y', "."), ("*", "ä", "t.1")])
def test_names_survive_their_text(parts: tuple[str, ...]) -> None:
    assert split_name(join_name(parts)) == parts


def test_hints_write_names_as_queries_do(orders: MemoryTable) -> None:
    catalog = Catalog()
    catalog.register(["new.orders"], orders)
    with pytest.raises(InvalidQuery) as caught:
        catalog.lookup(["new", "orders"])
    assert caught.value.hint == 'did you mean "new.orders"?'
