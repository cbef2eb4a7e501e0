"""What new rows are compared with: all rows that were learnt from, or those of the same calendar months."""

from __future__ import annotations

from calendar import month_name
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from lepton_pipeline.data.time_axis import axis, months
from lepton_pipeline.errors import DataError
from lepton_pipeline.operations.monitoring.drift import FEWEST_ROWS
from lepton_pipeline.operations.monitoring.new_rows import Champion, NewRows, learnt_rows
from lepton_pipeline.operations.monitoring.reference import (
    Categories,
    Numbers,
    Reference,
    Volume,
    count_column,
    count_scores,
)
from lepton_pipeline.parameters import Monitoring

SEASONAL = "monitoring.seasonal"


@dataclass(frozen=True)
class Before:
    """The counts and rows that new rows are compared with.

    `learnt` are the rows of `reference`, None if they are no longer in the table; `scores` those of rows that were
    not learnt from, None of too few.
    """

    reference: Reference
    learnt: pd.DataFrame | None
    scores: Numbers | Categories | None
    notes: list[str] = field(default_factory=list)


def find_before(today: NewRows, champion: Champion, reference: Reference, monitoring: Monitoring) -> Before:
    """The reference of the training; with `monitoring.seasonal` its part of the months that new rows are of.

    Rows are counted again for that, so those that were learnt from must still be in the table, and cover all
    these months; else all of them are the reference, and a note says why.
    Raises ConfigurationError if times are no dates.
    """
    whole = Before(reference, None, reference.scores)
    try:
        learnt = learnt_rows(today.table, champion.learnt, today.dataset, champion.model.task)
    except DataError as error:
        note = f"New rows as a whole were not compared with those of the training: {error}."
        unknown = f"{SEASONAL} has no effect: {error}." if monitoring.seasonal else ""
        return replace(whole, notes=[note, *filter(None, [unknown])])
    whole = replace(whole, learnt=learnt)
    if not monitoring.seasonal or today.dataset.time is None:
        return whole
    return _same_months(today, champion, whole, learnt, today.dataset.time)


def _same_months(
    today: NewRows, champion: Champion, whole: Before, learnt: pd.DataFrame, time: str
) -> Before:
    month = months(today.table[time], SEASONAL)
    wanted = list(month.loc[today.own[time].sort_values().index].unique())
    covered = month.loc[learnt.index]
    lacking = [month_name[each] for each in wanted if each not in set(covered)]
    part = learnt[covered.isin(wanted)].sort_values(time, kind="stable")
    if lacking or len(part) < FEWEST_ROWS:
        few = f"no row of {', '.join(lacking)}" if lacking else f"only {len(part)} rows of the same months"
        note = (
            f"{SEASONAL} has no effect: the champion has learnt from {few}, so a season may look like drift."
        )
        return replace(whole, notes=[note])
    named = ", ".join(month_name[each] for each in wanted)
    notes = [f"Compared with the {len(part):,} training rows of the same months ({named})."]
    reference, model = whole.reference, champion.model
    columns = [count_column(each, part[each.name], ordered=True) for each in model.encoder.columns]
    volume = None if reference.volume is None else _volume_of(reference.volume, reference, wanted)
    counted = replace(reference, rows=len(part), columns=columns, volume=volume)
    # Scores of rows that were learnt from are surer than those of new rows.
    known = pd.Series(axis(today.table[time]), today.table.index) <= (reference.span or (0.0, 0.0))[1]
    others = today.table[known & month.isin(wanted) & ~today.table.index.isin(learnt.index)]
    others = others.sort_values(time, kind="stable")
    if len(others) < FEWEST_ROWS:
        notes.append(
            f"Scores are not compared: only {len(others)} rows of these months were not learnt from; "
            f"{FEWEST_ROWS} are needed."
        )
        return Before(counted, part, None, notes)
    watched = model.task.watched(model.scores(others))
    return Before(counted, part, count_scores(watched, ordered=True), notes)


def _volume_of(volume: Volume, reference: Reference, wanted: list[int]) -> Volume:
    """The units of time that begin in these months."""
    start = (reference.span or (0.0, 0.0))[0]
    begins = pd.to_datetime(start + volume.unit * np.arange(len(volume.counts)), unit="s")
    kept = begins.month.isin(wanted)
    return Volume(volume.unit, [count for count, inside in zip(volume.counts, kept, strict=True) if inside])
