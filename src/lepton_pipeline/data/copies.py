"""Find test rows that repeat training rows: copies, and rows of one entity, such as a patient."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd

from lepton_pipeline.data.columns import feature_columns
from lepton_pipeline.data.copies_found import Copies, CopiesFound, Entity
from lepton_pipeline.data.fingerprint import Hashes
from lepton_pipeline.parameters import Dataset, Features, Split
from lepton_pipeline.statistics.ranks import auc

# Columns of the marks; those of entities are named by number.
COPY, SAME_INPUTS = "copy", "same_inputs"
# Chance is estimated on so many test rows.
SAMPLED_ROWS = 20_000
_UNLIKELY = 0.05
_SEED = 0
_DISTINCT = 0.99
# Fewest entities of several rows, in all and of each of two outcomes: fewer may be chance, or categories.
FEWEST, FEWEST_OF_A_CLASS = 10, 5
# Share of the disagreement by chance that must be absent within entities, and its standard errors.
AGREEMENT, ERRORS = 0.8, 4.0
# A value that most rows of an outcome have is a category, such as "no failure".
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


class Outcomes(Protocol):
    """Tells outcomes apart, as `tasks.task.Task` does."""

    def strata(self, labels: pd.Series) -> pd.Series:
        """Whole numbers: the class, or the tenth of a number."""


class HasOutcomes(Protocol):
    """What is asked of a `tasks.find.Target`."""

    @property
    def task(self) -> Outcomes:
        """How outcomes are told apart."""


def find_copies(
    feature_table: pd.DataFrame,
    split: pd.DataFrame,
    target: HasOutcomes,
    dataset: Dataset,
    features: Features,
    declared_split: Split,
) -> tuple[pd.DataFrame, CopiesFound]:
    """Find test rows whose outcome can be known from a row that the model is trained on.

    Copies equal such a row in every column, target included, except those that identify rows (`dataset.id`,
    and excluded columns that are distinct in nearly every row) and derived ones. Rows of few values coincide
    by chance; the number is estimated in two ways, and the larger is taken:

    - A coincidence has training rows beside it that differ in one column only; a copy has them no more than
      other rows have. With the frequency of the row's value in that column they give the expected number of
      equal rows; the largest over the columns is taken.
    - Rows whose inputs coincide by chance differ in their outcome, at most as often as two rows drawn at
      random; copies never do.

    Returns the marks of every test row: `copy`, `same_inputs` (as a training row, whatever the outcome), and
    `entity_0`, `entity_1`, … (rows of that entity are trained on); and the counts.
    """
    test = (split["part"] == "test").to_numpy()
    learnt = split["part"].isin(["train", "validation"]).to_numpy()
    labels = split["label"].to_numpy()
    marks, copies = _find(feature_table, labels, test, learnt, dataset, features)
    found: list[tuple[Entity, Mask]] = []
    if declared_split.strategy not in ("time", "time_group"):
        outcomes = target.task.strata(split["label"]).to_numpy()
        found = list(find_entities(feature_table, outcomes, test, learnt, dataset, declared_split))
        marks |= {f"entity_{number}": seen for number, (_, seen) in enumerate(found)}
    return pd.DataFrame(marks, index=split.index[test]), CopiesFound(
        rows=len(feature_table),
        test_rows=int(test.sum()),
        strategy=declared_split.strategy,
        copies=copies,
        entities=[entity for entity, _ in found],
    )


def _find(
    table: pd.DataFrame, labels: np.ndarray, test: Mask, learnt: Mask, dataset: Dataset, features: Features
) -> tuple[dict[str, Mask], Copies]:
    made = {*features.names()} - {dataset.time}
    excluded = [name for name in dataset.exclude if name in table and name not in made]
    # With nearly as many values as rows, an excluded column of whole numbers or texts names rows.
    distinct = [name for name in excluded if table[name].nunique() >= max(_DISTINCT * len(table), 1)]
    ignored = [name for name in distinct if may_be_names(table[name].dropna())]
    unread = {dataset.target, dataset.id, *ignored, *made}
    inputs = [name for name in feature_columns(table, dataset) if name not in unread]
    roles = dataset.roles()
    inputs += [name for role in ("time", "group", "sensitive") for name in roles[role] if name not in made]
    others = [name for name in excluded if name not in unread]
    same = _hash(table, inputs)
    whole = same + _hash(table, [dataset.target, *others] if dataset.target in table else others)
    equal, copy = np.isin(same[test], same[learnt]), np.isin(whole[test], whole[learnt])
    example, by_chance, unlikely = None, 0, 0
    expected = unlikely_share = 0.0
    if copy.any():
        sampled, chances, share = _coincidences(table, inputs, same, test, learnt)
        by_chance = max(round(share * len(copy)), _contradicted(same, labels, test, learnt))
        by_chance = min(by_chance, int(copy.sum()))
        # Rows of which nobody expects a second one; a block that repeats by nature would hide them.
        rare = (chances < _UNLIKELY) & (_twins(same, labels, sampled, learnt)[1] == 0)
        unlikely = int(copy[np.searchsorted(np.flatnonzero(test), sampled)][rare].sum())
        expected = float(chances[rare].sum())
        unlikely_share = max(unlikely - expected, 0.0) / len(sampled)
        first = np.flatnonzero(test)[copy.argmax()]
        twin = np.flatnonzero(learnt)[(whole[learnt] == whole[first]).argmax()]
        example = tuple(table.index[[first, twin]].tolist())
    copies = Copies(
        rows=int(copy.sum()),
        by_chance=by_chance,
        unlikely=unlikely,
        unlikely_by_chance=round(expected, 2),
        unlikely_share=round(unlikely_share, 6),
        example=example,
        ignored=[*([dataset.id] if dataset.id is not None else []), *ignored],
        repeated=len(whole) - len(np.unique(whole)),
    )
    return {COPY: copy, SAME_INPUTS: equal}, copies


def _hash(table: pd.DataFrame, columns: list[str]) -> Hashes:
    """Hash rows to 64 bits, as a sum over columns from which a column can be subtracted."""
    return sum((hashes for _, hashes in _hashes(table, columns)), np.zeros(len(table), np.uint64))


def _hashes(table: pd.DataFrame, columns: list[str]) -> Iterator[tuple[str, Hashes]]:
    """Hash columns one by one; equal values of different columns have different hashes."""
    for name in columns:
        salt = pd.util.hash_array(np.array([name], dtype=object)) | np.uint64(1)
        yield name, pd.util.hash_pandas_object(table[name], index=False).to_numpy() * salt


def _coincidences(
    table: pd.DataFrame, inputs: list[str], same: Hashes, test: Mask, learnt: Mask
) -> tuple[Codes, npt.NDArray[np.float64], float]:
    """Sampled test rows, the chance of each to coincide with a training row, and the largest mean."""
    draw = np.random.default_rng(_SEED)
    rows = np.flatnonzero(test)
    if len(rows) > SAMPLED_ROWS:
        rows = np.sort(draw.choice(rows, SAMPLED_ROWS, replace=False))
    if len(inputs) < 2:
        return rows, np.ones(len(rows)), 1.0
    # Values of copies count once, or they would be frequent because they are copies.
    distinct = np.unique(same, return_index=True)[1]
    alike = _count(same[rows], same[learnt])
    chances, largest = np.zeros(len(rows)), 0.0
    for _, hashes in _hashes(table, inputs):
        near = _count((same - hashes)[rows], (same - hashes)[learnt]) - alike
        if near.any():
            frequency = (_count(hashes[rows], hashes[distinct]) - 1) / max(len(distinct) - 1, 1)
            chance = 1 - np.exp(-near * frequency / np.maximum(1 - frequency, 1 / len(table)))
            chances, largest = np.maximum(chances, chance), max(largest, float(chance.mean()))
    return rows, chances, largest


def _twins(same: Hashes, labels: np.ndarray, rows: Mask | Codes, learnt: Mask) -> tuple[Codes, Codes]:
    """Number of training rows with the same inputs, and of those with another label, too."""
    twins, whole = _count(same[rows], same[learnt]), same + pd.util.hash_array(labels)
    return twins, twins - _count(whole[rows], whole[learnt])


def _count(wanted: Hashes, among: Hashes) -> Codes:
    keys, back = np.unique(wanted, return_inverse=True)
    places = np.minimum(np.searchsorted(keys, among), len(keys) - 1)
    return np.bincount(places[keys[places] == among], minlength=len(keys))[back]


def _contradicted(same: Hashes, labels: np.ndarray, test: Mask, learnt: Mask) -> int:
    """Coincidences among test rows, estimated from the share of twins with another label."""
    twins, others = _twins(same, labels, test, learnt)
    shares = np.unique(labels, return_counts=True)[1] / len(labels)
    return round(float((others[twins > 0] / twins[twins > 0]).sum() / (1 - (shares**2).sum())))


def find_entities(
    table: pd.DataFrame, outcomes: np.ndarray, test: Mask, learnt: Mask, dataset: Dataset, split: Split
) -> Iterator[tuple[Entity, Mask]]:
    """Yield entities on both sides of the split, with their test rows that are trained on, [test rows].

    These are the declared group, and every column, whatever its role, of texts or whole numbers that shares
    outcomes: at least ten values have several rows, five with each of two outcomes, and outcomes within them
    disagree at most a fifth as often as by chance. Categories that restate the outcome, and measurements whose
    order determines it, do not count. `outcomes` are whole numbers [rows], see `Outcomes`.
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
        counts = Counts.of(codes, outcomes)
        if not declared and (not _shares_outcome(counts) or _is_measurement(table[name], outcomes)):
            continue
        seen = np.isin(codes[test], codes[learnt & (codes >= 0)])
        # Another column may name the same entities.
        if seen.any() and codes.tobytes() not in seen_codes:
            seen_codes.add(codes.tobytes())
            one = int(counts.with_one_outcome.sum())
            yield Entity(name, declared, len(counts.sizes), one, int(seen.sum())), seen


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


