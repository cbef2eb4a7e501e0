"""How often 95 % intervals hold the truth: over seeded samples of simulated rows, the share whose interval does.

The scorer and its threshold are fixed, and are not the law that outcomes are drawn from. The truth is the value of a
metric over a population of two million rows of the same kind.

    python benchmarks/coverage.py --draws 1000
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from lepton_pipeline.evaluation.metrics import measure_models, measure_once
from lepton_pipeline.evaluation.resampling import Sample, resampling_units
from lepton_pipeline.parameters import Dataset, Evaluation
from lepton_pipeline.statistics.losses import sigmoid
from lepton_pipeline.tasks.binary import Binary

METRICS = ("auc", "log_loss", "brier", "f1", "average_precision")
# Average precision is printed beside those that have a goal.
GOAL, JUDGED = 0.925, ("auc", "log_loss", "brier", "f1")
POPULATION, GROUP_ROWS, DELAY_HOURS = 2_000_000, 40, 24


@dataclass(frozen=True)
class Case:
    """A kind of rows.

    Attributes:
        name: in the table.
        draw: makes rows with `label` and `model`, and the column that units come from.
        rows: of a sample.
        threshold: of the scorer.
        dataset: declares group, time and label delay.
    """

    name: str
    draw: Callable[[np.random.Generator, int], pd.DataFrame]
    rows: int
    threshold: float
    dataset: Dataset


def draw_independent(random: np.random.Generator, rows: int) -> pd.DataFrame:
    """A third of the rows is positive."""
    signal = random.normal(size=rows)
    return _rows(random, 1.2 * signal - 1.0, 1.5 * signal - 1.2)


def draw_rare(random: np.random.Generator, rows: int) -> pd.DataFrame:
    """Six rows of a hundred are positive."""
    signal = random.normal(size=rows)
    return _rows(random, 1.3 * signal - 3.4, 1.5 * signal - 3.6)


def draw_groups(random: np.random.Generator, rows: int) -> pd.DataFrame:
    """Groups of 40 rows that share part of the scorer's input, and part of what it does not see."""
    group = np.arange(rows) // GROUP_ROWS
    seen, unseen = (random.normal(size=group[-1] + 1)[group] for _ in range(2))
    signal = random.normal(size=rows)
    made = _rows(random, signal + 0.6 * (seen + unseen) - 1.2, 1.2 * signal + 0.6 * seen - 1.0)
    return made.assign(group=group)


def draw_overlapping(random: np.random.Generator, rows: int) -> pd.DataFrame:
    """Hourly rows: positive where what happens in the next 24 hours adds up to much; the scorer's input persists."""
    from scipy.signal import lfilter

    shocks = np.cumsum(random.normal(size=rows + DELAY_HOURS))
    coming = (shocks[DELAY_HOURS:] - shocks[:-DELAY_HOURS]) / DELAY_HOURS**0.5
    warm_up, persistence = 200, 0.9
    steps = random.normal(size=rows + warm_up) * (1 - persistence**2) ** 0.5
    signal = lfilter([1.0], [1.0, -persistence], steps)[warm_up:]
    label = (0.8 * signal + coming > 1).astype(np.int8)
    # A population spans more hours than dates do.
    return pd.DataFrame({"label": label, "model": sigmoid(1.5 * signal - 1.5), "hour": np.arange(rows)})


def _rows(random: np.random.Generator, truth: np.ndarray, score: np.ndarray) -> pd.DataFrame:
    label = (random.random(len(truth)) < sigmoid(truth)).astype(np.int8)
    return pd.DataFrame({"label": label, "model": sigmoid(score)})


_PLAIN = Dataset(target="label", positive=1)
_GROUPED = Dataset(target="label", positive=1, group="group")
_DELAYED = Dataset(target="label", positive=1, time="hour", label_delay=DELAY_HOURS)
CASES = (
    Case("2,000 independent rows", draw_independent, 2000, 0.3, _PLAIN),
    Case("60 groups of 40 rows", draw_groups, 2400, 0.35, _GROUPED),
    Case("2,400 hourly rows, labels known after 24 hours", draw_overlapping, 2400, 0.3, _DELAYED),
    Case("600 rows, 6 % positive", draw_rare, 600, 0.12, _PLAIN),
    Case("20 groups of 40 rows", draw_groups, 800, 0.35, _GROUPED),
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table, and write it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--draws", type=int, default=1000, help="samples of each kind")
    parser.add_argument("--resamples", type=int, default=400, help="bootstrap resamples of a sample")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results" / "coverage.md")
    options = parser.parse_args(arguments)
    lines = [
        f"{options.draws:,} samples of each kind, {options.resamples:,} resamples of each; goal for the first four "
        f"metrics: {GOAL:.1%}, where intervals are not marked approximate.",
        "",
        f"| rows | marked ≈ | {' | '.join(METRICS)} | log loss, each row alone |",
        "|---" * (len(METRICS) + 3) + "|",
    ]
    print("\n".join(lines))
    for case in CASES:
        lines.append(report(case, options.draws, options.resamples))
        print(lines[-1], flush=True)
    options.output.write_text("\n".join(lines) + "\n", encoding="utf-8")


def report(case: Case, draws: int, resamples: int) -> str:
    """A line of the table."""
    held, approximate = cover(case, draws, resamples)
    alone, _ = cover(case, draws, resamples, by_units=False) if case.dataset != _PLAIN else (held, 0.0)
    shares = " | ".join(f"{held[metric]:.1%}" for metric in METRICS)
    return f"| {case.name} | {approximate:.0%} | {shares} | {alone['log_loss']:.1%} |"


def cover(case: Case, draws: int, resamples: int, *, by_units: bool = True) -> tuple[dict[str, float], float]:
    """Share of the samples whose interval holds the truth, by metric, and of those whose intervals are approximate."""
    population = case.draw(np.random.default_rng(0), POPULATION)
    truth = measure_once(Binary(), population, "model", case.threshold)
    held, approximate = dict.fromkeys(METRICS, 0), 0
    for seed in range(1, draws + 1):
        rows = case.draw(np.random.default_rng([7, seed]), case.rows)
        sample = Sample.of(rows["label"], resampling_units(rows, case.dataset) if by_units else None)
        measured = measure_models(
            rows, {"model": case.threshold}, sample, Evaluation(resamples=resamples, seed=seed)
        )
        approximate += sample.approximate
        for metric in METRICS:
            figure = measured["model"][metric]
            low, high = figure.ends
            held[metric] += low <= truth[metric] <= high
    return {metric: count / draws for metric, count in held.items()}, approximate / draws


if __name__ == "__main__":
    main()
