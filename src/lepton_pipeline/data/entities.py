"""Find columns of entities, such as patients, whose rows share one outcome and are divided by the split."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pandas as pd

from lepton_pipeline.data.copies_found import Entity
from lepton_pipeline.parameters import Dataset, Split
from lepton_pipeline.statistics.ranks import auc

# Fewest entities of several rows, in all and of each outcome: fewer may be chance, or categories.
FEWEST, FEWEST_OF_A_CLASS = 10, 5
# Share of the disagreement by chance that must be absent within entities, and its standard errors.
AGREEMENT, ERRORS = 0.8, 4.0
# A value that most rows of a class have is a category, such as "no failure".
LARGEST = 0.5
# Numbers whose order settles the outcome are measurements; ids may be in order, too, but their names say so.
ORDERED = 0.95
_NAMES = re.compile(
    "id|uuid|guid|key|code|nr|no|number|patient|subject|customer|client|person|"
    "user|member|device|machine|unit|account|household|family|animal|specimen|sample|"
    "case|vehicle|driver|student|employee|donor|participant|card"
)

Mask = npt.NDArray[np.bool_]
Codes = npt.NDArray[np.intp]


def find_entities(
    table: pd.DataFrame, labels: np.ndarray, test: Mask, learnt: Mask, dataset: Dataset, split: Split
) -> Iterator[tuple[Entity, Mask]]:
    """Yield entities on both sides of the split, with their test rows that are trained on, [test rows].

    These are the declared group, and every column, whatever its role, of texts or whole numbers that shares
    outcomes: at least ten values have several rows, five with each outcome, and outcomes within them disagree
    at most a fifth as often as by chance. Categories that restate the outcome, and measurements whose order
    determines it, do not count.
    """
    seen_codes: set[bytes] = set()
    names = [str(name) for name in table if name not in (dataset.target, dataset.time, dataset.group)]
    if dataset.group in table and split.strategy != "group":
        names.insert(0, str(dataset.group))
    for name in names:
        if not may_be_names(table[name]):
            continue
        codes = pd.factorize(table[name])[0]
        declared = name == dataset.group
        counts = _outcomes(codes, labels)
        if not declared and not _shares_outcome(counts):
            continue
        if not declared and not _called_so(name) and _ordered(table[name], labels):
            continue
        seen = np.isin(codes[test], codes[learnt & (codes >= 0)])
        # Another column may name the same entities.
        if seen.any() and codes.tobytes() not in seen_codes:
            seen_codes.add(codes.tobytes())
            several = counts[:, counts.sum(axis=0) > 1]
            one = int((several == 0).any(axis=0).sum())
            yield Entity(name, declared, several.shape[1], one, int(seen.sum())), seen


def may_be_names(values: pd.Series) -> bool:
    """Whether values may be names: texts or whole numbers; no dates, and no decimals."""
    kind = values.dtype
    if pd.api.types.is_bool_dtype(kind) or pd.api.types.is_datetime64_any_dtype(kind):
        return False
    if pd.api.types.is_numeric_dtype(kind):
        numbers = values.dropna().to_numpy(dtype=float, na_value=np.nan)
        return bool(np.isfinite(numbers).all() and (numbers % 1 == 0).all())
    return (
        pd.api.types.is_string_dtype(kind)
        or isinstance(kind, pd.CategoricalDtype)
        or pd.api.types.is_object_dtype(kind)
    )


def _outcomes(codes: Codes, labels: np.ndarray) -> Codes:
    """Count negative and positive rows of each value, shape [2, values]; missing values are left out."""
    known, width = codes >= 0, int(codes.max(initial=-1)) + 1
    pairs = codes[known] + width * labels[known].astype(np.intp)
    return np.bincount(pairs, minlength=2 * width).reshape(2, width)


def _shares_outcome(counts: Codes) -> bool:
    counts = counts[:, counts.sum(axis=0) > 1]
    one = (counts == 0).any(axis=0)
    of_each = [int((one & (rows > 0)).sum()) for rows in counts]
    if counts.shape[1] < FEWEST or min(of_each) < FEWEST_OF_A_CLASS:
        return False
    if (counts.max(axis=1) > LARGEST * counts.sum(axis=1)).any():
        return False
    sizes = counts.sum(axis=0)
    rate = counts[1].sum() / sizes.sum()
    # The probability that two rows of an entity disagree, each entity by its rows.
    disagree = (2 * counts[0] * counts[1] / (sizes - 1)).sum() / sizes.sum()
    mixed = 1 - rate**sizes - (1 - rate) ** sizes
    spread = np.sqrt((mixed * (1 - mixed)).sum())
    beyond_chance = mixed.sum() - (~one).sum() >= ERRORS * spread
    return bool(beyond_chance and disagree <= (1 - AGREEMENT) * 2 * rate * (1 - rate))


def _called_so(name: str) -> bool:
    parted = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name).casefold()
    return any(map(_NAMES.fullmatch, re.split(r"[\W_]+", parted)))


def _ordered(values: pd.Series, labels: np.ndarray) -> bool:
    """Whether the values are numbers whose order determines the outcome."""
    if not pd.api.types.is_numeric_dtype(values.dtype):
        return False
    # Neighbouring values of a measurement share their outcome, whatever the shape of its effect.
    shares = pd.Series(labels).groupby(values.to_numpy()).mean().sort_index().to_numpy() >= 0.5
    positive = shares.mean()
    chance = 2 * positive * (1 - positive)
    if len(shares) > 1 and (shares[1:] != shares[:-1]).mean() <= (1 - AGREEMENT) * chance:
        return True
    known = values.notna().to_numpy()
    area = auc(values[known].rank().to_numpy(dtype=float), labels[known])
    return bool(max(area, 1 - area) >= ORDERED)
