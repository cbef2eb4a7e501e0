"""What a model loses on test rows whose columns are perturbed."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import inf

import numpy as np
import pandas as pd

from lepton_pipeline.evaluation.explanation import Explanation
from lepton_pipeline.evaluation.metrics import measure_metric, measure_once, resample
from lepton_pipeline.evaluation.perturbations import Inputs
from lepton_pipeline.evaluation.resampling import LEVEL, Sample
from lepton_pipeline.model.artefact import Artefact
from lepton_pipeline.parameters import Evaluation, Gate
from lepton_pipeline.parameters.robustness import STEPS, WORST
from lepton_pipeline.statistics.estimates import Estimate
from lepton_pipeline.statistics.intervals import share_interval
from lepton_pipeline.statistics.losses import Floats
from lepton_pipeline.statistics.metric_table import higher_is_better
from lepton_pipeline.statistics.samples import sample_positions
from lepton_pipeline.system.records import Omitted

logger = logging.getLogger(__name__)
MOST_FRAGILE = 3
# Perturbed rows that are measured on the same resamples at once.
_AT_ONCE = 16


@dataclass(frozen=True)
class Trial:
    """A perturbation and what it does, each figure with its 95 % interval.

    Attributes:
        name: of `PERTURBATIONS`.
        column: that is perturbed alone; "" where all are.
        figure: the headline metric on the perturbed rows.
        loss: by how much that is worse than on the rows as they are, on the same resamples; below 0 it is better.
        changed: share of the rows that are decided otherwise, see `Task.changed`.
    """

    name: str
    column: str
    figure: Estimate
    loss: Estimate
    changed: Estimate


@dataclass(frozen=True)
class MeasuredRobustness:
    """Trials on test rows; without a metric, nothing was measured."""

    metric: str = ""
    rows: int = 0  # test rows that were perturbed
    test_rows: int = 0
    scored: int = 0  # times that these rows were scored
    columns: int = 0  # that the model reads and that can be perturbed
    figure: Omitted[Estimate] = None  # of these rows as they are
    trials: Sequence[Trial] = ()

    @property
    def whole(self) -> list[Trial]:
        """Trials that perturb all columns."""
        return [trial for trial in self.trials if not trial.column]

    @property
    def fragile(self) -> list[Trial]:
        """The worst trial of each column that was perturbed alone and lost something, the largest loss first."""
        worst: dict[str, Trial] = {}
        for trial in sorted(self.trials, key=lambda each: -each.loss.value):
            if trial.column and trial.loss.value > 0:
                worst.setdefault(trial.column, trial)
        return list(worst.values())

    def of(self, name: str) -> Trial | None:
        """The trial of all columns, if there was one."""
        return next((trial for trial in self.whole if trial.name == name), None)

    def _loss(self, name: str) -> float | None:
        trial = self.of(name)
        return None if trial is None else trial.loss.value

    @property
    def noise_10(self) -> float | None:
        """Loss by noise of 10 % of a deviation."""
        return self._loss("noise_10")

    @property
    def missing_20(self) -> float | None:
        """Loss with 20 % of the values missing."""
        return self._loss("missing_20")

    @property
    def worst_step(self) -> float | None:
        """Loss by the worst of the random steps."""
        return self._loss(WORST)


def measure_robustness(
    artefact: Artefact,
    explanation: Explanation,
    feature_table: pd.DataFrame,
    split: pd.DataFrame,
    evaluation: Evaluation,
    gate: Gate,
    units: pd.DataFrame | None = None,
) -> MeasuredRobustness:
    """Score test rows again with perturbed columns, and measure the headline metric, `gate.metric`; opt-in.

    Columns are perturbed as the model reads them, before any derivation and encoding, so that missing and unseen
    values take the way that they take in use. Losses are compared resample by resample, as models are (see
    `paired_differences`). The worst step of a row is the one, of several, with its largest loss
    (`Task.row_metric`), given its label.

    Some `evaluation.robustness.rows` test rows are drawn, twice as many again and again while these hold too few
    cases for an interval. Everything is seeded by `evaluation.seed`.
    """
    declared = evaluation.robustness
    if declared is None:
        return MeasuredRobustness()
    tested, most = split[split["part"] == "test"], declared.rows
    while True:
        chosen = tested.iloc[sample_positions(len(tested), most)]
        sample = Sample.of(chosen["label"], units, artefact.task, chosen.get("weight"))
        if sample.enough or len(chosen) == len(tested):
            break
        most *= 2
    rows = feature_table.loc[chosen.index, list(artefact.inputs)]
    inputs = Inputs.of(artefact, feature_table, split.index[split["part"] == "train"])
    alone = [each.column for each in explanation.importance if each.column in inputs.kinds]
    plan = inputs.plan(alone[: declared.columns])
    steps = STEPS * bool(inputs.touched(WORST))
    scored = 1 + len(plan) + steps
    logger.info("robustness: %s test rows are scored %d times", f"{len(rows):,}", scored)
    judge = _Judge(artefact, chosen, sample, evaluation, gate.metric, artefact.scores(rows))
    trials: list[Trial] = []
    for start in range(0, len(plan), _AT_ONCE):
        made = (
            (name, column, artefact.scores(inputs.perturbed(rows, name, column, evaluation.seed)))
            for name, column in plan[start : start + _AT_ONCE]
        )
        trials += judge.compare(list(made))
    if steps:
        stepped = (artefact.scores(each) for each in inputs.steps(rows, evaluation.seed))
        trials += judge.compare([(WORST, "", judge.worst(stepped))])
    return MeasuredRobustness(
        gate.metric, len(rows), len(tested), scored, len(inputs.kinds), judge.figure, trials
    )


@dataclass(frozen=True)
class _Judge:
    """Compares scores of perturbed rows with those of the rows as they are, `before`."""

    artefact: Artefact
    chosen: pd.DataFrame
    sample: Sample
    evaluation: Evaluation
    metric: str
    before: Floats

    @cached_property
    def figure(self) -> Estimate:
        """The metric of the rows as they are."""
        rows = self._scored({"model": self.before})
        return measure_metric(rows, self.metric, self.artefact.threshold, self.sample, self.evaluation)

    def worst(self, stepped: Iterable[Floats]) -> Floats:
        """Each row's scores after the step at which its loss is largest."""
        task, labels = self.sample.task, self.sample.labels
        worst, largest = np.empty_like(self.before), np.full(len(labels), -inf)
        for scores in stepped:
            losses = task.row_values(labels, scores)[task.row_metric]
            worse = losses > largest
            worst[worse], largest[worse] = scores[worse], losses[worse]
        return worst

    def compare(self, made: Sequence[tuple[str, str, Floats]]) -> list[Trial]:
        """A trial of each perturbation: its name, its column, and the scores of its rows."""
        sample, metric, threshold = self.sample, self.metric, self.artefact.threshold
        sign = 1 if higher_is_better(metric) else -1
        names = [f"trial {place}" for place in range(len(made))]
        rows = self._scored({"model": self.before} | {key: made[at][2] for at, key in enumerate(names)})
        cuts = dict.fromkeys(["model", *names], threshold)
        drawn = resample(rows, cuts, self.evaluation, sample) if sample.enough else {}
        values = {key: measure_once(sample.task, rows, key, threshold)[metric] for key in cuts}

        def estimate(key: str) -> tuple[Estimate, Estimate]:
            figure, loss = values[key], sign * (values["model"] - values[key])
            if not drawn:
                return Estimate(figure), Estimate(loss)
            lost = sign * (drawn["model"][metric] - drawn[key][metric])
            return sample.figure(figure, drawn[key][metric], least=-inf), sample.figure(
                loss, lost, least=-inf
            )

        return [
            Trial(name, column, *estimate(key), self._changed(scores))
            for key, (name, column, scores) in zip(names, made, strict=True)
        ]

    def _changed(self, after: Floats) -> Estimate:
        task, sample = self.sample.task, self.sample
        one, other = (
            pd.DataFrame(task.predictions(each, self.artefact.threshold)) for each in (self.before, after)
        )
        hits = task.changed(one, other).astype(np.float64)
        interval = share_interval(hits, sample.deviate(LEVEL), sample.codes)
        return sample.marked(*interval)

    def _scored(self, scores: dict[str, Floats]) -> pd.DataFrame:
        task, kept = self.sample.task, [name for name in ("label", "weight") if name in self.chosen]
        columns = {
            key: column for name, each in scores.items() for key, column in task.columns(name, each).items()
        }
        return self.chosen[kept].assign(**columns)
