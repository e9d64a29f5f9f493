"""A mesh as ADBC's Flight SQL driver sees it: queries, parameters, errors, tables made and dropped, listings."""

from __future__ import annotations

import datetime
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import adbc_driver_flightsql.dbapi as adbc
import pyarrow as pa
import pytest

from flightmesh.protocol.client_messages import OpenSession
from tests.flight_sql.conftest import NUMBERS
from tests.node.loopback import Loopback, client_of, wait_until

SESSION_OPTION = "adbc.flight.sql.rpc.call_header.flightmesh-session"
RESULTS_OPTION = "adbc.flight.sql.rpc.call_header.flightmesh-results"


def rows(cursor: adbc.Cursor, text: str, params: Any = None) -> list[dict[str, Any]]:
    cursor.execute(text, params)
    found: list[dict[str, Any]] = cursor.fetch_arrow_table().to_pylist()
    return found


@contextmanager
def refused(*words: str) -> Iterator[None]:
    with pytest.raises(adbc.Error) as caught:
        yield
    for word in words:
        assert word in str(caught.value)
    assert "Traceback" not in str(caught.value)


def test_rows_of_a_query(cursor: adbc.Cursor) -> None:
    cursor.execute("select a, s from numbers order by a")
    table = cursor.fetch_arrow_table()
    assert table == NUMBERS
    assert cursor.execute("select a + 1 as b from numbers order by 1").fetchall() == [(2,), (3,), (4,)]
    assert cursor.execute("select a from numbers where a > 5").fetchall() == []


def test_a_list_is_bound(cursor: adbc.Cursor) -> None:
    given = pa.record_batch({"x": pa.array([[1, None, 3]])})
    assert rows(cursor, "select list_sum(x) as s, x from (select ? as x)", given) == [{"s": 4, "x": [1, None, 3]}]


@pytest.fixture
def many(cursor: adbc.Cursor) -> Iterator[None]:
    """The table `many` of a thousand numbers."""
    cursor.adbc_ingest("many", pa.table({"x": range(1000)}), mode="create")
    yield
    cursor.execute("drop table many")


@pytest.mark.usefixtures("many")
def test_many_rows_from_all_workers_in_order(cursor: adbc.Cursor, mesh: Loopback) -> None:
    through_driver = mesh.service.row_bytes
    cursor.execute("select r.x * 1000 + s.x as n from many r, many s order by n")
    found = cursor.fetch_arrow_table()["n"]
    assert found.length() == 1_000_000
    assert found.to_pylist() == list(range(1_000_000))
    assert mesh.service.row_bytes == through_driver


def test_rows_through_the_driver(mesh: Loopback) -> None:
    through_driver = mesh.service.row_bytes
    options = {RESULTS_OPTION: "through-driver"}
    with adbc.connect(mesh.driver.client_uri, db_kwargs=options, autocommit=True) as opened, opened.cursor() as cursor:
        assert rows(cursor, "select max(a) as top from numbers") == [{"top": 3}]
    assert mesh.service.row_bytes > through_driver


@pytest.mark.parametrize(
    ("text", "params", "expected"),
    [
        ("select a from numbers where a >= ? and s <> ? order by a", [2, "z"], [{"a": 2}]),
        ("select a from numbers where s <> $2 and a >= $1 order by a", (2, "z"), [{"a": 2}]),
        ("select a from numbers where a >= :low and s <> :other order by a", [2, "z"], [{"a": 2}]),
        (
            "select a from numbers where a >= :low and s <> :other order by a",
            pa.record_batch({"other": ["z"], "low": [2]}),
            [{"a": 2}],
        ),
        ("select a from numbers order by a limit ?", [1], [{"a": 1}]),
        ("select a from numbers where s = ?", pa.record_batch({"x": pa.array(["y"]).dictionary_encode()}), [{"a": 2}]),
    ],
)
def test_parameters(cursor: adbc.Cursor, text: str, params: Any, expected: list[dict[str, Any]]) -> None:
    assert rows(cursor, text, params) == expected


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        5,
        1 << 40,
        1.5,
        Decimal("1.50"),
        "it's",
        b"\x00",
        datetime.date(2020, 2, 29),
        datetime.datetime(2020, 1, 1, 9),
    ],
    ids=str,
)
def test_a_parameter_is_what_was_given(cursor: adbc.Cursor, value: object) -> None:
    assert rows(cursor, "select ? as x", [value]) == [{"x": value}]


