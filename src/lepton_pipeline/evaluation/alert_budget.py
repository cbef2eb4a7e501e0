"""What a fixed number of alerts in each span of time finds, such as 50 a day."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from lepton_pipeline.data.time_axis import axis
from lepton_pipeline.errors import DataError
from lepton_pipeline.evaluation.metrics import OWN, UNCALIBRATED
from lepton_pipeline.evaluation.outcomes import acting_and_leaving
from lepton_pipeline.evaluation.resampling import LEVEL, Sample
from lepton_pipeline.parameters import Dataset, Evaluation
from lepton_pipeline.parameters.durations import as_timedelta, before
from lepton_pipeline.statistics.estimates import Estimate
from lepton_pipeline.statistics.intervals import difference, mean_interval, share_interval, student_deviate
from lepton_pipeline.system.records import Omitted

# Spans that a mean over spans takes for an interval.
FEWEST_SPANS = 10


@dataclass(frozen=True)
class AlertFigures:
    """Alerts on the likeliest cases of every whole span of the test rows; no span: nothing was declared.

    Attributes:
        alerts, every: as declared.
        rows, positives: of the spans.
        acted, found: alerts, and positive cases among them.
        precision: share of the alerts that are positive.
        recall: share of the positive cases that are alerted.
        rate: share of the rows that are positive.
        drift: that rate less the rate of the training and validation rows.
        ahead: positive cases found in a span, less those that as many alerts by a baseline find, by its name.
        cost, saving: of a span, and what it saves against no alert; None without declared costs.
    """

    alerts: int = 0
    every: str = ""
    spans: int = 0
    rows: int = 0
    positives: int = 0
    acted: int = 0
    found: int = 0
    precision: Omitted[Estimate] = None
    recall: Omitted[Estimate] = None
    rate: Omitted[Estimate] = None
    drift: Omitted[Estimate] = None
    ahead: Mapping[str, Estimate] = field(default_factory=dict)
    cost: Omitted[Estimate] = None
    saving: Omitted[Estimate] = None

    @property
    def span(self) -> str:
        """A span in words."""
        return {"1d": "day", "1h": "hour", "1w": "week"}.get(self.every, f"span of {self.every}")

    @property
    def precision_value(self) -> float | None:
        """The precision without its interval."""
        return None if self.precision is None else self.precision.value

    @property
    def recall_value(self) -> float | None:
        """The recall without its interval."""
        return None if self.recall is None else self.recall.value

    @property
    def drifted(self) -> bool:
        """Whether the rate of the test rows differs from the earlier one beyond chance."""
        return (
            self.drift is not None
            and self.drift.low is not None
            and self.drift.ends[0] * self.drift.ends[1] > 0
        )


def measure_alerts(
    scores: pd.DataFrame,
    feature_table: pd.DataFrame,
    split: pd.DataFrame,
    outcome_costs: pd.DataFrame,
    dataset: Dataset,
    evaluation: Evaluation,
    units: pd.DataFrame | None = None,
) -> AlertFigures:
    """Alert on the likeliest `evaluation.alert_budget` cases of each span of the test rows, whatever their probability.

    Spans are counted from 1970 or 0. One that the test rows share with earlier parts is left out: all of its cases
    would have competed for its alerts. Of equal scores the first row is alerted. Precision, recall and rate have
    Wilson's interval for dependent rows (`share_interval`), means over spans that of their variance between spans;
    none has one with too few positive cases (`Sample.enough`). Each row counts once, whatever its weight.

    Raises:
        DataError: spans do not fit the column of times, or no whole span is left.
    """
    budget = evaluation.alert_budget
    if budget is None or dataset.time is None:
        return AlertFigures()
    spans = _spans(feature_table.loc[split.index, dataset.time], budget.every)
    tested = split["part"] == "test"
    test = scores[scores["part"] == "test"]
    own = spans.loc[test.index]
    test = test[~own.isin(spans[~tested].unique()).to_numpy()]
    if test.empty:
        raise DataError(
            f"evaluation.alert_budget: no span of {budget.every} holds test rows alone; declare a shorter one, or "
            "enlarge split.test."
        )
    codes, names = pd.factorize(spans.loc[test.index])
    labels = test["label"].to_numpy() != 0
    sample = Sample.of(test["label"], units)

    def share(hits: np.ndarray, among: np.ndarray) -> Estimate:
        part = sample.where(among)
        return sample.marked(*share_interval(hits[among].astype(np.float64), part.deviate(LEVEL), part.codes))

    def mean(values: np.ndarray) -> Estimate:
        per_span = np.bincount(codes, values, minlength=len(names))
        if len(names) < FEWEST_SPANS:
            return Estimate(float(per_span.mean()))
        return sample.marked(*mean_interval(per_span, student_deviate(LEVEL, len(names))))

    everywhere = np.ones(len(test), dtype=bool)
    acted = _likeliest(test["model"], codes, budget.alerts)
    rivals = [str(name) for name in test if name not in (*OWN, UNCALIBRATED, "part", "label", "weight")]
    ahead = {
        name: mean(labels * (acted.astype(float) - _likeliest(test[name], codes, budget.alerts)))
        for name in rivals
    }
    rate, cost, saving = share(labels, everywhere), None, None
    if not outcome_costs.columns.empty:
        acting, leaving = acting_and_leaving(test["label"], outcome_costs)
        cost, saving = mean(np.where(acted, acting, leaving)), mean(np.where(acted, leaving - acting, 0.0))
    return AlertFigures(
        alerts=budget.alerts,
        every=str(budget.every),
        spans=len(names),
        rows=len(test),
        positives=int(labels.sum()),
        acted=int(acted.sum()),
        found=int((labels & acted).sum()),
        precision=share(labels, acted),
        recall=share(acted, labels) if labels.any() else None,
        rate=rate,
        drift=_drift(split, sample, labels, units),
        ahead=ahead,
        cost=cost,
        saving=saving,
    )


def _spans(times: pd.Series, every: str | int) -> pd.Series:
    """Number of each row's span, as floats."""
    # Refuses a length that does not fit the column.
    before(times.iloc[:1], every, "evaluation.alert_budget.every")
    length = as_timedelta(every).total_seconds() if isinstance(every, str) else float(every)
    return pd.Series(np.floor(axis(times) / length), index=times.index)


def _likeliest(scores: pd.Series, codes: np.ndarray, count: int) -> np.ndarray:
    """Mark the `count` highest scores of each span, [rows]."""
    ranks = scores.groupby(codes).rank(method="first", ascending=False)
    return np.asarray(ranks <= count)


def _drift(split: pd.DataFrame, sample: Sample, labels: np.ndarray, units: pd.DataFrame | None) -> Estimate:
    """The rate of test rows less that of earlier ones, as of independent samples."""
    earlier = split.loc[split["part"].isin(["train", "validation"]), "label"].to_numpy() != 0
    old = share_interval(earlier.astype(np.float64), Sample.of(pd.Series(earlier)).deviate(LEVEL))
    new = share_interval(labels.astype(np.float64), sample.deviate(LEVEL), sample.codes)
    return sample.marked(*difference(new, old))
