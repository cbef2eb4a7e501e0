"""Cuts of time: moments before which everything is known, and after which it is asked what is bought."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from lepton_pipeline.errors import DataError
from lepton_pipeline.parameters import Dataset, Split
from lepton_pipeline.parameters.durations import as_timedelta
from lepton_pipeline.parameters.recommendation import Recommendation
from lepton_pipeline.recommendation.interactions import day_dates, day_number

# Monday 1970-01-05, so that weeks begin on Mondays.
_MONDAY = 4


@dataclass(frozen=True)
class Cuts:
    """Days since 1970, ascending; each part is known before the next one begins.

    Attributes:
        train: cuts whose labels are known, with the gap, at the validation cut.
        validation: the latest cut whose labels are known, with the gap, at the test cut.
        test: the latest cut.
        horizon: days from a cut in which a purchase counts.
    """

    train: tuple[int, ...]
    validation: int
    test: int
    horizon: int

    @property
    def all(self) -> tuple[int, ...]:
        """All cuts, ascending."""
        return (*self.train, self.validation, self.test)


def find_cuts(days: pd.Series, recommendation: Recommendation, dataset: Dataset, split: Split) -> Cuts:
    """Place the cuts on the calendar, so that later interactions move none of those that stay.

    A cut needs `dataset.label_delay` of records after it. The last of the `days` (since 1970) may be incomplete, so a
    label must be known when it begins. Of the latest `recommendation.cuts`, those between two parts are not used.

    Raises:
        DataError: the records are too short for a test, a validation and a training cut.
    """
    horizon = in_days(dataset.label_delay)
    first, last = int(days.min()), int(days.max())
    found = ended_cuts(days, recommendation, dataset)[-recommendation.cuts :]
    distance = horizon + in_days(split.gap)
    earlier = [cut for cut in found if found and cut <= found[-1] - distance]
    train = tuple(cut for cut in earlier if cut <= earlier[-1] - distance)
    if not train:
        covered = " to ".join(f"{date:%Y-%m-%d}" for date in day_dates(np.array([first, last])))
        raise DataError(
            f"the interactions cover {covered}: the {len(found)} cuts (recommendation.every: {recommendation.every}, "
            f"cuts: {recommendation.cuts}) leave no training cut {distance} days before the validation's, which is as "
            "long before the test's (dataset.label_delay and split.gap); declare a shorter delay, more cuts, or bring "
            "earlier interactions."
        )
    return Cuts(train, earlier[-1], found[-1], horizon)


def ended_cuts(days: pd.Series, recommendation: Recommendation, dataset: Dataset) -> list[int]:
    """All cuts of interactions on these `days` (since 1970) whose label is known, ascending."""
    last = int(days.max()) - in_days(dataset.label_delay)
    return _calendar(int(days.min()), last, recommendation.every)


def in_days(duration: str | int) -> int:
    """Whole days of a duration such as 90d, rounded up; 0 of 0.

    >>> in_days("2w"), in_days(0)
    (14, 0)
    """
    return 0 if isinstance(duration, int) else int(np.ceil(as_timedelta(duration).total_seconds() / 86400))


def _calendar(first: int, last: int, every: str) -> list[int]:
    """Days of the calendar's beginnings after `first`, up to `last`."""
    if last <= first:
        return []
    if every == "month":
        start, end = day_dates(np.array([first + 1, last]))
        return [day_number(date) for date in pd.date_range(start, end, freq="MS")]
    step, offset = (7, _MONDAY) if every == "week" else (in_days(every), 0)
    begin = first + 1 + (offset - first - 1) % step
    return list(range(begin, last + 1, step))