def test_a_prepared_statement_runs_again_with_other_values(cursor: adbc.Cursor, mesh: Loopback) -> None:
    text = "select s from numbers where a = ?"
    wanted = cursor.adbc_prepare(text)
    assert wanted == pa.schema([pa.field("1", pa.null())])
    assert [rows(cursor, text, [number]) for number in (3, 1)] == [[{"s": "z"}], [{"s": "x"}]]
    assert len(mesh.service.flight_sql.prepared) == 1


def test_a_prepared_statement_goes_on_with_its_plan(cursor: adbc.Cursor, mesh: Loopback) -> None:
    text, plans = "select s from numbers where a = ? order by s", mesh.service.mesh.plans
    cursor.adbc_prepare(text)
    used = plans.used
    assert [rows(cursor, text, [number]) for number in (3, 1, 3)] == [[{"s": "z"}], [{"s": "x"}], [{"s": "z"}]]
    assert plans.used == used + 1, "the values were the same once"
    text = "select max(a) as a from numbers"
    cursor.adbc_prepare(text)
    assert [rows(cursor, text) for _ in range(2)] == [[{"a": 3}]] * 2
    assert plans.used >= used + 3, "preparing it had planned it"


@pytest.mark.parametrize(
    ("text", "params", "words"),
    [
        (
            "select a\nfrom numbers\nwhere aa = 1",
            None,
            ("no column 'aa'", "line 3, column 7", "where aa = 1\n", "did you mean a?"),
        ),
        ("selct 1", None, ("line 1, column 1", "did you mean SELECT?")),
        ("select * from nowhere where a = ?", [1], ("nowhere", "line 1")),
        ("select a from numbers where a = ?", [1, 2], ("the statement has 1 parameter, and 2 values were bound",)),
        ("select ? as x", pa.record_batch({"x": [1, 2]}), ("more than one was bound", "once for each row")),
        ("select ? as x", pa.record_batch({"x": [{"a": 1}]}), ("Arrow type struct",)),
        ("select 1 // ?", ["x"], ("line 1",)),
        ("select cast(s as int) from numbers", None, ("'x'",)),
        ("insert into numbers values (1, 'x')", None, ("INSERT", "not supported")),
        ("begin", None, ("BEGIN",)),
    ],
    ids=lambda part: part[:30] if isinstance(part, str) else "",
)
def test_errors_say_where_and_what_to_do(cursor: adbc.Cursor, text: str, params: Any, words: tuple[str, ...]) -> None:
    with refused(*words):
        rows(cursor, text, params)
    assert rows(cursor, "select 1 as one") == [{"one": 1}]


def test_a_missing_value_is_an_error(cursor: adbc.Cursor) -> None:
    with refused("the parameter '1' has no value"):
        rows(cursor, "select a from numbers where a = ?")


def test_tables_and_views_are_made_and_dropped(cursor: adbc.Cursor) -> None:
    assert rows(cursor, "create table doubled as select a * 2 as b from numbers") == []
    cursor.executescript("create view tripled as select a * 3 as b from numbers")
    cursor.executemany("create table chosen as select a from numbers where a > ?", [[1]])
    assert rows(cursor, "select sum(b) as b from doubled union all select sum(b) from tripled order by b") == [
        {"b": 12},
        {"b": 18},
    ]
    assert rows(cursor, "select count(*) as n from chosen") == [{"n": 2}]
    for name in ("table doubled", "view tripled", "table chosen"):
        cursor.executescript(f"drop {name}")
    with refused("no table or view is named 'doubled'"):
        cursor.executescript("drop table doubled")
    with refused("is a query", "execute it as a query"):
        cursor.executescript("select 1")


