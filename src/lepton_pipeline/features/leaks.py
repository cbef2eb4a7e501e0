"""Features that leak the target or identify rows, and those that add nothing."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from lepton_pipeline.data.columns import feature_columns
from lepton_pipeline.data.labels import learnt_labels
from lepton_pipeline.errors import DataError, closest
from lepton_pipeline.features.column_encoders import as_numbers
from lepton_pipeline.features.derive import columns_read, in_order
from lepton_pipeline.features.report import FeatureAlone, FeatureReport, Finding
from lepton_pipeline.features.strength import (
    SAMPLED_ROWS,
    Alone,
    features_alone,
    interval,
    joint_strength,
    texts_alone,
    useless_features,
)
from lepton_pipeline.parameters import Dataset, Features, Leaks
from lepton_pipeline.statistics.samples import sample_positions
from lepton_pipeline.statistics.strengths import Array, Strength
from lepton_pipeline.tasks.find import Target
from lepton_pipeline.tasks.task import Task

logger = logging.getLogger(__name__)
# Of more training and validation rows a sample is looked at; what holds for every row is then confirmed on all.
MOST_ROWS = 300_000
# Fraction of the cases (see `Strength.cases`) that may contradict a feature that settles the target.
HANDFUL = 0.05
ID_ROWS, DISTINCT, UNEVEN = 100, 0.99, 0.12
# To outshine fewer others says nothing.
OTHERS = 5
# Where nearly every row has the same value, too few differ to tell noise from a rare signal.
MOST_COMMON = 0.95

Whole = Callable[[list[str]], pd.DataFrame]

_EXCLUDE = "Exclude it (dataset.exclude)"
_LATER = f"{_EXCLUDE} if it is known only after the target; if it is honest, name it in leaks.trusted"
_MEANING: dict[str, tuple[Literal["leak", "suspect", "noise"], str]] = {
    "duplicates the target": ("leak", f"{_EXCLUDE}: it encodes the target, or follows from it."),
    "an id": (
        "leak",
        f"{_EXCLUDE}, or declare it as dataset.id: an identifier does not generalise to new rows.",
    ),
    "implausibly strong alone": ("leak", f"{_LATER} or declare a higher leaks.{{bound}}."),
    "outshines all others": ("suspect", f"{_LATER}."),
    "constant": ("noise", f"{_EXCLUDE}; encoding leaves it out anyway."),
    "duplicate": ("noise", f"{_EXCLUDE}, or declare leaks.on_noise: drop."),
    "pure noise": ("noise", f"{_EXCLUDE}, or declare leaks.on_noise: drop."),
}


def check_features(
    feature_table: pd.DataFrame,
    split: pd.DataFrame,
    target: Target,
    dataset: Dataset,
    leaks: Leaks,
    made: Features | None = None,
) -> FeatureReport:
    """Find features that leak the target, identify rows, or add nothing; see `docs/features.md`.

    `split` holds `part` and `label`; test rows are not used, validation rows only to judge noise. Of more than
    `MOST_ROWS` rows a sample is taken, and ids, constants and duplicates are confirmed on all training rows. `made`
    declares derived columns: those computed from `dataset.time` alone are no leaks. A `DataError` names a
    declared numeric column that holds something else.
    """
    names = feature_columns(feature_table, dataset)
    for name in leaks.trusted:
        if name not in names:
            raise DataError(f"leaks.trusted names {name!r}, which is no feature; {closest(name, names)}.")
    every = split[split["part"].isin(["train", "validation"])]
    seen = every.iloc[sample_positions(len(every), MOST_ROWS)]
    trained, whole = int((every["part"] == "train").sum()), None
    if len(seen) < len(every):
        logger.info("features are checked on a sample of %s of %s rows", f"{len(seen):,}", f"{len(every):,}")
        learnt = every.index[every["part"] == "train"]

        def whole(names: list[str]) -> pd.DataFrame:
            return plain_features(feature_table.loc[learnt, names], dataset)

    rows = plain_features(feature_table.loc[seen.index], dataset)
    train = (seen["part"] == "train").to_numpy()
    training, labels = rows[train], learnt_labels(seen).to_numpy()
    task = target.task
    features = features_alone(training, labels[train], task)
    features |= texts_alone(feature_table.loc[training.index, dataset.text], labels[train], task)
    known = known_by_time(made or Features(), dataset)
    found = find_leaks(training, labels[train], task, features, leaks, known, whole)
    found += _noise(rows, labels, train, task, features, {finding.feature for finding in found}, whole)
    kinds = {name: "number" if training[name].dtype.kind == "f" else "category" for name in training}
    kinds |= dict.fromkeys(dataset.text, "text")
    truths = (name for name in features if pd.api.types.is_bool_dtype(feature_table[name].dtype))
    kinds |= dict.fromkeys(truths, "boolean")
    return FeatureReport(
        rows=len(training),
        bound=_bound(leaks, task.strength),
        on_leak=leaks.on_leak,
        on_noise=leaks.on_noise,
        features=[
            FeatureAlone(
                name,
                kinds[name],
                *(round(value, 4) for value in (alone.figure, *alone.interval, alone.missing)),
            )
            for name, alone in sorted(features.items(), key=lambda item: -item[1].figure)
        ],
        findings=found,
        metric=task.strength.metric,
        of_rows=None if whole is None else trained,
    )


def enforce_report(report: FeatureReport, leaks: Leaks) -> list[str]:
    """Return the features to drop; `DataError` if a feature leaks and `on_leak` is "stop", with remedies."""
    leaking = [finding for finding in report.findings if finding.severity == "leak"]
    if leaking and leaks.on_leak == "stop":
        lines = [f"  - {each.feature!r}, {each.finding}: {each.evidence}. {each.advice}" for each in leaking]
        head, remedy = "features leak the target, or identify rows:", "leaks.on_leak: warn continues anyway."
        raise DataError("\n".join([head, *lines, remedy]))
    return [] if leaks.on_noise == "warn" else [finding.feature for finding in report.noise]


def plain_features(table: pd.DataFrame, dataset: Dataset) -> pd.DataFrame:
    """Features, dates and texts left out, as float64 numbers, or as int32 codes by first appearance (-1 missing)."""
    plain: dict[str, np.ndarray] = {}
    for name in feature_columns(table, dataset):
        column = table[name]
        if pd.api.types.is_datetime64_any_dtype(column.dtype) or name in dataset.text:
            continue
        number = pd.api.types.is_numeric_dtype(column.dtype) and name not in dataset.categorical
        codes = name not in dataset.numeric and not number
        plain[name] = pd.factorize(column)[0].astype(np.int32) if codes else as_numbers(column)
    return pd.DataFrame(plain, index=table.index)


def known_by_time(made: Features, dataset: Dataset) -> set[str]:
    """Derived columns that read only `dataset.time`, directly or not: no leaks, since the time is known."""
    if dataset.time is None:
        return set()
    known = {dataset.time}
    reads = columns_read(Features(derive=made.derive), dataset)
    for name in in_order(reads):
        if reads[name] and known.issuperset(reads[name]):
            known.add(name)
    return known


def find_leaks(
    training: pd.DataFrame,
    labels: Array,
    task: Task,
    features: dict[str, Alone],
    leaks: Leaks,
    known: Collection[str] = (),
    whole: Whole | None = None,
) -> list[Finding]:
    """Worst finding for each feature that leaks or is suspected of it.

    `training` is a result of `plain_features`, `features` of `features_alone` and `texts_alone`; `known` features
    are known for certain when the model is used. Where `training` is a sample, `whole` gives features of all rows.
    """
    rows, strength = min(len(training), SAMPLED_ROWS), task.strength
    bound = _bound(leaks, strength)
    # A feature settles the target although so many rows contradict it.
    handful = HANDFUL * (strength.cases(labels) / max(len(labels), 1)) * rows
    found = []
    for name, alone in features.items():
        if name in known:
            continue
        if alone.contradicted <= handful:
            said = f"its values settle the target of {rows - alone.contradicted:,} of {rows:,} training rows"
            found.append(_finding(name, "duplicates the target", said))
        elif named := _distinct_everywhere(name, training, whole):
            found.append(_finding(name, "an id", named))
        elif alone.figure > bound and name not in leaks.trusted:
            guess = _declared(leaks, strength) is None
            limit = (
                f"above {bound:g}, few honest ones are" if guess else f"leaks.{strength.bound} is {bound:g}"
            )
            strong = _finding(name, "implausibly strong alone", f"{alone}; {limit}", strength.bound)
            found.append(replace(strong, severity="suspect") if guess else strong)
    suspects = {finding.feature for finding in found}
    honest = training[[name for name in features if name in training and name not in suspects]]
    return found + _outshining(honest, labels, strength, features, {*leaks.trusted, *known})


def _declared(leaks: Leaks, strength: Strength) -> float | None:
    declared: float | None = getattr(leaks, strength.bound)
    return declared


def _bound(leaks: Leaks, strength: Strength) -> float:
    declared = _declared(leaks, strength)
    return strength.plausible if declared is None else declared


def _outshining(
    training: pd.DataFrame,
    labels: Array,
    strength: Strength,
    features: dict[str, Alone],
    trusted: Collection[str],
) -> list[Finding]:
    """Features stronger alone than all others together, of each class the strongest first."""
    found: dict[str, Finding] = {}
    useful: pd.DataFrame | None = None
    for of, target in strength.targets(labels).items():
        figures = {name: each.targets[of] for name, each in features.items() if of in each.targets}
        bright = {
            name: each
            for name, each in figures.items()
            if each[0] >= strength.bright and interval(*each)[0] >= strength.surely and name not in trusted
        }
        if not bright or strength.cases(target) < strength.learnable:
            continue
        useful = training.drop(columns=repeating(training)) if useful is None else useful
        others = useful
        for name, (figure, error) in sorted(bright.items(), key=lambda item: -item[1][0]):
            if name in others and others.shape[1] > OTHERS:
                rest = others.drop(columns=name)
                joint, joint_error = joint_strength(rest, target, strength)
                if figure - joint <= 2 * np.hypot(error, joint_error):
                    break
                beside = f"a boosted model of the other {rest.shape[1]} features {strength.said(joint)}"
                said = f"{features[name].of_target(of)}; {beside}"
                found.setdefault(name, _finding(name, "outshines all others", said))
                others = rest
    return list(found.values())


def _noise(
    rows: pd.DataFrame,
    labels: Array,
    train: npt.NDArray[np.bool_],
    task: Task,
    features: dict[str, Alone],
    leaking: set[str],
    whole: Whole | None,
) -> list[Finding]:
    """Features that add nothing; leaking ones are left out first, since they hide the others."""
    # Texts are not among the rows.
    rows = rows.drop(columns=[name for name in rows if name in leaking])
    constant = _constant(rows[train])
    equal = _equal(rows[train].drop(columns=constant))
    if whole is not None:
        constant = [name for name in constant if _constant(whole([name]))]
        equal = {name: first for name, first in equal.items() if _equal(whole([first, name]))}
    rows = rows.drop(columns=[*constant, *equal])
    weak = [
        name
        for name, alone in features.items()
        if name in rows
        and alone.interval[0] <= alone.strength.chance[0]
        and alone.figure <= alone.strength.nearly_chance
        and rows[name][train].value_counts(dropna=False).iloc[0] <= MOST_COMMON * train.sum()
    ]
    judged = rows[~train], labels[~train]
    useless = useless_features(rows[train], labels[train], *judged, weak, task)
    found = [_finding(name, "constant", "it has the same value in every training row") for name in constant]
    for name, first in equal.items():
        found.append(_finding(name, f"duplicate of {first}", f"it equals {first!r} in every training row"))
    for name, (rise, error) in useless.items():
        permuted = f"permuting it {task.strength.rise(rise, error)} in validation rows"
        found.append(_finding(name, "pure noise", f"{features[name]}; {permuted}"))
    return found


def repeating(training: pd.DataFrame) -> list[str]:
    """Features that are constant, or equal to an earlier one."""
    return [*_constant(training), *_equal(training)]


def _constant(training: pd.DataFrame) -> list[str]:
    """Features with one value in every row; missing is a value."""
    values = {str(name): training[name].to_numpy() for name in training}
    # NaN is the only value that differs from itself.
    return [name for name, each in values.items() if (each == each[0]).all() or (each != each).all()]


def _equal(training: pd.DataFrame) -> dict[str, str]:
    """Map each feature to an equal earlier one: the same numbers, or the same partition into categories."""
    first: dict[bytes, str] = {}
    equal: dict[str, str] = {}
    for name in map(str, training):
        values = training[name].to_numpy()
        # 0 and -0 are equal, but not byte by byte.
        digest = hashlib.blake2b((values + 0).tobytes(), person=values.dtype.kind.encode()).digest()
        if first.setdefault(digest, name) != name:
            equal[name] = first[digest]
    return equal


def _distinct_everywhere(name: str, training: pd.DataFrame, whole: Whole | None) -> str:
    """As `_distinct`, confirmed on all rows: values of a sample may differ where those of all rows do not."""
    named = _distinct(training[name]) if name in training else ""
    return _distinct(whole([name])[name]) if named and whole is not None else named


def _distinct(values: pd.Series) -> str:
    """Evidence that values identify rows; empty if they do not."""
    numbers = values.dropna().to_numpy()
    category = values.dtype.kind == "i"
    if category:
        numbers = numbers[numbers >= 0]
    elif not np.isfinite(numbers).all() or (numbers % 1).any():
        return ""
    different = len(np.unique(numbers))
    if len(numbers) < max(ID_ROWS, len(values) / 2) or different < DISTINCT * len(numbers):
        return ""
    said = f"{different:,} of {len(values):,} training rows have a value of their own"
    if category:
        return said
    if (np.diff(numbers) > 0).all():
        return f"{said}, a whole number that rises from row to row"
    # Amounts crowd somewhere in their range; numbers that were handed out do not.
    spread = (np.sort(numbers) - numbers.min()) / np.ptp(numbers)
    uneven = np.abs(spread - np.linspace(0, 1, len(numbers))).max()
    return f"{said}, whole numbers spread evenly over their range" if uneven <= UNEVEN else ""


def _finding(feature: str, finding: str, evidence: str, bound: str = "") -> Finding:
    severity, advice = _MEANING[finding.partition(" of ")[0]]
    return Finding(feature, finding, severity, evidence, advice.format(bound=bound))