@dataclass(frozen=True)
class Counts:
    """How many rows of each entity with several rows have each outcome: pairs that occur, [pairs] each."""

    entities: Codes  # numbered from 0
    outcomes: Codes
    rows: Codes

    @classmethod
    def of(cls, codes: Codes, outcomes: np.ndarray) -> Counts:
        """Count rows by entity, -1 for none, and by outcome, both [rows]."""
        known = codes >= 0
        kept = known & (np.bincount(codes[known], minlength=1)[codes] > 1)
        entities, labels, rows = _pairs(codes[kept], outcomes[kept])
        return cls(np.unique(entities, return_inverse=True)[1], labels, rows)

    @property
    def sizes(self) -> Codes:
        """Rows of each entity."""
        return np.bincount(self.entities, self.rows).astype(np.intp)

    @property
    def with_one_outcome(self) -> Mask:
        """Entities with one outcome only."""
        one: Mask = np.bincount(self.entities) == 1
        return one


def _pairs(codes: Codes, outcomes: np.ndarray) -> tuple[Codes, Codes, Codes]:
    """Codes and outcomes that occur together, with their rows."""
    width = int(outcomes.max(initial=0)) + 1
    pairs, rows = np.unique(codes * width + outcomes, return_counts=True)
    return *np.divmod(pairs, width), rows


