"""The plan of the documentation, with its data, for tests that change one thing in it."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

PLAN = """plan: late-departures
params:
  month: 6
  since: {type: date, required: true}
inputs:
  flights:  {parquet: data/flights}
  airlines: {csv: data/airlines.csv}
steps:
  late:       {from: flights, where: dep_delay > 60 and month = :month and time_hour >= :since}
  by_airline:
    from: late
    join: {with: airlines, on: carrier, how: left}
    group_by: [name]
    aggregate: {flights: count(*), mean_delay: avg(dep_delay)}
    order_by: [mean_delay desc]
    limit: 10
  busiest: {sql: "select name, flights from by_airline where flights > (select avg(flights) from by_airline)"}
output: busiest               # default: the last step
write: {parquet: out/}        # optional
settings: {dialect: duckdb}
"""


def write_example(folder: Path, text: str = PLAN) -> Path:
    """Puts a plan and its data into a folder; returns the plan's path."""
    (folder / "data" / "flights").mkdir(parents=True)
    flights = pa.table(
        {
            "carrier": ["AA", "AA", "UA", "UA", "UA", "ZZ", "B6", None],
            "dep_delay": [61, 100, 90, 61, None, 70, 10, 99],
            "month": [6, 6, 6, 6, 6, 6, 6, 6],
            "time_hour": pa.array([1_370_000_000 + 3600 * n for n in range(8)], pa.timestamp("s")).cast(pa.timestamp("us")),
        }
    )
    pa.parquet.write_table(flights, folder / "data" / "flights" / "part-0.parquet")
    airlines = pa.table({"carrier": ["AA", "UA", "B6"], "name": ["American", "United", "JetBlue"]})
    pa.csv.write_csv(airlines, folder / "data" / "airlines.csv")
    path = folder / "plan.yaml"
    path.write_text(text)
    return path
