"""Which rows of a vertical a model has not seen in any part of its training, and whose labels are known by now."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pandas as pd

from lepton_pipeline.data.durations import before
from lepton_pipeline.data.labels import positive_labels
from lepton_pipeline.data.training_rows import TrainingRows
from lepton_pipeline.errors import DataError
from lepton_pipeline.model.artefact import Artefact
from lepton_pipeline.monitoring.reference import PROBABILITY
from lepton_pipeline.monitoring.time_axis import axis
from lepton_pipeline.parameters import Dataset

# Of the rows that a model has learnt from, as many must still be there for the rest of them to stand for all.
_STILL_THERE = 0.95


def score_new_rows(
    table: pd.DataFrame,
    model: Artefact,
    seen: TrainingRows,
    span: tuple[float, float] | None,
    dataset: Dataset,
    as_of: str,
) -> pd.DataFrame:
    """Score the rows that came after everything a model was trained, validated and tested with.

    Where a time is declared these are the rows later than the last one of then; elsewhere those that were not among
    them, by their hashes.

    Args:
        table: rows of the vertical now, with their features.
        model: the champion.
        seen: hashes of all rows of the vertical when it was trained.
        span: first and last time of these rows; None where no time was declared.
        dataset: names target and time; has the label delay.
        as_of: the present, as an ISO date or a number; see `mature_rows`.

    Returns:
        Indexed as these rows: `probability`, `label` (float64, NaN where it is not known yet), and `time` on the axis
        where one is declared.

    Raises:
        DataError: it cannot be told which rows are new, or the model cannot read them.
    """
    labels = positive_labels(table, dataset)
    times = None if dataset.time is None else axis(table[dataset.time])
    if times is None:
        everything = pd.DataFrame({"part": "test", "label": labels})
        new = ~seen.learnt(table, everything)
    elif span is None:
        raise DataError(
            "dataset.time was declared after the champion was trained, so that nobody knows which rows are new"
        )
    else:
        new = pd.Series(times > span[1], index=table.index)
    rows = table.loc[new]
    scores = model.predict(rows)["probability"] if len(rows) else pd.Series(dtype="float64")
    known = labels.where(mature_rows(table, dataset, as_of)).astype("float64")
    columns = {PROBABILITY: scores, "label": known.loc[rows.index]}
    if times is not None:
        columns["time"] = pd.Series(times, index=table.index).loc[rows.index]
    return pd.DataFrame(columns, index=rows.index)


def mature_rows(table: pd.DataFrame, dataset: Dataset, as_of: str) -> pd.Series:
    """Mark the rows whose label is known: it is there, and its delay has passed.

    Args:
        table: rows of the vertical.
        dataset: target, time and label delay.
        as_of: the present, as an ISO date (UTC where the times have a zone); numbers of time have no clock, there the
            latest row of all is the present unless this is a number.
    """
    there = pd.Series(data=True, index=table.index)
    # A condition that asks for missing values knows the label of such rows.
    if dataset.target in table and "is_missing" not in (dataset.positive_when or ""):
        there = table[dataset.target].notna()
    if dataset.time is None or not dataset.label_delay:
        return there
    times = table[dataset.time]
    limit: pd.Series = pd.Series([_present(times, as_of)], name=dataset.time)
    known_until = before(limit, dataset.label_delay, "dataset.label_delay").iloc[0]
    known: pd.Series = there & (times <= known_until)
    return known


def learnt_rows(table: pd.DataFrame, learnt: TrainingRows, dataset: Dataset) -> pd.DataFrame:
    """Find the rows that a model has learnt from in the table as it is now.

    Raises:
        DataError: fewer than 95 % of them are there, so that the others need not be like all.
    """
    everything = pd.DataFrame({"part": "test", "label": positive_labels(table, dataset)})
    found = table[learnt.learnt(table, everything)]
    if len(found) < _STILL_THERE * len(learnt.hashes):
        raise DataError(
            f"of the {len(learnt.hashes):,} rows that the champion has learnt from, {len(found):,} are in the table now"
        )
    return found


def now() -> str:
    """The present in UTC, as text."""
    return datetime.now(UTC).replace(tzinfo=None, microsecond=0).isoformat()


def _present(times: pd.Series, as_of: str) -> object:
    if not pd.api.types.is_datetime64_any_dtype(times):
        try:
            return np.float64(as_of)
        except ValueError:
            return times.max()
    present = pd.Timestamp(as_of)
    zone = getattr(times.dtype, "tz", None)
    if zone is None:
        return present.tz_localize(None)
    return (present.tz_localize("UTC") if present.tz is None else present).tz_convert(zone)
