"""The JSON Schema of plan files, made from the models that validate them."""

from __future__ import annotations

from typing import Any

from flightmesh.frontend.yaml.model import Plan

SCHEMA_ID = "urn:flightmesh:plan:1"
_EXAMPLE: dict[str, Any] = {
    "plan": "late-departures",
    "params": {"month": 6},
    "inputs": {"flights": {"parquet": "data/flights"}, "airlines": {"csv": "data/airlines.csv"}},
    "steps": {
        "late": {"from": "flights", "where": "dep_delay > 60 and month = :month"},
        "by_airline": {
            "from": "late",
            "join": {"with": "airlines", "on": "carrier", "how": "left"},
            "group_by": ["name"],
            "aggregate": {"flights": "count(*)", "mean_delay": "avg(dep_delay)"},
            "order_by": ["mean_delay desc"],
            "limit": 10,
        },
    },
}


def schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of a plan file; an editor that has it completes keys and shows what they mean."""
    made = Plan.model_json_schema(by_alias=True, mode="validation")
    head = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": SCHEMA_ID,
        "title": "flightmesh plan",
        "examples": [_EXAMPLE],
    }
    return {**head, **{key: value for key, value in made.items() if key != "title"}}
