"""Importance and effects of columns, and reasons for a few test rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from lepton_pipeline.evaluation.resampling import LEVEL, Sample
from lepton_pipeline.features.column_encoders import NumericColumn
from lepton_pipeline.model.artefact import Artefact
from lepton_pipeline.model.attribution import Reason
from lepton_pipeline.parameters import Evaluation
from lepton_pipeline.statistics.intervals import normal_deviate
from lepton_pipeline.statistics.losses import Floats
from lepton_pipeline.statistics.ranks import Placements, delong_variance, placements

# By measurement: see docs/explanation.md.
PERMUTATIONS = 5
_COLUMNS = 6
_VALUES = 12
_QUANTILES = (0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98)
_CATEGORIES = 8
_RARE = 0.01
_REASONS = 5
_FEWEST_FOR_A_VARIANCE = 2


@dataclass(frozen=True)
class Importance:
    """Fall of the AUC when a column is permuted, with its 95 % interval."""

    column: str
    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Point:
    """Mean probability if all rows had a value, with its 95 % interval, and the share of rows that have it."""

    value: str | int | float  # a number, a text as shown, or "missing"
    probability: float
    low: float
    high: float
    share: float


@dataclass(frozen=True)
class Effect:
    """Points of a column by ascending values, or of its most frequent categories."""

    column: str
    kind: Literal["number", "category"]
    points: list[Point]


@dataclass(frozen=True)
class Example:
    """A row with the reasons of its probability."""

    case: str
    probability: float
    decision: bool
    reasons: list[Reason]


@dataclass(frozen=True)
class Explanation:
    """What a model makes of its columns, see `explain_model`."""

    metric: str
    rows: int  # explained rows
    auc: float  # on them
    permutations: int
    importance: list[Importance]  # the largest first
    effects: list[Effect]  # of the most important columns except dates
    reference: dict[str, str]  # the typical row, as shown
    examples: list[Example]


def explain_model(
    artefact: Artefact,
    feature_table: pd.DataFrame,
    split: pd.DataFrame,
    evaluation: Evaluation,
    units: pd.DataFrame | None = None,
) -> Explanation:
    """Explain a model on at most `evaluation.explained_rows` test rows.

    Importance is the fall of the AUC when a raw column is permuted, with all that is derived from it
    (Breiman, "Random forests", 2001, section 10; Fisher, Rudin and Dominici, "All models are wrong, but many
    are useful", JMLR 2019), as the mean over several permutations. Its 95 % interval is that of a difference
    of correlated AUCs (DeLong et al., Biometrics 1988), by placements averaged over the permutations: for the
    model as trained, over test rows and permutations.

    An effect is the mean probability of the rows with one value in a column (partial dependence: Friedman,
    "Greedy function approximation", 2001, section 8.2), with the 95 % interval of that mean. Examples have
    their reasons, see `Artefact.explain`.
    """
    generator = np.random.default_rng(evaluation.seed)
    chosen = _draw_rows(split, evaluation.explained_rows, generator)
    rows, labels = feature_table.loc[chosen, list(artefact.inputs)], split.loc[chosen, "label"].to_numpy()
    probability = artefact.predict(rows)["probability"].to_numpy()
    sample = Sample.of(split.loc[chosen, "label"], units)
    importance = _importance(artefact, rows, sample, probability, generator)
    names = [each.column for each in importance]
    main = [name for name in names if not pd.api.types.is_datetime64_any_dtype(rows[name])][:_COLUMNS]
    return Explanation(
        metric="auc",
        rows=len(rows),
        auc=float(np.mean(placements(probability, labels)[0])),
        permutations=PERMUTATIONS,
        importance=importance,
        effects=[_effect(artefact, rows, name) for name in main],
        reference={column: artefact.shown(column, value) for column, value in artefact.reference.items()},
        examples=_examples(artefact, rows, probability),
    )


def _draw_rows(split: pd.DataFrame, count: int, generator: np.random.Generator) -> pd.Index:
    """Draw test rows stratified by class, in the order of the table."""
    test = split.loc[split["part"] == "test", "label"].reset_index(drop=True)
    if len(test) > count:
        positives = min(max(2, round(count * test.mean())), count - 2)
        drawn = [
            generator.choice(test.index[test == label], size=min(size, (test == label).sum()), replace=False)
            for label, size in ((0, count - positives), (1, positives))
        ]
        test = test.loc[np.sort(np.concatenate(drawn))]
    return split.index[split["part"] == "test"][test.index]


def _importance(
    artefact: Artefact,
    rows: pd.DataFrame,
    sample: Sample,
    probability: Floats,
    generator: np.random.Generator,
) -> list[Importance]:
    labels = sample.labels
    before = placements(probability, labels)
    places = np.concatenate([generator.permutation(len(rows)) for _ in range(PERMUTATIONS)])
    copies = rows.iloc[np.tile(np.arange(len(rows)), PERMUTATIONS)].reset_index(drop=True)
    found = []
    for column in rows:
        moved = copies.assign(**{str(column): rows[column].iloc[places].array})
        scores = artefact.predict(moved)["probability"].to_numpy().reshape(PERMUTATIONS, len(rows))
        after = [placements(each, labels) for each in scores]
        means = [np.mean([each[side] for each in after], axis=0) for side in (0, 1)]
        falls = before[0] - means[0], before[1] - means[1]
        value, reach = float(falls[0].mean()), _reach(falls, sample)
        found.append(Importance(str(column), value, value - reach, value + reach))
    return sorted(found, key=lambda each: -each.value)


def _reach(falls: Placements, sample: Sample) -> float:
    """Half width of the interval of mean placements; 1 if a class or unit is single."""
    if min(sample.units, *map(len, falls)) < _FEWEST_FOR_A_VARIANCE:
        return 1.0
    return float(sample.deviate(LEVEL) * delong_variance(falls, sample.labels, sample.codes) ** 0.5)


def _is_number(artefact: Artefact, column: pd.Series) -> bool:
    plain = pd.api.types.is_numeric_dtype(column.dtype) and not pd.api.types.is_bool_dtype(column.dtype)
    if not plain or column.name in artefact.labels:
        return False
    numeric = {each.name for each in artefact.encoder.columns if isinstance(each, NumericColumn)}
    return column.name in numeric or column.name not in artefact.encoder.inputs


def _effect(artefact: Artefact, rows: pd.DataFrame, name: str) -> Effect:
    points, column = [], rows[name]
    number = _is_number(artefact, column)
    values: Iterable[tuple[Any, float]] = _number_points(column)
    if not number:
        values = column.value_counts(normalize=True, dropna=False).head(_CATEGORIES).items()
    for value, share in values:
        same = pd.Series([value] * len(rows), dtype=column.dtype).array
        probability = artefact.predict(rows.assign(**{name: same}))["probability"]
        reach = normal_deviate(LEVEL) * float(probability.std(ddof=0)) / len(rows) ** 0.5
        mean = float(probability.mean())
        shown = value if number and not pd.isna(value) else artefact.shown(name, value)
        points.append(Point(shown, mean, max(0.0, mean - reach), min(1.0, mean + reach), float(share)))
    return Effect(name, "number" if number else "category", points)


def _number_points(column: pd.Series) -> Iterator[tuple[Any, float]]:
    """All values if few, else quantiles; each with the share of rows nearest to it."""
    present = column.dropna()
    values = np.sort(present.unique())
    if len(values) > _VALUES:
        values = np.unique(np.quantile(present.to_numpy(np.float64), _QUANTILES, method="nearest"))
    middles = (values[1:] + values[:-1]) / 2
    nearest = np.bincount(middles.searchsorted(present.to_numpy(np.float64)), minlength=len(values))
    for number, count in zip(values.tolist(), nearest, strict=True):
        yield (int(number) if float(number).is_integer() else number), float(count / len(column))
    if column.isna().mean() >= _RARE:
        yield None, float(column.isna().mean())


def _examples(artefact: Artefact, rows: pd.DataFrame, probability: Floats) -> list[Example]:
    """The rows with the highest and the lowest score, and those next to the threshold."""
    threshold = artefact.threshold or 0.0
    above, below = probability >= threshold, probability < threshold
    cases = {"highest probability": int(probability.argmax())}
    if above.any():
        cases["just above the threshold"] = int(np.where(above, probability, np.inf).argmin())
    if below.any():
        cases["just below the threshold"] = int(np.where(below, probability, -np.inf).argmax())
    cases["lowest probability"] = int(probability.argmin())
    places: dict[int, str] = {}
    for case, place in cases.items():
        # A row that is two of these at once is shown as the first.
        places.setdefault(place, case)
    reasons = artefact.explain(rows.iloc[list(places)], _REASONS)
    return [
        Example(case, float(probability[place]), bool(above[place]), of_row)
        for (place, case), of_row in zip(places.items(), reasons, strict=True)
    ]
