"""The gate's metric on resamples of the test rows, which a run keeps to be compared with others in pairs."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from math import isfinite

import numpy as np
import pandas as pd

from lepton_pipeline.evaluation.metrics import resample
from lepton_pipeline.evaluation.resampling import LEVEL, Sample
from lepton_pipeline.parameters import Evaluation, Gate
from lepton_pipeline.statistics.estimates import Estimate, Metrics
from lepton_pipeline.statistics.intervals import percentile_interval
from lepton_pipeline.statistics.metric_table import higher_is_better
from lepton_pipeline.tasks.find import Target


@dataclass(frozen=True)
class Resamples:
    """A model's metric on bootstrap resamples of its test rows; no row is in it.

    Attributes:
        drawn: hash of what is drawn and how: labels and units of the rows in their order, number and seed. Where it is
            equal, the resamples of two runs are of the same rows.
        stretch: how much wider an interval is than the resamples, see `Sample.spread`.
        value: on the test rows themselves.
        figures: on each resample; empty with too few cases for an interval.
    """

    metric: str
    drawn: str
    stretch: float
    value: float
    figures: list[float]


def keep_resamples(
    scores: pd.DataFrame,
    target: Target,
    metrics: Metrics,
    evaluation: Evaluation,
    gate: Gate,
    units: pd.DataFrame | None = None,
) -> Resamples:
    """Measure the gate's metric of the model on the resamples that intervals rest on; arguments as of `evaluate`."""
    test = scores[scores["part"] == "test"]
    sample = Sample.of(test["label"], units, target.task, test.get("weight"))
    value, figures = metrics.model[gate.metric].value, np.zeros(0)
    if sample.enough:
        figures = resample(test, {"model": metrics.threshold}, evaluation, sample)["model"][gate.metric]
    # A metric that a resample does not have, as in `Sample.figure`.
    if not np.isfinite(figures).all():
        figures = np.zeros(0)
    drawn = hashlib.blake2b(
        f"{sample.kind} {evaluation.resamples} {evaluation.seed}".encode(), digest_size=16
    )
    for part in (sample.labels, sample.codes, sample.row_weights):
        drawn.update(b"|" if part is None else np.ascontiguousarray(part, np.float64).tobytes())
    stretch = float(sample.spread(0.0, np.ones(1))[0])
    return Resamples(gate.metric, drawn.hexdigest(), stretch, value, figures.tolist())


def lead(one: Resamples, other: Resamples) -> Estimate | None:
    """What `one` is ahead of `other` by, with a 95 % interval; None unless both were drawn alike.

    As `paired_differences`: on the same resamples what is hard for both cancels.

    >>> low, high = (Resamples("auc", "a", 1.0, value, [value - 0.1, value + 0.1]) for value in (0.7, 0.75))
    >>> lead(high, low)
    Estimate(value=0.05, low=0.05, high=0.05, approximate=False)
    """
    known = isfinite(one.value) and isfinite(other.value) and bool(one.figures and other.figures)
    if not known or (one.metric, one.drawn) != (other.metric, other.drawn):
        return None
    sign = 1 if higher_is_better(one.metric) else -1
    ahead = sign * (one.value - other.value)
    drawn = sign * (np.array(one.figures) - np.array(other.figures))
    low, high = percentile_interval(ahead + (drawn - ahead) * one.stretch, LEVEL)
    return Estimate(round(ahead, 12), round(float(low), 12), round(float(high), 12))
