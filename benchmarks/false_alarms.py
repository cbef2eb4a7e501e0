"""How often monitoring calls a change what is none, and how often it finds one: the figures in `docs/monitoring.md`.

Tables are simulated, of seven columns some of which hang together: a whole comparison, columns and classifier, of new
rows with a reference is made of each pair. Rows are independent, or follow each other in time as a first-order
autoregression does, in every column; a correlation of 0.9 makes 19 rows tell as much of a mean as one independent row.

    python benchmarks/false_alarms.py --pairs 200
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from lepton_pipeline.features.encode import Encoder
from lepton_pipeline.operations.monitoring.decay import has_decayed, is_worse, measure_window
from lepton_pipeline.operations.monitoring.domain import classifier_test
from lepton_pipeline.operations.monitoring.drift import adjusted, compare
from lepton_pipeline.operations.monitoring.findings import ColumnDrift, DomainDrift
from lepton_pipeline.operations.monitoring.reference import Reference, describe_reference
from lepton_pipeline.parameters import Dataset, Decay, Evaluation, Monitoring
from lepton_pipeline.tasks.binary import Binary
from lepton_pipeline.tasks.find import Target

_MONITORING = Monitoring()
_SIZES = [(1000, 300), (400, 400), (2000, 60), (5000, 500)]
_CORRELATIONS = [0.5, 0.9, 0.99]
_CHANGES: dict[str, Callable[[pd.DataFrame, np.random.Generator], pd.DataFrame]] = {
    "a mean moved by 0.3 standard deviations": lambda rows, _: rows.assign(size=rows["size"] + 0.3),
    "a mean moved by 0.5": lambda rows, _: rows.assign(size=rows["size"] + 0.5),
    "a spread 1.8 times as wide": lambda rows, _: rows.assign(size=1.8 * rows["size"]),
    "a quarter of the values gone": lambda rows, draw: rows.assign(
        gappy=rows["gappy"].mask(draw.random(len(rows)) < 0.25)
    ),
    "a quarter of the rows of another level": lambda rows, draw: rows.assign(
        city=rows["city"].mask(draw.random(len(rows)) < 0.25, "Bern")
    ),
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pairs", type=int, default=200, help="of simulated tables, for each line")
    pairs = parser.parse_args(arguments).pairs
    print(
        "| rows in time | training rows | new rows | any p-value ≤ 0.05 | any flag |\n|---|---|---|---|---|"
    )
    for correlation, (rows, new) in [(0.0, sizes) for sizes in _SIZES] + [
        (correlation, sizes) for correlation in _CORRELATIONS for sizes in _SIZES[-1:]
    ]:
        surprising, flagged = false_alarms(rows, new, pairs, correlation)
        shown = f"correlation {correlation:g}" if correlation else "independent"
        print(f"| {shown} | {rows:,} | {new:,} | {surprising:.1%} | {flagged:.1%} |", flush=True)
    print("\n| change, 2,000 training rows and 400 new ones | found |\n|---|---|")
    for name, change in _CHANGES.items():
        print(f"| {name} | {power(change, pairs):.0%} |", flush=True)
    print("\n| AUC from 0.80 to | called decayed |\n|---|---|")
    for signal in (1.2, 1.0, 0.92, 0.83):
        auc, share = decay(signal, pairs)
        print(f"| {auc:.2f} | {share:.1%} |", flush=True)


def false_alarms(rows: int, new: int, pairs: int, correlation: float = 0.0) -> tuple[float, float]:
    """Shares of comparisons without a change in which any corrected p-value is small, and in which any is flagged."""
    found = [
        _compare_all(*_one_source(rows, new, seed, correlation), seed=seed, ordered=correlation > 0)
        for seed in range(pairs)
    ]
    surprising = [any(each.p_adjusted <= _MONITORING.level for each in tests) for tests in found]
    return float(np.mean(surprising)), float(
        np.mean([any(each.flagged for each in tests) for tests in found])
    )


def power(change: Callable[[pd.DataFrame, np.random.Generator], pd.DataFrame], pairs: int) -> float:
    """Share of comparisons in which a change is flagged in a column."""
    flagged = 0
    for seed in range(pairs):
        learnt, new = _one_source(2000, 400, seed, 0.0)
        changed = change(new, np.random.default_rng(seed))
        flagged += any(each.flagged for each in _compare_all(learnt, changed, seed=seed, ordered=False)[:-1])
    return flagged / pairs


def decay(signal: float, pairs: int) -> tuple[float, float]:
    """AUC of a model, and how often two of three windows of 600 rows lie below a test of 3,000 rows and AUC 0.80."""
    from statistics import NormalDist

    evaluation, called = Evaluation(), 0
    for seed in range(pairs):
        draw = np.random.default_rng(seed)
        test, *windows = (_scored(rows, draw, each) for rows, each in [(3000, 1.2)] + 3 * [(600, signal)])
        tested, *figures = (
            measure_window(Binary(), rows, "auc", 0.5, evaluation) for rows in (test, *windows)
        )
        bound = None if tested is None else tested.low
        below = [None if each is None else is_worse("auc", each, bound) for each in figures]
        called += bool(has_decayed(below, Decay()))
    return NormalDist().cdf(signal / 2**0.5), called / pairs


def _compare_all(
    learnt: pd.DataFrame, new: pd.DataFrame, seed: int, ordered: bool
) -> list[ColumnDrift | DomainDrift]:
    """As `monitoring.result` does; the classifier is last."""
    dataset = Dataset(
        target="y", positive=1, time="hour" if ordered else None, exclude=[] if ordered else ["hour"]
    )
    encoder = Encoder.fit(learnt, dataset)
    split = pd.DataFrame({"part": "train"}, index=learnt.index)
    scores = pd.DataFrame(
        {"part": "test", "label": 0, "model": np.linspace(0.01, 0.99, 200)}, index=learnt.index[:200]
    )
    reference = Reference.from_dict(
        describe_reference(learnt, split, scores, Target(Binary()), encoder, dataset)
    )
    columns = compare(new, encoder, reference)
    encoded = [encoder.transform(rows) for rows in (learnt, new)]
    dependence = float(np.median([each.dependence for each in reference.columns])) if ordered else None
    domain = classifier_test(encoded[0], encoded[1], _MONITORING.sample, seed, dependence)
    others = [] if domain is None else [domain]
    return [*adjusted(columns, _MONITORING, share=0.5), *adjusted(others, _MONITORING, share=0.5)]


def _one_source(rows: int, new: int, seed: int, correlation: float) -> tuple[pd.DataFrame, pd.DataFrame]:
    draw = np.random.default_rng(seed)
    whole = rows + new
    one, other, third, fourth, fifth = (_series(whole, draw, correlation) for _ in range(5))
    table = pd.DataFrame(
        {
            "y": np.arange(whole) % 2,
            "hour": pd.date_range("2026-01-01", periods=whole, freq="h"),
            "size": one,
            "double": 2 * one + 0.1 * other,
            "count": np.floor(np.exp(third)),
            "gappy": np.where(fourth < -0.84, np.nan, np.exp(other)),
            "heavy": third / np.maximum(np.abs(fourth), 0.01),
            "city": np.select([fifth < 0.25, fifth < 1.28], ["Oslo", "Rome"], "Bern"),
            "code": [f"c{number}" for number in np.floor(np.exp(np.abs(one + fifth)))],
        }
    )
    return table.iloc[:rows], table.iloc[rows:]


def _series(rows: int, draw: np.random.Generator, correlation: float) -> np.ndarray:
    """Standard normal, each value correlated with the one before."""
    from scipy.signal import lfilter

    noise = draw.normal(size=rows)
    noise[1:] *= (1 - correlation**2) ** 0.5
    filtered: np.ndarray = lfilter([1.0], [1.0, -correlation], noise)
    return filtered


def _scored(rows: int, draw: np.random.Generator, signal: float) -> pd.DataFrame:
    labels = (draw.random(rows) < 0.3).astype(np.int8)
    odds = signal * labels + draw.normal(size=rows)
    return pd.DataFrame({"label": labels, "model": 1 / (1 + np.exp(-odds))})


if __name__ == "__main__":
    main()
