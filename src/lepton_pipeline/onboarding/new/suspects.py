"""Find suspiciously strong features by comparison with a model of the others."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import pandas as pd

from lepton_pipeline.features.leaks import OTHERS, repeating
from lepton_pipeline.features.strength import Alone, additive_strength, joint_strength
from lepton_pipeline.onboarding.names import AFTERWARDS, ATTRIBUTES, EARLIER, name_words
from lepton_pipeline.statistics.strengths import AUC, Array, Strength

# A step between sorted figures separates at most so many columns from at least so many others.
_MOST_ABOVE, _FEWEST_BELOW = 6, 5
# Fewest cases (see `Strength.cases`) for a joint model.
_FEWEST = 40
# If more features stand out, they are the subject of the table, as in a study of one disease.
_COMPANY = 3
# Significance level, allowing for hundreds of columns.
_BY_CHANCE = 1e-6


@dataclass(frozen=True)
class _Scale:
    """What figures of strength mean, and how they are written."""

    # Few honest tables exceed the first; a single feature beyond the second follows from the target.
    implausible: ClassVar = 0.95
    settled: ClassVar = 0.99
    # A step between sorted figures, the upper of which exceeds the second.
    gap: float
    gap_above: float
    # Below these leads over all others, a feature is a question.
    ahead: float
    lift: float
    # Many honest features stay below; unless its name denotes a later event, such a feature is a question too.
    strong: float
    # A feature below it is useless alone.
    informative: float
    figure: str
    alone: str
    together: str


_SCALES = {
    "auc": _Scale(
        gap=0.08,
        gap_above=0.7,
        ahead=0.05,
        lift=0.08,
        strong=0.78,
        informative=0.55,
        figure="{:.3f}",
        alone="alone it reaches AUC {:.2f} ({:.2f} to {:.2f})",
        together="reach AUC {:.2f}",
    ),
    # Where AUC would be the same, by the relation in `as_auc`.
    "r2": _Scale(
        gap=0.2,
        gap_above=0.35,
        ahead=0.14,
        lift=0.2,
        strong=0.6,
        informative=0.025,
        figure="{:.1%}",
        alone="alone it explains {:.0%} ({:.0%} to {:.0%}) of the variance of the target's ranks",
        together="explain {:.0%} of the variance of the target's ranks",
    ),
}


@dataclass(frozen=True)
class Judgement:
    """Strong features to leave out (`leaks`), with the evidence, and to review (`asked`), with the question.

    `together` is the figure of the features that stay, except known ones, as text, and `too_good` says what they
    reach if that is implausible; both are empty where there are too few rows, or several classes.
    """

    leaks: dict[str, str] = field(default_factory=dict)
    asked: dict[str, str] = field(default_factory=dict)
    together: str = ""
    too_good: str = ""


def as_auc(alone: Alone) -> float:
    """A feature's figure as AUC, so that one threshold holds for all tasks.

    A correlation r between normal variables puts 1/2 + arcsin(r) / pi of all pairs in the right order (Greiner
    1909).
    """
    if alone.strength.metric == "auc":
        return alone.figure
    return float(0.5 + np.arcsin(np.sqrt(alone.figure)) / np.pi)


def judge_features(
    training: pd.DataFrame,
    labels: Array,
    alone: Mapping[str, Alone],
    known: Collection[str],
    plain: Collection[str],
    strength: Strength = AUC,
) -> Judgement:
    """Find suspiciously strong features, also where several leaks hide one another.

    Suspects are strong alone, or separated from the others by a step in the sorted figures. They are compared
    with a boosted model of all other features, and remain suspects only if they exceed it. Of several classes
    nothing is judged: an honest feature may tell one of them for certain.

    `training` holds float64 numbers and int32 codes, see `plain_features`; `labels` are those of its rows.
    Features that are `known` are so for certain at prediction time. Those that are `plain` may be strong for
    an honest reason, see `is_attribute`: they are reviewed, not left out, unless they settle the target.
    """
    target, *others_of = strength.targets(labels).values()
    if others_of:
        return Judgement()
    scale, cases = _SCALES[strength.metric], strength.cases(labels)
    if cases < _FEWEST:
        return _few_rows(alone, known, plain, strength)
    useful = training.drop(columns=repeating(training))
    free = {name: each for name, each in alone.items() if name in useful and name not in known}
    apart = _above_a_gap(free, scale)
    bright = [
        name
        for name, each in alone.items()
        if each.figure >= strength.bright and each.interval[0] >= strength.surely
    ]
    informative = [name for name, each in alone.items() if each.figure >= scale.informative]
    later = [name for name in informative if denotes_later_event(name) and name not in plain]
    suspects = [name for name in useful if name not in known and name in {*bright, *apart, *later}]

    def without(*names: str) -> tuple[float, float]:
        """Figure of a model of the other features, and its standard error."""
        others = useful.drop(columns=list(names))
        if not others.shape[1]:
            return strength.chance[0], 0.0
        joint = additive_strength if cases < strength.learnable else joint_strength
        return joint(others, target, strength)

    def judgement(together: float, **found: dict[str, str]) -> Judgement:
        implausible = together >= scale.implausible
        said = scale.together.format(together) if implausible else ""
        return Judgement(together=scale.figure.format(together), too_good=said, **found)

    sure = [name for name in known if name in useful]
    if len(sure) == useful.shape[1]:
        return Judgement()
    together = without(*sure)[0]
    if not suspects:
        return judgement(together)
    # Those remain that exceed a model of all others, or that a gap or their name separates.
    while suspects:
        rest = without(*suspects)
        kept = [name for name in suspects if name in {*apart, *later} or _ahead(alone[name], rest)]
        if kept == suspects:
            break
        suspects = kept
    leaks, asked = {}, {}
    noise, others = rest[0] < scale.informative, useful.shape[1] - len(suspects)
    crowd = sum(name not in plain and not denotes_later_event(name) for name in suspects) > _COMPANY
    for name in suspects:
        each, afterwards, ahead = alone[name], denotes_later_event(name), _ahead(alone[name], rest)
        beside, _ = without(*(other for other in suspects if other != name))
        reached = rest[0], beside, together
        evidence = _evidence(each, reached, scale.figure, len(suspects), others)
        lifts = name in later and beside - rest[0] >= scale.lift
        if name in later and name not in apart and not lifts and not ahead:
            continue
        # Beside noise, or among many strong features, honest features stand out as well.
        honest = not afterwards and (crowd or (noise and each.figure < scale.implausible))
        if each.figure >= scale.settled:
            leaks[name] = f"it nearly settles the target: {evidence}"
        elif name in plain or others < OTHERS or honest:
            asked[name] = evidence
        elif ahead and each.figure - rest[0] >= scale.ahead and (each.figure >= scale.strong or afterwards):
            leaks[name] = f"it outshines all others: {evidence}"
        elif lifts:
            leaks[name] = f"its name denotes a later event, and it adds too much: {evidence}"
        else:
            asked[name] = evidence
    remaining = useful.shape[1] - len(sure) - len(leaks)
    left = without(*sure, *leaks)[0] if leaks and remaining else together
    return judgement(left, leaks=leaks, asked=asked)


def one_class_columns(table: pd.DataFrame, labels: Array, text: Callable[[float], str]) -> dict[str, str]:
    """Columns that are filled, or empty, only in rows of one label, beyond chance; with what to review.

    `text` puts a label in words, see `tasks.task.Task.label_text`.
    """
    asked = {}
    names, labels, rows = np.unique(labels, return_inverse=True, return_counts=True)
    shares = rows / max(len(labels), 1)
    for name in map(str, table):
        empty = table[name].isna().to_numpy()
        for mask, word in ((~empty, "filled"), (empty, "empty")):
            classes = np.unique(labels[mask])
            if len(classes) == 1 and shares[classes[0]] ** mask.sum() < _BY_CHANCE:
                outcome = text(names[classes[0]])
                asked[name] = (
                    f"{word} in {mask.sum():,} training rows, all of them {outcome}; list it in dataset.exclude if it "
                    "is recorded only after the outcome"
                )
    return asked


def is_attribute(name: str) -> bool:
    """Whether a name denotes a plain attribute, such as age or amount, known before the outcome.

    >>> is_attribute("age"), is_attribute("loan_amount"), is_attribute("refund_amount"), is_attribute("x7")
    (True, True, False, False)
    """
    words = set(name_words(name)) | set(re.split(r"[\W\d_]+", name.casefold()))
    return bool(words & ATTRIBUTES) and not denotes_later_event(name)


def denotes_later_event(name: str, also: frozenset[str] = frozenset()) -> bool:
    """Whether a name, by a usual word or `also` by others, denotes what is recorded only after an outcome."""
    words = set(name_words(name))
    return bool(words & (AFTERWARDS | also)) and not words & EARLIER


def _few_rows(
    alone: Mapping[str, Alone], known: Collection[str], plain: Collection[str], strength: Strength
) -> Judgement:
    """Judge by the figures alone, where there are too few rows for a joint model."""
    scale = _SCALES[strength.metric]
    free = {name: each for name, each in alone.items() if name not in known}
    apart = _above_a_gap(free, scale, errors=1.0)
    apart = [name for name in apart if free[name].interval[0] >= strength.surely]
    leaks, asked = {}, {}
    for name, each in free.items():
        said = scale.alone.format(each.figure, *each.interval)
        if (each.figure > scale.implausible and name not in plain) or each.figure >= scale.settled:
            leaks[name] = f"implausibly strong: {said}"
        elif each.figure > scale.implausible or name in apart:
            others = [other.figure for key, other in free.items() if key not in apart and key != name]
            best = max(others, default=strength.chance[0])
            asked[name] = f"{said}, the best of the others {best:.2f}; too few rows for a model of all others"
    return Judgement(leaks, asked)


def _above_a_gap(alone: Mapping[str, Alone], scale: _Scale, errors: float = 2.0) -> list[str]:
    """The few strongest features, if a step in their figures separates them from the others."""
    names = sorted(alone, key=lambda name: -alone[name].figure)
    for count in range(min(_MOST_ABOVE, len(names) - _FEWEST_BELOW), 0, -1):
        above, below = alone[names[count - 1]], alone[names[count]]
        gap = max(scale.gap, errors * np.hypot(above.error, below.error))
        if above.figure >= scale.gap_above and above.figure - below.figure >= gap:
            return names[:count]
    return []


def _ahead(alone: Alone, rest: tuple[float, float]) -> bool:
    return bool(alone.figure - rest[0] > 2 * np.hypot(alone.error, rest[1]))


def _evidence(
    alone: Alone, reached: tuple[float, float, float], figure: str, suspects: int, count: int
) -> str:
    said = str(alone)
    rest, beside, together = map(figure.format, reached)
    if count:
        said += f", the other {count} features together {rest}, with it {beside}"
    if suspects > 1:
        said += f", with all {suspects} that stand out {together}"
    return said