def _shares_outcome(counts: Counts) -> bool:
    sizes, one = counts.sizes, counts.with_one_outcome
    if len(sizes) < FEWEST:
        return False
    by_outcome = np.bincount(counts.outcomes, counts.rows)
    frequent = (
        np.bincount(counts.outcomes[one[counts.entities]], minlength=len(by_outcome)) >= FEWEST_OF_A_CLASS
    )
    largest = np.zeros(len(by_outcome), np.intp)
    np.maximum.at(largest, counts.outcomes, counts.rows)
    if frequent.sum() < 2 or (largest > LARGEST * by_outcome)[frequent].any():
        return False
    shares = by_outcome / sizes.sum()
    # The probability that two rows of an entity disagree, each entity by its rows.
    differ = sizes**2 - np.bincount(counts.entities, counts.rows**2)
    disagree = (differ / (sizes - 1)).sum() / sizes.sum()
    mixed = 1 - (shares[:, None] ** sizes).sum(axis=0)
    spread = np.sqrt((mixed * (1 - mixed)).sum())
    beyond_chance = mixed.sum() - (~one).sum() >= ERRORS * spread
    return bool(beyond_chance and disagree <= (1 - AGREEMENT) * (1 - (shares**2).sum()))


def _is_measurement(values: pd.Series, outcomes: np.ndarray) -> bool:
    """Whether the values are numbers, not called ids, whose order determines the outcome."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", str(values.name)).casefold()
    called_so = any(map(_NAMES.fullmatch, re.split(r"[\W_]+", words)))
    if called_so or not pd.api.types.is_numeric_dtype(values.dtype):
        return False
    known = values.notna().to_numpy()
    levels, labels = np.unique(values[known], return_inverse=True)[1], outcomes[known]
    # Neighbouring values of a measurement share their outcome, whatever the shape of its effect.
    value, label, rows = _pairs(levels, labels)
    order = np.lexsort((label, rows, value))
    usual = label[order][np.append(np.diff(value[order]) > 0, True)]
    chance = 1 - ((np.unique(usual, return_counts=True)[1] / len(usual)) ** 2).sum()
    if len(usual) > 1 and (usual[1:] != usual[:-1]).mean() <= (1 - AGREEMENT) * chance:
        return True
    # Of one outcome, or of its tenth at either end.
    areas = [auc(levels.astype(float), labels == outcome) for outcome in np.unique(labels)]
    return max(max(area, 1 - area) for area in areas) >= ORDERED