def test_prepare_changes_nothing(cursor: adbc.Cursor) -> None:
    cursor.adbc_prepare("create table made as select 1 as a")
    with refused("no table or view is named 'made'"):
        rows(cursor, "select * from made")


@pytest.fixture
def dropped_after(cursor: adbc.Cursor) -> Iterator[None]:
    """Whatever tables a test makes of these names are gone after it."""
    yield
    for name in ("bulk", "other", "sales.new"):
        cursor.execute(f"drop table if exists {name}")


@pytest.mark.usefixtures("dropped_after")
def test_rows_in_bulk(cursor: adbc.Cursor) -> None:
    data = pa.table({"x": range(300_000), "label": pa.array(["a", "b", None] * 100_000).dictionary_encode()})
    assert cursor.adbc_ingest("bulk", data, mode="create") == 300_000
    assert rows(cursor, "select count(*) as n, sum(x) as x, count(label) as l from bulk") == [
        {"n": 300_000, "x": Decimal(300_000 * 299_999 // 2), "l": 200_000}
    ]
    with refused("there is a table or view 'bulk' already", "replace"):
        cursor.adbc_ingest("bulk", data, mode="create")
    with refused("rows cannot be added to the table 'bulk'", "UNION ALL"):
        cursor.adbc_ingest("bulk", data, mode="append")
    with refused("there is no table 'other'", "create"):
        cursor.adbc_ingest("other", data, mode="append")
    assert cursor.adbc_ingest("bulk", data.slice(0, 10).to_reader(), mode="replace") == 10
    assert cursor.adbc_ingest("new", data.slice(0, 5), mode="create_append", db_schema_name="sales") == 5
    assert rows(cursor, "select count(*) as n from bulk, sales.new") == [{"n": 50}]


def test_a_slow_sender_hears_why_its_rows_are_refused(cursor: adbc.Cursor) -> None:
    """ADBC tells one whose next dictionary comes after the refusal of an `EOF`: the refusal waits until all is read."""
    parts = [pa.record_batch({"label": pa.array(labels).dictionary_encode()}) for labels in (["a", "b"], ["c", "d"], ["e"])]

    def slowly() -> Iterator[pa.RecordBatch]:
        for part in parts:
            yield part
            threading.Event().wait(0.1)

    with refused("there is no table 'other'", "create"):
        cursor.adbc_ingest("other", pa.RecordBatchReader.from_batches(parts[0].schema, slowly()), mode="append")


def test_a_temporary_table_needs_a_session(cursor: adbc.Cursor, mesh: Loopback) -> None:
    with refused("needs a session", "open-session"):
        cursor.adbc_ingest("mine", NUMBERS, mode="create", temporary=True)
    with client_of(mesh) as client:
        session = client.open(OpenSession()).session
        with (
            adbc.connect(mesh.driver.client_uri, db_kwargs={SESSION_OPTION: session}, autocommit=True) as opened,
            opened.cursor() as own,
        ):
            own.adbc_ingest("mine", NUMBERS, mode="create", temporary=True)
            assert rows(own, "select sum(a) as a from mine") == [{"a": 6}]
            with refused("no table or view is named 'mine'"):
                rows(cursor, "select * from mine")
    assert len(mesh.service.sessions) == 0, "ADBC closes the session that it was given"


def test_objects_at_every_depth(connection: adbc.Connection) -> None:
    depths = {
        depth: connection.adbc_get_objects(depth=depth).read_all().to_pylist() for depth in ("catalogs", "db_schemas", "tables")
    }
    assert depths["catalogs"] == [{"catalog_name": "memory", "catalog_db_schemas": None}]
    assert depths["db_schemas"][0]["catalog_db_schemas"] == [{"db_schema_name": "main", "db_schema_tables": None}]
    (table,) = depths["tables"][0]["catalog_db_schemas"][0]["db_schema_tables"]
    assert (table["table_name"], table["table_type"]) == ("numbers", "TABLE")
    (whole,) = connection.adbc_get_objects(depth="all").read_all().to_pylist()
    (described,) = whole["catalog_db_schemas"][0]["db_schema_tables"]
    columns = [
        (column["column_name"], column["ordinal_position"], column["xdbc_type_name"]) for column in described["table_columns"]
    ]
    assert columns == [("a", 1, "BIGINT"), ("s", 2, "VARCHAR")]
    assert described["table_constraints"] == []


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({"table_name_filter": "num%"}, ["numbers"]),
        ({"table_name_filter": "NUMBER_"}, ["numbers"]),
        ({"table_name_filter": "number"}, []),
        ({"table_name_filter": "number\\_"}, []),
        ({"db_schema_filter": "m%n", "catalog_filter": "memory"}, ["numbers"]),
        ({"db_schema_filter": "other"}, []),
        ({"catalog_filter": "other"}, []),
        ({"table_types_filter": ["VIEW"]}, []),
    ],
)
def test_filters_of_listings(connection: adbc.Connection, wanted: dict[str, Any], found: list[str]) -> None:
    listed = connection.adbc_get_objects(depth="tables", **wanted).read_all().to_pylist()
    tables = [
        table["table_name"]
        for catalog in listed
        for schema in catalog["catalog_db_schemas"] or ()
        for table in schema["db_schema_tables"] or ()
    ]
    assert tables == found


