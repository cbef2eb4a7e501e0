"""Find test rows that repeat training rows: copies, and rows of one entity."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from lepton_pipeline.data.columns import feature_columns
from lepton_pipeline.data.copies_found import Copies, CopiesFound, Entity
from lepton_pipeline.data.entities import find_entities, may_be_names
from lepton_pipeline.parameters import Dataset, Features, Split

# Columns of the marks; those of entities are named by number.
COPY, SAME_INPUTS = "copy", "same_inputs"
# Chance is estimated on so many test rows.
SAMPLED_ROWS = 20_000
_UNLIKELY = 0.05
_SEED = 0
# Nearly as many values as rows: an excluded column of such whole numbers or texts names rows, as the id does.
_DISTINCT = 0.99

Hashes = npt.NDArray[np.uint64]
Mask = npt.NDArray[np.bool_]


def find_copies(
    feature_table: pd.DataFrame,
    split: pd.DataFrame,
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
    marks, copies = _find(feature_table, split["label"].to_numpy(), test, learnt, dataset, features)
    found: list[tuple[Entity, Mask]] = []
    if declared_split.strategy in ("stratified", "group"):
        labels = split["label"].to_numpy()
        found = list(find_entities(feature_table, labels, test, learnt, dataset, declared_split))
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
    ignored = [name for name in excluded if _names_rows(table[name])]
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
        rare = (chances < _UNLIKELY) & ~_other_outcome(same, labels, sampled, learnt)
        unlikely = int(copy[np.searchsorted(np.flatnonzero(test), sampled)][rare].sum())
        expected = float(chances[rare].sum())
        unlikely_share = max(unlikely - expected, 0.0) / len(sampled)
        first = np.flatnonzero(test)[copy.argmax()]
        twin = np.flatnonzero(learnt)[(whole[learnt] == whole[first]).argmax()]
        example = _plain(table.index[first]), _plain(table.index[twin])
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


def _names_rows(column: pd.Series) -> bool:
    values = column.dropna()
    return bool(len(values)) and may_be_names(values) and values.nunique() >= _DISTINCT * len(column)


def _hash(table: pd.DataFrame, columns: list[str]) -> Hashes:
    """Hash rows to 64 bits, as a sum over columns from which a column can be subtracted."""
    total = np.zeros(len(table), np.uint64)
    for _, hashes in _hashes(table, columns):
        total += hashes
    return total


def _hashes(table: pd.DataFrame, columns: list[str]) -> Iterator[tuple[str, Hashes]]:
    """Hash columns one by one; equal values of different columns have different hashes."""
    for name in columns:
        salt = pd.util.hash_array(np.array([name], dtype=object)) | np.uint64(1)
        yield name, pd.util.hash_pandas_object(table[name], index=False).to_numpy() * salt


def _coincidences(
    table: pd.DataFrame, inputs: list[str], same: Hashes, test: Mask, learnt: Mask
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.float64], float]:
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


def _other_outcome(same: Hashes, labels: np.ndarray, rows: npt.NDArray[np.intp], learnt: Mask) -> Mask:
    """Whether a training row with the same inputs has another outcome."""
    among = [_count(same[rows], same[learnt & (labels == label)]) for label in (0, 1)]
    found: Mask = np.where(labels[rows] == 1, among[0], among[1]) > 0
    return found


def _count(wanted: Hashes, among: Hashes) -> npt.NDArray[np.intp]:
    """How often each wanted hash occurs."""
    keys, back = np.unique(wanted, return_inverse=True)
    places = np.minimum(np.searchsorted(keys, among), len(keys) - 1)
    return np.bincount(places[keys[places] == among], minlength=len(keys))[back]


def _contradicted(same: Hashes, labels: np.ndarray, test: Mask, learnt: Mask) -> int:
    """Coincidences among test rows, estimated from the share of twins with another outcome."""
    among = [_count(same[test], same[learnt & (labels == label)]) for label in (0, 1)]
    twins = among[0] + among[1]
    others = np.where(labels[test] == 1, among[0], among[1])[twins > 0]
    rate = labels.mean()
    return round(float((others / twins[twins > 0]).sum() / (2 * rate * (1 - rate))))


def _plain(label: Any) -> Any:
    return label.item() if isinstance(label, np.generic) else label
