"""What conformal intervals of numbers cover, on simulated rows, and whether MAPIE has the same ends.

python benchmarks/conformal.py
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import numpy as np
from machine import describe
from overhead import table
from sklearn.ensemble import HistGradientBoostingRegressor

from lepton_pipeline.statistics.conformal import Conformal, fit_cqr
from lepton_pipeline.statistics.losses import Floats

LEVEL = 0.9
HELD_OUT, TRAINING_ROWS, LATER_ROWS, MODELS = (500, 2000), 1000, 4000, 5
Rows = tuple[Floats, Floats]
Models = list[HistGradientBoostingRegressor]
Draw = Callable[[np.random.Generator, int], Rows]


@dataclass(frozen=True)
class Cover:
    """Shares of later rows, and the mean width of their intervals."""

    covered: float
    below: float  # truth below the interval
    above: float
    quiet: float  # covered, of the half of the rows with the smaller x
    loud: float  # and of the other half
    width: float


def draw_even(random: np.random.Generator, rows: int) -> Rows:
    """Normal noise of one standard deviation."""
    return _rows(random, random.normal(size=rows), growing=False)


def draw_growing(random: np.random.Generator, rows: int) -> Rows:
    """Normal noise that grows with x."""
    return _rows(random, random.normal(size=rows), growing=True)


def draw_skewed(random: np.random.Generator, rows: int) -> Rows:
    """Exponential noise that grows with x."""
    return _rows(random, random.exponential(size=rows) - 1, growing=True)


def _rows(random: np.random.Generator, noise: Floats, *, growing: bool) -> Rows:
    x = random.uniform(0, 2, size=len(noise))
    return x[:, None], np.sin(3 * x) + (0.3 + x if growing else 1.0) * noise


KINDS = {
    "even, normal": draw_even,
    "grows with x, normal": draw_growing,
    "grows with x, skewed": draw_skewed,
}


def fit_models(rows: Rows) -> Models:
    """Boosted trees of the lower quantile, the upper one, the median and the mean."""
    losses = [{"loss": "quantile", "quantile": each} for each in ((1 - LEVEL) / 2, (1 + LEVEL) / 2, 0.5)]
    return [
        HistGradientBoostingRegressor(**loss, max_iter=60, min_samples_leaf=10, random_state=0).fit(*rows)
        for loss in (*losses, {})
    ]


def one_offset(truth: Floats, low: Floats, high: Floats) -> Conformal:
    """The other way of conformal quantile regression: one offset for both ends (Romano et al., theorem 1)."""
    rank = int(np.ceil(round((len(truth) + 1) * LEVEL, 9)))
    offset = float(np.sort(np.maximum(low - truth, truth - high))[rank - 1])
    return Conformal(offset, offset)


def cover(interval: Rows, rows: Rows) -> Cover:
    """Measure intervals of rows with one column x."""
    (low, high), (x, truth) = interval, rows
    covered, quiet = (low <= truth) & (truth <= high), x[:, 0] < 1
    figures = (covered, truth < low, truth > high, covered[quiet], covered[~quiet], high - low)
    return Cover(*(float(each.mean()) for each in figures))


def mean(covers: Sequence[Cover]) -> Cover:
    """Mean of every figure."""
    names = Cover.__dataclass_fields__
    return Cover(**{name: float(np.mean([getattr(each, name) for each in covers])) for name in names})


def predict(models: Models, x: Floats) -> dict[str, Rows]:
    """Lower and upper end before conformal prediction, by method."""
    low, high, _, centre = (model.predict(x) for model in models)
    return {"split": (centre, centre), "CQR": (np.minimum(low, high), np.maximum(low, high))}


def simulate(draw: Draw, held_out: int, repetitions: int) -> dict[str, Cover]:
    """Mean cover of every method, by several models that each have as many held-out sets."""
    random = np.random.default_rng([11, held_out])
    found: dict[str, list[Cover]] = {}
    for _ in range(MODELS):
        models = fit_models(draw(random, TRAINING_ROWS))
        for _ in range(repetitions):
            (x, truth), later = draw(random, held_out), draw(random, LATER_ROWS)
            known, new = predict(models, x), predict(models, later[0])
            covers = {"quantiles as predicted": cover(new["CQR"], later)}
            for name, ends in known.items():
                ways = {name: fit_cqr(truth, *ends, LEVEL), f"{name}, one offset": one_offset(truth, *ends)}
                covers |= {way: cover(each.interval(*new[name]), later) for way, each in ways.items()}
            for name, each in covers.items():
                found.setdefault(name, []).append(each)
    return {name: mean(covers) for name, covers in found.items()}


def report_cover(repetitions: int) -> str:
    """A table of all simulations."""
    head = ["noise", "held-out rows", "method", "covered", "below", "above", "x < 1", "x ≥ 1", "width"]
    lines = []
    for kind, draw in KINDS.items():
        for held_out in HELD_OUT:
            for method, found in simulate(draw, held_out, repetitions).items():
                shares = (found.covered, found.below, found.above, found.quiet, found.loud)
                figures = [*(f"{share:.1%}" for share in shares), f"{found.width:.2f}"]
                lines.append([kind, f"{held_out:,}", method, *figures])
                print(*lines[-1], flush=True)
    return table(head, lines)


def agreement() -> Iterator[list[str]]:
    """For each data set: rows, and the largest difference to MAPIE's ends, as a share of the mean width."""
    for name, (x, y) in data_sets().items():
        order = np.random.default_rng(0).permutation(len(y))
        training, held_out, later = np.split(order, [len(y) * 45 // 100, len(y) * 75 // 100])
        models = fit_models((x[training], y[training]))
        known, new = predict(models, x[held_out]), predict(models, x[later])
        theirs = mapie_ends(models, (x[held_out], y[held_out]), x[later])
        crossing = int((models[0].predict(x[later]) > models[1].predict(x[later])).sum())
        line = [name, f"{len(held_out):,}", f"{len(later):,}", f"{crossing:,}"]
        for method in ("split", "CQR"):
            low, high = fit_cqr(y[held_out], *known[method], LEVEL).interval(*new[method])
            apart = np.abs(np.stack([low, high]) - np.stack(theirs[method])).max()
            line.append(f"{apart / (high - low).mean():.1e}")
        yield line


def data_sets() -> dict[str, Rows]:
    """Rows of columns and a target: measured ones, and two that are made."""
    from sklearn.datasets import load_diabetes, make_friedman1

    return {
        "diabetes": load_diabetes(return_X_y=True),
        "Friedman 1": make_friedman1(3000, noise=1.0, random_state=0),
        "skewed": draw_skewed(np.random.default_rng(0), 3000),
    }


def mapie_ends(models: Models, held_out: Rows, x: Floats) -> dict[str, Rows]:
    """MAPIE's ends of the rows of x, by method; each end has its own quantile, as here."""
    regression = import_module("mapie.regression")
    score = import_module("mapie.conformity_scores").AbsoluteConformityScore(sym=False)
    split = regression.SplitConformalRegressor(models[3], LEVEL, conformity_score=score, prefit=True)
    quantiles = regression.ConformalizedQuantileRegressor(models[:3], LEVEL, prefit=True)
    ends = {
        "split": split.conformalize(*held_out).predict_interval(x)[1],
        "CQR": quantiles.conformalize(*held_out).predict_interval(x)[1],
    }
    return {method: (each[:, 0, 0], each[:, 1, 0]) for method, each in ends.items()}


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the tables, and write them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repetitions", type=int, default=40, help="held-out sets of each model")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results" / "conformal.md")
    options = parser.parse_args(arguments)
    head = ["rows", "held-out", "later", "of these, quantiles cross", "split", "CQR"]
    text = ABOUT.format(
        machine=describe(["numpy", "scikit-learn", "mapie"]),
        sets=MODELS * options.repetitions,
        agreement=table(head, list(agreement())),
        cover=report_cover(options.repetitions),
    )
    options.output.write_text(text, encoding="utf-8")
    print(text)


ABOUT = """\
# Conformal intervals

{machine}

## Cover

Intervals of 90 % around boosted trees that learnt from 1,000 rows: mean of {sets} held-out sets by 5 models, each
measured on 4,000 later rows. Goal: 88 to 92 % covered. Below and above are the rows whose truth is there. The
project has an offset for each end; with one offset for both, most misses of skewed errors lie on one side.

{cover}

## The same as MAPIE

Largest difference of an end to MAPIE's, as a share of the mean width. Crossing quantiles are sorted here, not there.

{agreement}
"""

if __name__ == "__main__":
    main()
