"""The inputs of a retraining policy."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pandas as pd

from lepton_pipeline.data.as_of import label_known, moment
from lepton_pipeline.data.training_rows import as_text
from lepton_pipeline.operations.monitoring.findings import MetricEstimate, MonitoringResult
from lepton_pipeline.parameters import Dataset
from lepton_pipeline.parameters.durations import before


@dataclass(frozen=True)
class Champion:
    """The version in use; None is what was not recorded, or the times where none is declared."""

    version: int
    trained_until: str | None  # time of the latest training row
    data_until: str | None  # time of its latest row, test rows included
    data_rows: int | None  # rows of its table, test rows included
    trained_at: datetime  # as-of date of its training, else when it ended
    promoted_at: datetime | None  # None where the alias was moved by other means
    training_rows: int | None
    estimate: MetricEstimate | None  # the gate's metric on the test rows


@dataclass(frozen=True)
class RowCounts:
    """Rows of a vertical's table."""

    mature: int  # with a known label
    immature: int  # label not known yet
    new: int | None  # mature rows the champion was not made of; None where not known
    latest: str | None  # time of the latest mature row
    window_start: str | float | None = None  # start of the declared window, counted back from there


@dataclass(frozen=True)
class QualityWindow:
    """Realised quality in a window: the gate's metric with its 95 % interval."""

    since: str
    until: str
    value: float
    low: float
    high: float
    below: bool  # whether the whole interval lies below the bound


@dataclass(frozen=True)
class Facts:
    """The inputs of a decision; None is not known."""

    now: datetime  # the moment, or the date of an as-of run
    champion: Champion | None = None
    mature_rows_total: int | None = None
    new_mature_rows: int | None = None  # that the champion was not made of
    drifted: tuple[str, ...] | None = None  # columns, "scores", "all columns together", "volume"
    domain_auc: float | None = None  # AUC of the drift classifier
    domain_p: float | None = None
    windows: tuple[QualityWindow, ...] | None = None  # realised quality, the earliest first
    last_training_at: datetime | None = None  # by a job or by hand
    last_failure_at: datetime | None = None
    consecutive_failures: int = 0  # jobs that failed since the last success


def count_rows(
    table: pd.DataFrame, dataset: Dataset, champion: Champion | None, window: str | int | None = None
) -> RowCounts:
    """Count the rows of a table by whether their label is known and whether the champion was made of them.

    `window` is `retraining.window`. Raises DataError if the window, the label delay or the champion's times
    do not compare with the column of times.
    """
    if dataset.time is None:
        rows = None if champion is None else champion.data_rows
        return RowCounts(len(table), 0, None if rows is None else max(0, len(table) - rows), None)
    times = table[dataset.time]
    known = label_known(table, dataset) & times.notna()
    new = None
    since = None if champion is None else champion.data_until or champion.trained_until
    if since is not None:
        new = int((known & (times > moment(since, times, "data.until"))).sum())
    immature = int((~known & times.notna()).sum())
    if not known.any():
        return RowCounts(0, immature, new, None)
    latest = pd.Series([times[known].max()], name=times.name)
    start = None if window is None else before(latest, window, "retraining.window").iloc[0]
    if start is not None:
        start = start.isoformat() if isinstance(start, datetime) else float(start)
    return RowCounts(int(known.sum()), immature, new, as_text(latest.iloc[0]), start)


def read_monitoring(result: MonitoringResult | None, champion: Champion | None) -> dict[str, Any]:
    """Drift and decay of a monitoring result as arguments of `Facts`; empty for another champion's result."""
    if result is None or champion is None or result.champion.version != champion.version:
        return {}
    others = {"scores": result.scores, "all columns together": result.domain, "volume": result.volume}
    flagged = [each.column for each in result.flagged]
    flagged += [name for name, each in others.items() if each is not None and each.flagged]
    return {
        "drifted": None if result.drifted is None else tuple(flagged if result.drifted else ()),
        "domain_auc": result.domain and result.domain.auc,
        "domain_p": result.domain and result.domain.p_value,
        "windows": tuple(
            QualityWindow(str(each.since), str(each.until), figure.value, *figure.ends, each.below)
            for each in result.windows
            if (figure := each.estimate) is not None
        ),
    }
