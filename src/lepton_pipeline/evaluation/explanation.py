"""Importance and effects of columns, and reasons for a few test rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd

from lepton_pipeline.evaluation.resampling import LEVEL, Sample
from lepton_pipeline.features.column_encoders import NumericColumn
from lepton_pipeline.model.artefact import Artefact
from lepton_pipeline.model.attribution import show
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


def explain_model(
    artefact: Artefact,
    feature_table: pd.DataFrame,
    split: pd.DataFrame,
    evaluation: Evaluation,
    units: pd.DataFrame | None = None,
) -> dict[str, Any]:
    """Explain a model on at most `evaluation.explained_rows` test rows.

    Importance is the fall of the AUC when a raw column is permuted, with all that is derived from it
    (Breiman, "Random forests", 2001, section 10; Fisher, Rudin and Dominici, "All models are wrong, but many
    are useful", JMLR 2019), as the mean over several permutations. Its 95 % interval is that of a difference
    of correlated AUCs (DeLong et al., Biometrics 1988), by placements averaged over the permutations: for the
    model as trained, over test rows and permutations.

    An effect is the mean probability of the rows with one value in a column (partial dependence: Friedman,
    "Greedy function approximation", 2001, section 8.2), with the 95 % interval of that mean.

    Returns `metric`, `rows`, `auc` on them, `permutations`, `importance` by column, the largest first;
    `effects` of the most important columns except dates, by ascending values or the most frequent categories,
    and "missing"; `reference`, the typical row; `examples` with their reasons (see `Artefact.explain`).
    """
    generator = np.random.default_rng(evaluation.seed)
    chosen = _draw_rows(split, evaluation.explained_rows, generator)
    rows, labels = feature_table.loc[chosen, list(artefact.inputs)], split.loc[chosen, "label"].to_numpy()
    probability = artefact.predict(rows)["probability"].to_numpy()
    sample = Sample.of(split.loc[chosen, "label"], units)
    importance = _importance(artefact, rows, sample, probability, generator)
    kinds = {each["column"]: _kind(artefact, rows[each["column"]]) for each in importance}
    main = [column for column, kind in kinds.items() if kind != "date"][:_COLUMNS]
    return {
        "metric": "auc",
        "rows": len(rows),
        "auc": float(np.mean(placements(probability, labels)[0])),
        "permutations": PERMUTATIONS,
        "importance": importance,
        "effects": [
            {"column": name, "kind": kinds[name], "points": _effect(artefact, rows, name, kinds[name])}
            for name in main
        ],
        "reference": {column: show(value) for column, value in artefact.reference.items()},
        "examples": _examples(artefact, rows, probability),
    }


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
) -> list[dict[str, Any]]:
    labels = sample.labels
    before = placements(probability, labels)
    places = np.concatenate([generator.permutation(len(rows)) for _ in range(PERMUTATIONS)])
    copies = rows.iloc[np.tile(np.arange(len(rows)), PERMUTATIONS)].reset_index(drop=True)
    found = []
    for column in rows:
        moved = _with_column(copies, str(column), rows[column].iloc[places].array)
        scores = artefact.predict(moved)["probability"].to_numpy().reshape(PERMUTATIONS, len(rows))
        after = [placements(each, labels) for each in scores]
        means = [np.mean([each[side] for each in after], axis=0) for side in (0, 1)]
        falls = before[0] - means[0], before[1] - means[1]
        value, reach = float(falls[0].mean()), _reach(falls, sample)
        found.append({"column": str(column), "value": value, "low": value - reach, "high": value + reach})
    return sorted(found, key=lambda each: -each["value"])


def _reach(falls: Placements, sample: Sample) -> float:
    """Half width of the interval of mean placements; 1 if a class or unit is single."""
    if min(sample.units, *map(len, falls)) < _FEWEST_FOR_A_VARIANCE:
        return 1.0
    return float(sample.deviate(LEVEL) * delong_variance(falls, sample.labels, sample.codes) ** 0.5)


def _kind(artefact: Artefact, column: pd.Series) -> str:
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        return "date"
    numeric = {each.name for each in artefact.encoder.columns if isinstance(each, NumericColumn)}
    plain = pd.api.types.is_numeric_dtype(column.dtype) and not pd.api.types.is_bool_dtype(column.dtype)
    number = plain and (column.name in numeric or column.name not in artefact.encoder.inputs)
    return "number" if number else "category"


def _effect(artefact: Artefact, rows: pd.DataFrame, column: str, kind: str) -> list[dict[str, Any]]:
    points = []
    values: Iterable[tuple[Any, float]] = _number_points(rows[column])
    if kind == "category":
        values = rows[column].value_counts(normalize=True, dropna=False).head(_CATEGORIES).items()
    for value, share in values:
        same = pd.Series([value] * len(rows), dtype=rows[column].dtype).array
        probability = artefact.predict(_with_column(rows, column, same))["probability"]
        reach = normal_deviate(LEVEL) * float(probability.std(ddof=0)) / len(rows) ** 0.5
        mean = float(probability.mean())
        points.append(
            {
                "value": show(value) if kind == "category" or pd.isna(value) else value,
                "probability": mean,
                "low": max(0.0, mean - reach),
                "high": min(1.0, mean + reach),
                "share": float(share),
            }
        )
    return points


def _number_points(column: pd.Series) -> Iterator[tuple[Any, float]]:
    """All values if few, else quantiles; each with the share of rows nearest to it."""
    present = column.dropna()
    values = np.sort(present.unique())
    if len(values) > _VALUES:
        values = np.unique(np.quantile(present.to_numpy(np.float64), _QUANTILES, method="nearest"))
    middles = (values[1:] + values[:-1]) / 2
    nearest = np.bincount(middles.searchsorted(present.to_numpy(np.float64)), minlength=len(values))
    for value, count in zip(values, nearest, strict=True):
        number = value.item()
        yield (int(number) if float(number).is_integer() else number), float(count / len(column))
    if column.isna().mean() >= _RARE:
        yield None, float(column.isna().mean())


def _examples(artefact: Artefact, rows: pd.DataFrame, probability: Floats) -> list[dict[str, Any]]:
    """The rows with the highest and the lowest score, and those next to the threshold."""
    above, below = probability >= artefact.threshold, probability < artefact.threshold
    cases = {"highest probability": int(probability.argmax())}
    if above.any():
        cases["just above the threshold"] = int(np.where(above, probability, np.inf).argmin())
    if below.any():
        cases["just below the threshold"] = int(np.where(below, probability, -np.inf).argmax())
    cases["lowest probability"] = int(probability.argmin())
    # A row that is two of these at once is shown as the first.
    places = {place: case for case, place in reversed(cases.items())}
    places = {place: places[place] for place in dict.fromkeys(cases.values())}
    reasons = artefact.explain(rows.iloc[list(places)], _REASONS)
    return [
        {
            "case": case,
            "probability": float(probability[place]),
            "decision": bool(above[place]),
            "reasons": [asdict(reason) for reason in of_row],
        }
        for (place, case), of_row in zip(places.items(), reasons, strict=True)
    ]


def _with_column(rows: pd.DataFrame, column: str, values: Any) -> pd.DataFrame:
    changed = rows.copy(deep=False)
    changed[column] = values
    return changed
