"""What is known of a vertical when it is decided whether to train it again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pandas as pd

from lepton_pipeline.data.as_of import label_known, moment
from lepton_pipeline.data.training_rows import as_text
from lepton_pipeline.parameters import Dataset
from lepton_pipeline.parameters.durations import before


@dataclass(frozen=True)
class Estimate:
    """A metric of the champion on its own test rows, with the ends of its 95 % interval."""

    metric: str
    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Champion:
    """The version that is in use.

    Attributes:
        version: its number.
        trained_until: time of the latest row that it has learnt from, as text; None where no time is
            declared.
        data_until: time of the latest row that it was made of, the test's too, as text; None where no time is
            declared.
        data_rows: rows of the table that it was made of; None where nobody recorded them.
        trained_at: as of when it was trained: the date whose data it saw, or when that was.
        promoted_at: when it became champion; None where the alias was moved by other means.
        training_rows: rows that it has learnt from; None where nobody recorded them.
        estimate: the gate's metric; None where nobody recorded it.
    """

    version: int
    trained_until: str | None
    data_until: str | None
    data_rows: int | None
    trained_at: datetime
    promoted_at: datetime | None
    training_rows: int | None
    estimate: Estimate | None


@dataclass(frozen=True)
class RowCounts:
    """What the table of a vertical holds at a moment.

    Attributes:
        mature: rows whose label is known.
        immature: rows whose label is not known yet.
        new: mature rows that the champion was not made of; None where there is no champion or nobody can
            tell.
        latest: time of the latest mature row, as text; None where no time is declared.
        window_start: where the declared window begins, counted back from there; None where none is declared.
    """

    mature: int
    immature: int
    new: int | None
    latest: str | None
    window_start: str | float | None = None


@dataclass(frozen=True)
class QualityWindow:
    """What labels showed of the champion's quality in a stretch of time.

    Attributes:
        since: where it begins, as text.
        until: where it ends.
        value: the gate's metric.
        low: lower end of its 95 % interval.
        high: upper end.
        below: whether the whole interval lies below the bound (see `monitoring.decay`).
    """

    since: str
    until: str
    value: float
    low: float
    high: float
    below: bool


@dataclass(frozen=True)
class Facts:
    """All that a decision rests on; None is what nobody knows.

    Attributes:
        now: the moment that is decided for; the date of an as-of run.
        champion: the version in use; None where there is none.
        mature_rows_total: rows whose label is known.
        new_mature_rows: those of them that the champion was not made of.
        drifted: what has drifted: columns, "scores", "all columns together".
        domain_auc: how well new rows can be told from the champion's training rows; 0.5 is not at all.
        domain_p: chance of such an AUC where nothing has drifted.
        windows: realised quality, the earliest first.
        last_training_at: when a training last finished, whoever started it.
        last_failure_at: when a job last failed.
        consecutive_failures: jobs that failed since one last ended well.
    """

    now: datetime
    champion: Champion | None = None
    mature_rows_total: int | None = None
    new_mature_rows: int | None = None
    drifted: tuple[str, ...] | None = None
    domain_auc: float | None = None
    domain_p: float | None = None
    windows: tuple[QualityWindow, ...] | None = None
    last_training_at: datetime | None = None
    last_failure_at: datetime | None = None
    consecutive_failures: int = 0


def count_rows(
    table: pd.DataFrame, dataset: Dataset, champion: Champion | None, window: str | int | None = None
) -> RowCounts:
    """Count the rows of a table by whether their label is known and whether the champion was made of them.

    Args:
        table: rows of the vertical, with the column of times where one is declared.
        dataset: has time, label delay and present, see `label_known`.
        champion: the version in use.
        window: `retraining.window`.

    Raises:
        DataError: the window, the label delay or what is known of the champion does not compare with the
            times.
    """
    if dataset.time is None:
        new = (
            None
            if champion is None or champion.data_rows is None
            else max(0, len(table) - champion.data_rows)
        )
        return RowCounts(len(table), 0, new, None)
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


def read_monitoring(result: Mapping[str, Any] | None, champion: Champion | None) -> dict[str, Any]:
    """What a monitoring result says of drift and decay, as arguments of `Facts`; nothing of another champion's.

    Args:
        result: the data set `monitoring_result`; None where there is none.
        champion: the version in use.
    """
    if result is None or champion is None or result["champion"]["version"] != champion.version:
        return {}
    domain = result["domain"] or {}
    return {
        # Not known is not the same as none.
        "drifted": None if result["drifted"] is None else tuple(_drifted(result)),
        "domain_auc": domain.get("auc"),
        "domain_p": domain.get("p_value"),
        "windows": tuple(_window(each) for each in result["windows"] if each["value"] is not None),
    }


def _drifted(result: Mapping[str, Any]) -> list[str]:
    if not result.get("drifted"):
        return []
    columns: Sequence[Mapping[str, Any]] = result.get("columns", ())
    found = [str(each["column"]) for each in columns if each["flagged"]]
    others = {"scores": "scores", "domain": "all columns together", "volume": "volume"}
    return found + [shown for key, shown in others.items() if (result.get(key) or {}).get("flagged")]


def _window(each: Mapping[str, Any]) -> QualityWindow:
    return QualityWindow(
        str(each["from"]),
        str(each["to"]),
        float(each["value"]),
        float(each["low"]),
        float(each["high"]),
        bool(each["below"]),
    )
