"""The result of a backfill as JSON, as a table and as MLflow metrics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import pandas as pd

from lepton_pipeline.operations.backfill.grid import Grid
from lepton_pipeline.operations.backfill.realised import STRATEGIES, Period, summarise
from lepton_pipeline.operations.backfill.walk import Look
from lepton_pipeline.system.records import to_plain

_ENDS = ("value", "low", "high")


def describe(
    vertical: str,
    metric: str,
    grid: Grid,
    looks: Sequence[Look],
    periods: Sequence[Period],
    policy: Mapping[str, Any],
    notes: Sequence[str],
) -> dict[str, Any]:
    """Assemble the result, ready for JSON; `looks` and `periods` have one entry a date."""
    dates = [
        asdict(look)
        | {
            "until": period.until,
            "rows": period.rows,
            "positives": period.positives,
            "models": dict(period.models),
            "realised": {each: figure and to_plain(figure) for each, figure in period.figures.items()},
        }
        for look, period in zip(looks, periods, strict=True)
    ]
    return {
        "vertical": vertical,
        "metric": metric,
        "every": grid.every,
        "policy": dict(policy),
        "notes": list(notes),
        "dates": dates,
        "trainings": sum(look.due and look.version is not None for look in looks),
        "promoted": sum(look.promoted is True for look in looks),
        "summary": summarise(periods),
    }


def as_table(found: Mapping[str, Any]) -> pd.DataFrame:
    """One row a date: decision, alarms, and the realised metric of each strategy."""
    columns = ("date", "due", "triggers", "version", "promoted", "alarms", "champion", "rows", "positives")
    rows = [
        {name: " ".join(each[name]) if name in ("triggers", "alarms") else each[name] for name in columns}
        | {
            _key(strategy, end): (each["realised"][strategy] or {}).get(end)
            for strategy in STRATEGIES
            for end in _ENDS
        }
        for each in found["dates"]
    ]
    return pd.DataFrame(rows).astype({"version": "Int64"})


def figures(found: Mapping[str, Any]) -> dict[str, float]:
    """The metrics of the whole backfill for MLflow."""
    values: dict[str, float] = {"trainings": found["trainings"], "promoted": found["promoted"]}
    for part in ("mean", "difference"):
        for strategy, figure in found["summary"][part].items():
            values |= {_key(f"{part}.{strategy}", end): figure[end] for end in _ENDS}
    return values


def series(found: Mapping[str, Any]) -> list[dict[str, float]]:
    """The metrics of each period for MLflow."""
    metric = found["metric"]
    steps = []
    for each in found["dates"]:
        values = {
            "due": float(each["due"]),
            "promoted": float(each["promoted"] is True),
            "alarms": float(len(each["alarms"])),
        }
        for strategy, figure in each["realised"].items():
            if figure:
                values |= {_key(f"realised.{metric}.{strategy}", end): figure[end] for end in _ENDS}
        steps.append(values)
    return steps


def _key(name: str, end: str) -> str:
    return name if end == "value" else f"{name}.{end}"
