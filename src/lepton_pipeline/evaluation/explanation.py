"""Importance and effects of columns, and reasons for a few test rows."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from lepton_pipeline.evaluation.resampling import LEVEL, Sample
from lepton_pipeline.features.column_encoders import NumericColumn
from lepton_pipeline.features.text import TextColumn
from lepton_pipeline.model.artefact import Artefact
from lepton_pipeline.model.attribution import Reason
from lepton_pipeline.parameters import Evaluation
from lepton_pipeline.statistics.intervals import normal_deviate
from lepton_pipeline.statistics.losses import Floats
from lepton_pipeline.statistics.samples import sample_positions
from lepton_pipeline.system.records import Omitted
from lepton_pipeline.tasks.task import Task

logger = logging.getLogger(__name__)
# By measurement: see docs/explanation.md.
PERMUTATIONS = 5
# Of more columns, so many are measured: those that move the scores of a few rows most. All of them are permuted in so
# many rows together, at least ten each; frames hold so many at once.
WIDE, MEASURED = 200, 100
SCREENED_ROWS, _FEWEST_ROWS, _MOST_ROWS, _AT_ONCE = 40_000, 10, 100, 1_000
_COLUMNS = 6
_VALUES = 12
_QUANTILES = (0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98)
_CATEGORIES = 8
_RARE = 0.01
_REASONS = 5


@dataclass(frozen=True)
class Importance:
    """How much worse the metric is when a column is permuted, with its 95 % interval."""

    column: str
    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Point:
    """Mean prediction if all rows had a value, with its 95 % interval, and the share of rows that have it."""

    value: str | int | float  # a number, a text as shown, or "missing"
    prediction: float
    low: float
    high: float
    share: float


@dataclass(frozen=True)
class Effect:
    """Points of a column by ascending values, or of its most frequent categories."""

    column: str
    kind: Literal["number", "category"]
    points: list[Point]
    # The class, of several, whose mean probability varies most over the rows' values; else "".
    of: str = ""


@dataclass(frozen=True)
class Example:
    """A row with the reasons of its prediction."""

    case: str
    prediction: Mapping[str, bool | float | str]  # the first columns of `Task.predictions`
    reasons: list[Reason]


@dataclass(frozen=True)
class Screen:
    """How columns were chosen whose importance is measured: by the change of the scores of a few rows."""

    columns: int  # of which some were chosen
    rows: int


@dataclass(frozen=True)
class Explanation:
    """What a model makes of its columns, see `explain_model`."""

    metric: str  # that importance is the worsening of
    rows: int  # explained rows
    figure: float  # the metric on them
    permutations: int
    importance: list[Importance]  # the largest first
    effects: list[Effect]  # of the most important columns except dates and texts
    reference: dict[str, str]  # the typical row, as shown
    examples: list[Example]
    screen: Omitted[Screen] = None  # None where the importance of every column was measured


def explain_model(
    artefact: Artefact,
    feature_table: pd.DataFrame,
    split: pd.DataFrame,
    evaluation: Evaluation,
    units: pd.DataFrame | None = None,
) -> Explanation:
    """Explain a model on at most `evaluation.explained_rows` test rows.

    Importance is how much worse a metric (`Task.explained_by`: AUC, log loss or mean absolute error) is when a raw
    column is permuted, with all that is derived from it (Breiman, "Random forests", 2001, section 10; Fisher,
    Rudin and Dominici, "All models are wrong, but many are useful", JMLR 2019), as the mean over several
    permutations. Its 95 % interval is that of a difference of correlated AUCs (DeLong et al., Biometrics 1988),
    by placements averaged over the permutations, or of the mean of paired differences, in which a row counts by
    its own value and by those that it gets: for the model as trained, over test rows and permutations.

    Of more than `WIDE` columns, the importance of `MEASURED` is measured: those whose permutation changes the scores of
    a few rows most, on average (`screen`).

    An effect is the mean prediction of the rows with one value in a column (partial dependence: Friedman,
    "Greedy function approximation", 2001, section 8.2), with the 95 % interval of that mean. Examples have
    their reasons, see `Artefact.explain`.
    """
    generator, task = np.random.default_rng(evaluation.seed), artefact.task
    chosen = _draw_rows(task, split, evaluation.explained_rows, generator)
    rows, sample = (
        feature_table.loc[chosen, list(artefact.inputs)],
        Sample.of(split.loc[chosen, "label"], units, task),
    )
    scores = artefact.scores(rows)
    screen, measured = _screen(artefact, rows, scores, evaluation.seed)
    importance = _importance(artefact, rows, sample, scores, generator, measured)
    names = [each.column for each in importance]
    texts = {column.name for column in artefact.encoder.columns if isinstance(column, TextColumn)}
    main = [
        name for name in names if name not in texts and not pd.api.types.is_datetime64_any_dtype(rows[name])
    ][:_COLUMNS]
    return Explanation(
        metric=task.explained_by,
        rows=len(rows),
        figure=task.explained_figure(sample.labels, scores),
        permutations=PERMUTATIONS,
        importance=importance,
        effects=[_effect(artefact, rows, name) for name in main],
        reference={
            column: "an empty text" if column in texts else artefact.shown(column, value)
            for column, value in artefact.reference.items()
        },
        examples=_examples(artefact, rows, sample.labels, scores),
        screen=screen,
    )


def _draw_rows(task: Task, split: pd.DataFrame, count: int, generator: np.random.Generator) -> pd.Index:
    """Draw test rows, stratified by class where a sample must have both, in the order of the table."""
    test = split.loc[split["part"] == "test", "label"].reset_index(drop=True)
    if len(test) > count:
        classes = task.classes_drawn(test.to_numpy())
        if classes is None:
            drawn = [generator.choice(test.index, size=count, replace=False)]
        else:
            positives = min(max(2, round(count * classes.mean())), count - 2)
            drawn = [
                generator.choice(
                    test.index[classes == label], min(size, (classes == label).sum()), replace=False
                )
                for label, size in ((0, count - positives), (1, positives))
            ]
        test = test.loc[np.sort(np.concatenate(drawn))]
    return split.index[split["part"] == "test"][test.index]


def _screen(
    artefact: Artefact, rows: pd.DataFrame, scores: Floats, seed: int
) -> tuple[Screen | None, list[str]]:
    """The columns to measure, in the order of the table, and how they were chosen."""
    names = [str(name) for name in rows]
    if len(names) <= WIDE:
        return None, names
    few = sample_positions(len(rows), min(max(SCREENED_ROWS // len(names), _FEWEST_ROWS), _MOST_ROWS))
    before, generator = scores[few].reshape(len(few), -1), np.random.default_rng(seed)
    moves: list[float] = []
    together = max(1, _AT_ONCE // len(few))
    for start in range(0, len(names), together):
        some = names[start : start + together]
        at = np.tile(few, len(some))
        moved = {}
        for place, name in enumerate(some):
            taken = at.copy()
            taken[place * len(few) : (place + 1) * len(few)] = generator.permutation(len(rows))[: len(few)]
            moved[name] = rows[name].iloc[taken].array
        after = artefact.scores(rows.iloc[at].reset_index(drop=True).assign(**moved))
        moves += np.abs(after.reshape(len(some), *before.shape) - before).mean(axis=(1, 2)).tolist()
    chosen = np.sort(np.argsort(-np.array(moves), kind="stable")[:MEASURED])
    logger.info(
        "importance is measured of %d of %d columns: those that move the scores of %d test rows most",
        len(chosen),
        len(names),
        len(few),
    )
    return Screen(len(names), len(few)), [names[place] for place in chosen]


def _importance(
    artefact: Artefact,
    rows: pd.DataFrame,
    sample: Sample,
    scores: Floats,
    generator: np.random.Generator,
    measured: Iterable[str],
) -> list[Importance]:
    z = sample.deviate(LEVEL)
    places = np.stack([generator.permutation(len(rows)) for _ in range(PERMUTATIONS)])
    copies = rows.iloc[np.tile(np.arange(len(rows)), PERMUTATIONS)].reset_index(drop=True)
    found = []
    for column in measured:
        moved = copies.assign(**{column: rows[column].iloc[places.ravel()].array})
        permuted = artefact.scores(moved).reshape(PERMUTATIONS, *scores.shape)
        rise = artefact.task.worsening(sample.labels, scores, permuted, places, z, sample.codes)
        found.append(Importance(column, *rise))
    return sorted(found, key=lambda each: -each.value)


def _is_number(artefact: Artefact, column: pd.Series) -> bool:
    plain = pd.api.types.is_numeric_dtype(column.dtype) and not pd.api.types.is_bool_dtype(column.dtype)
    if not plain or column.name in artefact.labels:
        return False
    numeric = {each.name for each in artefact.encoder.columns if isinstance(each, NumericColumn)}
    return column.name in numeric or column.name not in artefact.encoder.inputs


def _effect(artefact: Artefact, rows: pd.DataFrame, name: str) -> Effect:
    task, column = artefact.task, rows[name]
    number = _is_number(artefact, column)
    points: Iterable[tuple[Any, float]] = _number_points(column)
    if not number:
        points = column.value_counts(normalize=True, dropna=False).head(_CATEGORIES).items()
    values, shares = zip(*points, strict=True)
    means, reaches = [], []
    for value in values:
        same = pd.Series([value] * len(rows), dtype=column.dtype).array
        scores = artefact.scores(rows.assign(**{name: same})).reshape(len(rows), -1)
        each = np.ascontiguousarray(scores[:, : len(task.effect_names)].T)
        means.append(each.mean(axis=1))
        reaches.append(normal_deviate(LEVEL) * each.std(axis=1) / len(rows) ** 0.5)
    of = _varies_most(np.array(means), np.array(shares))
    least, most = task.score_range
    drawn = [
        Point(
            value if number and not pd.isna(value) else artefact.shown(name, value),
            float(mean[of]),
            float(max(least, mean[of] - reach[of])),
            float(min(most, mean[of] + reach[of])),
            float(share),
        )
        for value, share, mean, reach in zip(values, shares, means, reaches, strict=True)
    ]
    return Effect(name, "number" if number else "category", drawn, task.effect_names[of])


def _varies_most(means: Floats, shares: Floats) -> int:
    """Column of `means` [values, columns] with the largest variance over rows, of which each value has a share."""
    centres = np.average(means, axis=0, weights=shares)
    return int(np.average((means - centres) ** 2, axis=0, weights=shares).argmax())


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


def _examples(artefact: Artefact, rows: pd.DataFrame, labels: Floats, scores: Floats) -> list[Example]:
    """The rows that are worth a look, see `Task.examples`."""
    task, places = artefact.task, dict[int, str]()
    for case, place in task.examples(labels, scores, artefact.threshold).items():
        # A row that is two of these at once is shown as the first.
        places.setdefault(place, case)
    reasons = artefact.explain(rows.iloc[list(places)], _REASONS)
    told = pd.DataFrame(task.predictions(scores[list(places)], artefact.threshold)).iloc[:, : task.told]
    return [
        Example(case, {str(name): value for name, value in of_row.items()}, why)
        for case, of_row, why in zip(places.values(), told.to_dict("records"), reasons, strict=True)
    ]
