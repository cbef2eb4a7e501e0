"""Runs on the same test rows in pairs, from what each keeps."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from lepton_pipeline.evaluation.metrics import evaluate, paired_differences
from lepton_pipeline.evaluation.paired import keep_resamples, lead
from lepton_pipeline.evaluation.resampling import Sample
from lepton_pipeline.parameters import Evaluation, Gate
from lepton_pipeline.tasks.binary import Binary
from lepton_pipeline.tasks.find import Target

EVALUATION, TARGET = Evaluation(resamples=200), Target(Binary())


def scored(noise: float, rows: int = 400, positives: float = 0.3) -> pd.DataFrame:
    """Scores of a model; rows and what is hard about them are those of any other model."""
    random, own = np.random.default_rng(1), np.random.default_rng(int(100 * noise))
    label = (random.random(rows) < positives).astype(int)
    hard = 2.0 * label + random.normal(size=rows) + noise * own.normal(size=rows)
    part = np.where(np.arange(rows) % 2, "test", "validation")
    return pd.DataFrame({"part": part, "label": label, "model": 1 / (1 + np.exp(1 - hard))})


def kept(scores: pd.DataFrame, metric: str = "auc", units: pd.DataFrame | None = None, **changes: int):
    evaluation = EVALUATION.model_copy(update=changes)
    metrics = evaluate(scores, TARGET, evaluation, None, units)
    return keep_resamples(scores, TARGET, metrics, evaluation, Gate(metric=metric), units)


@pytest.mark.parametrize("metric", ["auc", "log_loss"])
@pytest.mark.parametrize("grouped", [False, True])
def test_what_two_runs_keep_gives_the_paired_interval_of_their_scores(metric, grouped):
    good, bad = scored(0.2), scored(1.5)
    units = pd.DataFrame({"group": np.arange(400) // 8}) if grouped else None
    test = good[good["part"] == "test"].assign(other=bad["model"])
    thresholds = {name: kept_threshold(each, units) for name, each in (("model", good), ("other", bad))}
    sample = Sample.of(test["label"], units, Binary())
    wanted = paired_differences(test, "model", "other", thresholds, EVALUATION, sample)[metric]
    found = lead(kept(good, metric, units), kept(bad, metric, units))
    assert (found.value, *found.ends) == pytest.approx((wanted.value, *wanted.ends), abs=1e-9)
    assert found.ends[0] > 0


def kept_threshold(scores: pd.DataFrame, units: pd.DataFrame | None) -> float | None:
    return evaluate(scores, TARGET, EVALUATION, None, units).threshold


def test_a_pair_is_narrower_than_two_intervals():
    one, other = kept(scored(0.2)), kept(scored(0.3))
    low, high = lead(one, other).ends
    alone = np.quantile(one.figures, [0.025, 0.975])
    assert high - low < 0.6 * (alone[1] - alone[0])


def test_runs_that_were_not_drawn_alike_are_not_compared():
    one = kept(scored(0.2))
    for other in (
        kept(scored(0.2, rows=500)),
        kept(scored(0.2), seed=8),
        kept(scored(0.2), resamples=300),
        kept(scored(0.2), "log_loss"),
        kept(scored(0.2), units=pd.DataFrame({"group": np.arange(400) // 8})),
        replace(one, figures=[]),
        replace(one, value=float("nan")),
    ):
        assert lead(one, other) is None
    assert lead(one, one).ends == (0.0, 0.0)


def test_of_few_cases_nothing_is_kept():
    few = kept(scored(0.2, rows=60, positives=0.1))
    assert few.figures == []
