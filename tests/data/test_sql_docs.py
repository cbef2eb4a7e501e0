"""The queries that docs/verticals.md shows run, and give what it says."""

from __future__ import annotations

import re

import pandas as pd
from conftest import REPOSITORY

from lepton_pipeline.data.sql import run_query
from lepton_pipeline.parameters import Dataset

QUERIES = re.findall(
    r"```sql\n(.*?)```", (REPOSITORY / "docs/verticals.md").read_text(encoding="utf-8"), re.DOTALL
)
TABLES = {
    "credits": pd.DataFrame(
        {"credit": [1, 2, 3], "client": [7, 8, 7], "asked": ["2026-01-02", "2026-01-05", "2026-01-09"]}
    ),
    "clients": pd.DataFrame({"client": [7, 9], "town": ["Oslo", "Rome"], "age": [40, 50]}),
    "rates": pd.DataFrame({"day": ["2026-01-02", "2026-01-04"], "rate": [1.5, 2.5]}),
    "orders": pd.DataFrame(
        {
            "client": [7, 7, 7, 8],
            "day": ["2026-01-01", "2026-01-03", "2026-01-09", "2026-01-08"],
            "items": [1, 2, 4, 8],
        }
    ),
}


def run(query: str) -> dict[str, list[object]]:
    dated = {
        name: rows.assign(**{day: pd.to_datetime(rows[day]) for day in {"asked", "day"} & set(rows)})
        for name, rows in TABLES.items()
    }
    dataset = Dataset(target="y", positive=1, as_of="2026-01-10", label_delay="5d")
    made = run_query(query, dated, dataset, "credit/table.sql").astype(object)
    return {str(name): values for name, values in made.where(made.notna(), None).to_dict("list").items()}


def test_a_join_an_as_of_join_and_a_snapshot():
    join, as_of, snapshot = map(run, QUERIES)
    assert (join["credit"], join["town"], join["age"]) == ([1, 2, 3], ["Oslo", None, "Oslo"], [40, None, 40])
    assert (as_of["credit"], as_of["rate"]) == ([1, 2, 3], [None, 2.5, 2.5])
    assert snapshot == {
        "client": [7],
        "moment": [pd.Timestamp("2026-01-05")],
        "orders": [2],
        "items": [3],
        "days_since": [2],
        "came_back": [True],
    }
