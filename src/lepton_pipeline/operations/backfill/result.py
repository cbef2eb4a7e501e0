"""The result of a backfill as a record, as a table and as MLflow metrics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from lepton_pipeline.operations.backfill.grid import Grid
from lepton_pipeline.operations.backfill.realised import STRATEGIES, Period, Summary, summarise
from lepton_pipeline.operations.backfill.walk import Look
from lepton_pipeline.statistics.estimates import Estimate
from lepton_pipeline.tracking.flat import flat_intervals

ENDS = ("value", "low", "high")


@dataclass(frozen=True)
class DateResult(Look):
    """A date, and the labelled rows until the next: models in use and realised quality by strategy."""

    until: str
    rows: int
    positives: int
    models: Mapping[str, str | None]
    realised: Mapping[str, Estimate | None]


@dataclass(frozen=True)
class BackfillResult:
    """A whole backfill of a policy; `trainings` are those that it asked for."""

    vertical: str
    metric: str
    every: str
    policy: Mapping[str, Any]
    notes: list[str]
    dates: list[DateResult]
    trainings: int
    promoted: int
    summary: Summary


def describe(
    vertical: str,
    metric: str,
    grid: Grid,
    looks: Sequence[Look],
    periods: Sequence[Period],
    policy: Mapping[str, Any],
    notes: list[str],
) -> BackfillResult:
    """Assemble the result; `looks` and `periods` have one entry a date."""
    dates = [
        DateResult(
            **vars(look),
            until=period.until,
            rows=period.rows,
            positives=period.positives,
            models=period.models,
            realised=period.figures,
        )
        for look, period in zip(looks, periods, strict=True)
    ]
    trainings = sum(look.due and look.version is not None for look in looks)
    promoted = sum(look.promoted is True for look in looks)
    summary = summarise(periods)
    return BackfillResult(vertical, metric, grid.every, policy, notes, dates, trainings, promoted, summary)


def as_table(found: BackfillResult) -> pd.DataFrame:
    """One row a date: decision, alarms, and the realised metric of each strategy."""
    columns = ("date", "due", "triggers", "version", "promoted", "alarms", "champion", "rows", "positives")
    rows = [
        {
            name: " ".join(vars(each)[name]) if name in ("triggers", "alarms") else vars(each)[name]
            for name in columns
        }
        | {
            strategy if end == "value" else f"{strategy}.{end}": getattr(each.realised[strategy], end, None)
            for strategy in STRATEGIES
            for end in ENDS
        }
        for each in found.dates
    ]
    return pd.DataFrame(rows).astype({"version": "Int64"})


def figures(found: BackfillResult) -> dict[str, float]:
    """The metrics of the whole backfill for MLflow."""
    return {
        "trainings": found.trainings,
        "promoted": found.promoted,
        **flat_intervals("mean", found.summary.mean),
        **flat_intervals("difference", found.summary.difference),
    }


def series(found: BackfillResult) -> list[dict[str, float]]:
    """The metrics of each period for MLflow."""
    return [
        {
            "due": float(each.due),
            "promoted": float(each.promoted is True),
            "alarms": float(len(each.alarms)),
            **flat_intervals(
                f"realised.{found.metric}",
                {strategy: figure for strategy, figure in each.realised.items() if figure is not None},
            ),
        }
        for each in found.dates
    ]
