"""Paired intervals of one contender's lead over another on the same test rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import isclose
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import numpy.typing as npt
from contenders import FITS
from quality_metrics import BINARY, METRICS, RANKED, REGRESSION, Scores
from quality_record import Record
from quality_results import OURS, Line, Results

from lepton_pipeline.statistics.intervals import percentile_interval
from lepton_pipeline.statistics.measures import measure, rank

RESAMPLES = 1000
INTERVAL = 0.95

Measured = Callable[[Scores], float]


@dataclass(frozen=True)
class Lead:
    """Mean lead over seeds with its 95 % interval, positive where the first contender is better."""

    value: float
    low: float
    high: float
    units: int


@dataclass(frozen=True)
class KeptRows:
    """What two contenders predicted for the test rows of one seed.

    Attributes:
        labels: of the rows [n].
        unit: what a bootstrap draws, "row", "group" or "block".
        units: its number, by row [n]; equal numbers are the same unit in every seed.
        scores: of each contender, as `row_scores` gives them, [n].
    """

    labels: npt.NDArray[Any]
    unit: str
    units: npt.NDArray[np.int64]
    scores: Mapping[str, Scores]

    def save(self, file: Path) -> None:
        """Write them as small as is exact enough for a headline metric."""
        scores = {name: each.astype(np.float32) for name, each in self.scores.items()}
        whose = {"labels": self.labels, "unit": np.array(self.unit), "units": self.units}
        np.savez_compressed(file, allow_pickle=False, **whose, **scores)

    @classmethod
    def load(cls, *files: Path) -> KeptRows:
        """Read what `save` wrote, of several fits; ValueError where these had other rows."""
        scores: dict[str, Scores] = {}
        seen: list[tuple[npt.NDArray[Any], ...]] = []
        for file in files:
            with np.load(file) as kept:
                arrays = dict(kept)
            seen.append(tuple(arrays.pop(name) for name in ("labels", "unit", "units")))
            if not all(map(np.array_equal, seen[0], seen[-1])):
                raise ValueError(f"{file} and {files[0]} are of other test rows; do both fits with --fresh.")
            scores |= {name: each.astype(np.float64) for name, each in arrays.items()}
        labels, unit, units = seen[0]
        return cls(labels, str(unit), units, scores)


def headline(task: str, scores: Scores, labels: npt.NDArray[Any]) -> Measured:
    """The headline metric of one contender as a function of the weights of the rows [n]."""
    if task == BINARY:
        ranked = rank(scores, labels.astype(np.float64))
        return lambda weights: float(measure(ranked, 0.5, weights[None])["auc"][0])
    if task == REGRESSION:
        return lambda weights: float(np.sqrt(np.average(scores**2, weights=weights)))
    return lambda weights: float(np.average(scores, weights=weights))


def paired_lead(
    task: str, seeds: Sequence[KeptRows], ours: str, theirs: str, resamples: int = RESAMPLES
) -> Lead:
    """The lead of `ours` over `theirs` in the headline metric, mean over seeds, with a bootstrap interval.

    Units (rows, groups or blocks of time) are drawn with replacement from those in the test of any seed. A
    unit counts equally often in every seed that has it: tests of several draws overlap, so they are no
    independent samples.
    """
    names, codes = np.unique(np.concatenate([rows.units for rows in seeds]), return_inverse=True)
    codes_of = np.split(codes, np.cumsum([len(rows.units) for rows in seeds])[:-1])
    pairs = [[headline(task, rows.scores[name], rows.labels) for name in (ours, theirs)] for rows in seeds]
    sign = -1 if METRICS[RANKED[task][0]].smaller_is_better else 1

    def lead(counts: Scores) -> float:
        weights = [counts[each] for each in codes_of]
        return fmean(
            sign * (mine(weight) - its(weight)) for (mine, its), weight in zip(pairs, weights, strict=True)
        )

    def usable(counts: Scores) -> bool:
        """Whether every test has a row, and both classes where the metric needs them."""
        for rows, each in zip(seeds, codes_of, strict=True):
            drawn = rows.labels[counts[each] > 0]
            if not len(drawn) or (task == BINARY and drawn.min() == drawn.max()):
                return False
        return True

    generator = np.random.default_rng(0)
    drawn: list[float] = []
    while len(drawn) < resamples:
        picked = generator.integers(len(names), size=len(names))
        counts = np.bincount(picked, minlength=len(names)).astype(np.float64)
        if usable(counts):
            drawn.append(lead(counts))
    return Lead(lead(np.ones(len(names))), *percentile_interval(np.array(drawn), INTERVAL), len(names))


def measure_pairs(record: Record, scores: Path, verticals: Sequence[str]) -> None:
    """Record the paired interval of ours against the best opponent, where both have kept their scores."""
    for results in Results.by_task(record.lines):
        for vertical in [each for each in results.verticals if each in verticals]:
            found = results.closest(vertical)
            if found is not None and results.paired(vertical) is None:
                record.append(_pair(results, vertical, found[0], scores))


def _pair(results: Results, vertical: str, opponent: str, scores: Path) -> list[Line]:
    seeds = [seed for seed in results.figures[OURS, vertical] if seed in results.figures[opponent, vertical]]
    fits = {
        name: next(key for key, fit in FITS.items() if name in fit.names and results.task in fit.tasks)
        for name in (OURS, opponent)
    }
    files = [[scores_file(scores, vertical, fit, seed) for fit in fits.values()] for seed in seeds]
    if absent := [str(file) for pair in files for file in pair if not file.exists()]:
        print(
            f"{vertical}: no paired interval without {absent[0]}; do its fit again with --fresh", flush=True
        )
        return []
    rows = [KeptRows.load(*pair) for pair in files]
    figures_of = results.compared(vertical)
    for name, recorded in figures_of.items():
        for each, value in zip(rows, recorded, strict=True):
            again = headline(results.task, each.scores[name], each.labels)(np.ones(len(each.labels)))
            if not isclose(again, value, rel_tol=1e-4):
                print(f"{vertical}: the kept scores of {name} give {again:.6g}, not {value:.6g}", flush=True)
                return []
    lead = paired_lead(results.task, rows, OURS, opponent)
    ends = {"lead": lead.value, "low": lead.low, "high": lead.high}
    rounded = {name: float(f"{value:.6g}") for name, value in ends.items()}
    counts = {"units": lead.units, "unit": rows[0].unit, "seeds": len(seeds), "resamples": RESAMPLES}
    return [{"vertical": vertical, "paired": {"of": figures_of, **rounded, **counts}}]


def scores_file(scores: Path, vertical: str, fit: str, seed: int) -> Path:
    """Where the scores of a fit are kept."""
    return scores / vertical / f"{fit}-{seed}.npz"
