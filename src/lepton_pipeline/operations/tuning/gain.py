"""What a choice gains over the declared training, on rows that neither made it nor were learnt from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from lepton_pipeline.evaluation.resampling import LEVEL
from lepton_pipeline.model.predictor import train_model
from lepton_pipeline.operations.tuning.rows import Rows
from lepton_pipeline.operations.tuning.space import Value, apply_changes
from lepton_pipeline.parameters import Training
from lepton_pipeline.statistics.estimates import Estimate
from lepton_pipeline.statistics.intervals import mean_interval, student_deviate
from lepton_pipeline.statistics.losses import Floats


@dataclass(frozen=True)
class Gain:
    """Mean losses of judged rows with the declared and the chosen training, and the first less the second."""

    declared: float
    chosen: float
    difference: Estimate
    seeds: int

    @property
    def certain(self) -> bool:
        """Whether the choice is better for certain: the interval has ends, and lies above 0."""
        return self.difference.low is not None and self.difference.low > 0


def measure_gain(
    rows: Rows,
    training: Training,
    changes: Mapping[str, Value],
    seeds: int,
    tell: Callable[[int, float, float], None],
) -> Gain:
    """Train the whole model as declared and as chosen, with fresh seeds, and compare losses of the judged rows.

    The best of many trials is partly the luckiest on the rows it was chosen by, and with the seed that it was chosen
    with. So the models here are fitted anew by `seeds` other seeds, two at least, the same for both, and compared row
    by row on rows that the search never read. The interval adds the variance between rows (or their units) and that
    between seeds. `tell` gets the number of each seed with its two mean losses.
    """
    fresh = np.random.SeedSequence([training.seed, 1]).generate_state(seeds) % 2**31
    tuned = apply_changes(training, changes)
    pairs = []
    for number, seed in enumerate(fresh.tolist(), start=1):
        pair = [_losses(rows, each.model_copy(update={"seed": seed})) for each in (training, tuned)]
        pairs.append(pair)
        tell(number, *(float(each.mean()) for each in pair))
    losses = np.array(pairs)  # [seeds, 2, rows]
    declared, chosen = losses.mean(axis=(0, 2))
    return Gain(float(declared), float(chosen), compare_losses(losses[:, 0] - losses[:, 1], rows), seeds)


def compare_losses(differences: Floats, rows: Rows) -> Estimate:
    """Mean of differences [seeds, rows] with its 95 % interval; without one where the rows are too few."""
    by_row, by_seed = differences.mean(axis=0), differences.mean(axis=1)
    value, seeds = float(by_row.mean()), len(by_seed)
    sample = rows.sample(rows.target.task)
    if not sample.enough:
        return Estimate(value)
    # Of one standard error, so that both variances add up.
    between = mean_interval(
        by_row, sample.deviate(LEVEL) / student_deviate(LEVEL, sample.units), sample.codes
    )
    of_seeds = float(by_seed.var(ddof=1)) / seeds
    low, high = (
        _reach(abs(end - value) ** 2, sample.units, of_seeds, seeds) for end in (between.low, between.high)
    )
    return sample.marked(value, value - low, value + high)


def _reach(of_rows: float, units: int, of_seeds: float, seeds: int) -> float:
    """Half of an interval by two variances, each of so many values (Welch 1947, Satterthwaite 1946)."""
    variance = of_rows + of_seeds
    if not variance > 0:
        return 0.0
    freedom = variance**2 / (of_rows**2 / (units - 1) + of_seeds**2 / (seeds - 1))
    return float(student_deviate(LEVEL, freedom + 1) * variance**0.5)


def _losses(rows: Rows, training: Training) -> Floats:
    """Losses of the judged rows [n], each times what it counts in their mean."""
    model, _, _ = train_model(rows.encoded, rows.split, rows.target, training)
    judged = rows.judged
    losses = model.task.row_losses(model.outputs(rows.encoded[judged]), rows.labels()[judged])
    weights = rows.learning_weights(model.task)
    if weights is None:
        return losses
    weighted: Floats = losses * weights[judged] / weights[judged].mean()
    return weighted