def test_views_are_listed_as_such(connection: adbc.Connection, cursor: adbc.Cursor) -> None:
    cursor.executescript("create view seen as select a, cast(a as decimal(9, 2)) as d from numbers")
    try:
        schema = connection.adbc_get_table_schema("seen")
        assert schema == pa.schema([("a", pa.int64()), ("d", pa.decimal128(9, 2))])
        assert schema.field("d").metadata[b"ARROW:FLIGHT:SQL:TYPE_NAME"] == b"DECIMAL(9,2)"
        listed = connection.adbc_get_objects(depth="tables", table_types_filter=["VIEW"]).read_all().to_pylist()
        assert [table["table_name"] for table in listed[0]["catalog_db_schemas"][0]["db_schema_tables"]] == ["seen"]
    finally:
        cursor.executescript("drop view seen")


def test_what_the_server_and_its_tables_are(connection: adbc.Connection, cursor: adbc.Cursor) -> None:
    assert connection.adbc_get_info()["vendor_name"] == "flightmesh"
    assert connection.adbc_get_table_types() == ["TABLE", "VIEW"]
    assert connection.adbc_get_table_schema("numbers") == NUMBERS.schema
    assert connection.adbc_get_table_schema("numbers", db_schema_filter="main") == NUMBERS.schema
    with refused("No table found"):
        connection.adbc_get_table_schema("nowhere")
    assert cursor.adbc_execute_schema("select a as b from numbers") == pa.schema([("b", pa.int64())])
    with refused("no column 'c'"):
        cursor.adbc_execute_schema("select c from numbers")


@pytest.mark.usefixtures("many")
def test_cancelling_a_query_frees_what_it_holds(cursor: adbc.Cursor, mesh: Loopback) -> None:
    cursor.execute("select a.x from many a, many b, many c")
    reader = cursor.fetch_record_batch()
    assert reader.read_next_batch().num_rows
    canceller = threading.Thread(target=cursor.adbc_cancel)
    canceller.start()
    with pytest.raises((OSError, pa.ArrowException, adbc.Error)):
        while reader.read_next_batch().num_rows >= 0:
            pass
    canceller.join()
    reader.close()
    wait_until(mesh.is_idle, "the job is over")


def test_eight_connections_side_by_side(mesh: Loopback) -> None:
    found: list[object] = []

    def use(number: int) -> None:
        with adbc.connect(mesh.driver.client_uri, autocommit=True) as opened, opened.cursor() as cursor:
            for step in range(5):
                found.append((number, step, rows(cursor, "select a * ? as x from numbers where a = 2", [number * 10 + step])))

    threads = [threading.Thread(target=use, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found, key=str) == [(n, s, [{"x": 2 * (n * 10 + s)}]) for n in range(8) for s in range(5)]
