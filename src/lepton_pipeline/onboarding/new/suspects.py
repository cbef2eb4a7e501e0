"""Find suspiciously strong features by comparison with a model of the others."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pandas as pd

from lepton_pipeline.features.leaks import OTHERS, repeating
from lepton_pipeline.features.strength import Alone, additive_auc, joint_strength
from lepton_pipeline.onboarding.names import AFTERWARDS, ATTRIBUTES, EARLIER, name_words
from lepton_pipeline.statistics.strengths import AUC

# Few honest tables exceed the first; a single feature beyond the second follows from the target.
IMPLAUSIBLE, SETTLED = 0.95, 0.99
# A step between sorted AUCs that separates a few columns from all others.
_GAP, _GAP_ABOVE, _MOST_ABOVE, _FEWEST_BELOW = 0.08, 0.7, 6, 5
# Fewest rows of the rarer class for a joint model.
_FEWEST = 40
# Below these leads over all others, a feature is a question.
_AHEAD, _LIFT = 0.05, 0.08
# If more features stand out, they are the subject of the table, as in a study of one disease.
_COMPANY = 3
# Many honest features stay below; unless its name denotes a later event, such a feature is a question too.
_STRONG = 0.78
# A feature below it is useless alone.
_INFORMATIVE = 0.55
# Significance level, allowing for hundreds of columns.
_BY_CHANCE = 1e-6

Codes = npt.NDArray[np.intp]


@dataclass(frozen=True)
class Judgement:
    """Strong features to leave out (`leaks`), with the evidence, and to review (`asked`), with the question.

    `together` is the AUC of the features that stay, except known ones; None for too few rows.
    """

    leaks: dict[str, str] = field(default_factory=dict)
    asked: dict[str, str] = field(default_factory=dict)
    together: float | None = None


def judge_features(
    training: pd.DataFrame,
    labels: Codes,
    alone: Mapping[str, Alone],
    known: Collection[str],
    plain: Collection[str],
) -> Judgement:
    """Find suspiciously strong features, also where several leaks hide one another.

    Suspects are strong alone, or separated from the others by a step in the sorted AUCs. They are compared
    with a boosted model of all other features, and remain suspects only if they exceed it.

    `training` holds float64 numbers and int32 codes, see `plain_features`; `labels` are 0 or 1 for each row.
    Features that are `known` are so for certain at prediction time. Those that are `plain` may be strong for
    an honest reason, see `is_attribute`: they are reviewed, not left out, unless they settle the target.
    """
    rarer = AUC.cases(labels)
    if rarer < _FEWEST:
        return _few_rows(alone, known, plain)
    useful = training.drop(columns=repeating(training))
    apart = _above_a_gap({name: each for name, each in alone.items() if name in useful and name not in known})
    bright = [
        name for name, each in alone.items() if each.figure >= AUC.bright and each.interval[0] >= AUC.surely
    ]
    informative = [name for name, each in alone.items() if each.figure >= _INFORMATIVE]
    later = [name for name in informative if denotes_later_event(name) and name not in plain]
    suspects = [name for name in useful if name not in known and name in {*bright, *apart, *later}]

    def auc_without(*names: str) -> tuple[float, float]:
        """AUC of a model of the other features, and its standard error."""
        others = useful.drop(columns=list(names))
        if not others.shape[1]:
            return 0.5, 0.0
        few = rarer < AUC.learnable
        return additive_auc(others, labels) if few else joint_strength(others, labels, AUC)

    sure = [name for name in known if name in useful]
    together = auc_without(*sure)[0] if len(sure) < useful.shape[1] else None
    if not suspects or together is None:
        return Judgement(together=together)
    # Those remain that exceed a model of all others, or that a gap or their name separates.
    while suspects:
        rest = auc_without(*suspects)
        kept = [name for name in suspects if name in {*apart, *later} or _ahead(alone[name], rest)]
        if kept == suspects:
            break
        suspects = kept
    leaks, asked = {}, {}
    noise, others = rest[0] < _INFORMATIVE, useful.shape[1] - len(suspects)
    crowd = sum(name not in plain and not denotes_later_event(name) for name in suspects) > _COMPANY
    for name in suspects:
        each, afterwards, ahead = alone[name], denotes_later_event(name), _ahead(alone[name], rest)
        beside, _ = auc_without(*(other for other in suspects if other != name))
        evidence = _evidence(each, rest[0], beside, together, len(suspects), others)
        lifts = name in later and beside - rest[0] >= _LIFT
        if name in later and name not in apart and not lifts and not ahead:
            continue
        # Beside noise, or among many strong features, honest features stand out as well.
        honest = not afterwards and (crowd or (noise and each.figure < IMPLAUSIBLE))
        if each.figure >= SETTLED:
            leaks[name] = f"it nearly settles the target: {evidence}"
        elif name in plain or others < OTHERS or honest:
            asked[name] = evidence
        elif ahead and each.figure - rest[0] >= _AHEAD and (each.figure >= _STRONG or afterwards):
            leaks[name] = f"it outshines all others: {evidence}"
        elif lifts:
            leaks[name] = f"its name denotes a later event, and it adds too much: {evidence}"
        else:
            asked[name] = evidence
    remaining = useful.shape[1] - len(sure) - len(leaks)
    return Judgement(leaks, asked, auc_without(*sure, *leaks)[0] if leaks and remaining else together)


def one_class_columns(table: pd.DataFrame, labels: Codes) -> dict[str, str]:
    """Columns that are filled, or empty, only in rows of one class, beyond chance; with what to review."""
    asked = {}
    shares = np.bincount(labels, minlength=2) / max(len(labels), 1)
    for name in map(str, table):
        empty = table[name].isna().to_numpy()
        for mask, word in ((~empty, "filled"), (empty, "empty")):
            classes = np.unique(labels[mask])
            if len(classes) == 1 and shares[classes[0]] ** mask.sum() < _BY_CHANCE:
                outcome = ("negative", "positive")[classes[0]]
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


def _few_rows(alone: Mapping[str, Alone], known: Collection[str], plain: Collection[str]) -> Judgement:
    """Judge by the AUCs alone, where there are too few rows for a joint model."""
    free = {name: each for name, each in alone.items() if name not in known}
    apart = [name for name in _above_a_gap(free, errors=1.0) if free[name].interval[0] >= AUC.surely]
    leaks, asked = {}, {}
    for name, each in free.items():
        low, high = each.interval
        said = f"alone it reaches AUC {each.figure:.2f} ({low:.2f} to {high:.2f})"
        if (each.figure > IMPLAUSIBLE and name not in plain) or each.figure >= SETTLED:
            leaks[name] = f"implausibly strong: {said}"
        elif each.figure > IMPLAUSIBLE or name in apart:
            others = [other.figure for key, other in free.items() if key not in apart and key != name]
            best = max(others, default=0.5)
            asked[name] = f"{said}, the best of the others {best:.2f}; too few rows for a model of all others"
    return Judgement(leaks, asked)


def _above_a_gap(alone: Mapping[str, Alone], errors: float = 2.0) -> list[str]:
    """The few strongest features, if a step in AUC separates them from the others."""
    names = sorted(alone, key=lambda name: -alone[name].figure)
    for count in range(min(_MOST_ABOVE, len(names) - _FEWEST_BELOW), 0, -1):
        above, below = alone[names[count - 1]], alone[names[count]]
        gap = max(_GAP, errors * np.hypot(above.error, below.error))
        if above.figure >= _GAP_ABOVE and above.figure - below.figure >= gap:
            return names[:count]
    return []


def _ahead(alone: Alone, rest: tuple[float, float]) -> bool:
    return bool(alone.figure - rest[0] > 2 * np.hypot(alone.error, rest[1]))


def _evidence(alone: Alone, rest: float, beside: float, together: float, suspects: int, count: int) -> str:
    said = str(alone)
    if count:
        said += f", the other {count} features together {rest:.3f}, with it {beside:.3f}"
    if suspects > 1:
        said += f", with all {suspects} that stand out {together:.3f}"
    return said
