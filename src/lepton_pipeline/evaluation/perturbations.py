"""Rows with noise, missing and unseen values, shifts, typing errors and small steps, before any encoding."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from lepton_pipeline.features.column_encoders import CategoricalColumn, NumericColumn, as_numbers
from lepton_pipeline.features.text import TextColumn
from lepton_pipeline.model.artefact import Artefact
from lepton_pipeline.parameters.robustness import PERTURBATIONS, REACH, STEPS, WORST
from lepton_pipeline.statistics.losses import Floats

NUMBER, CATEGORY, TEXT, OTHER = "number", "category", "text", "other"
# Which columns a perturbation is of; the part of its name before "_".
_OF = {
    "noise": {NUMBER},
    "missing": {NUMBER, CATEGORY, TEXT, OTHER},
    "unseen": {CATEGORY},
    "shift": {NUMBER},
    "typos": {TEXT},
    "worst": {NUMBER},
}
# Perturbations of one kind share their random numbers: what 5 % change, 20 % change, too.
_STREAMS = {kind: place for place, kind in enumerate(_OF)}
_NEW = "never seen"


@dataclass(frozen=True)
class Inputs:
    """Columns that a model reads, and how each can be perturbed.

    Attributes:
        kinds: "number", "category", "text" or "other" (dates, truth values, constants), by column.
        deviations: standard deviation over the training rows, by column of numbers.
        unseen: a value that no row has, by column of categories.
    """

    kinds: Mapping[str, str]
    deviations: Mapping[str, float]
    unseen: Mapping[str, Any]

    @classmethod
    def of(cls, artefact: Artefact, feature_table: pd.DataFrame, training: pd.Index) -> Inputs:
        """Look at the rows of a table, and at those of `training` for deviations.

        What a target is divided by is left out: without it there is no prediction.
        """
        scale = set() if artefact.scale is None else set(artefact.derivation.inputs([artefact.scale]))
        kinds, deviations, unseen = {}, {}, {}
        for name in artefact.inputs:
            if name in scale:
                continue
            column, kind = feature_table[name], _kind(artefact, name, feature_table[name])
            if kind == NUMBER:
                deviations[name] = float(np.nan_to_num(np.nanstd(as_numbers(column.loc[training]))))
                kind = NUMBER if deviations[name] > 0 else OTHER
            if kind == CATEGORY:
                unseen[name] = _unseen(column)
            kinds[name] = kind
        return cls(kinds, deviations, unseen)

    def touched(self, name: str) -> list[str]:
        """Columns that a perturbation changes."""
        return [column for column, kind in self.kinds.items() if kind in _OF[name.partition("_")[0]]]

    def plan(self, alone: Sequence[str]) -> list[tuple[str, str]]:
        """Perturbations without the random steps, each with its column: "" for all of them, then those `alone`."""
        return [
            (name, column)
            for column in ("", *alone)
            for name in PERTURBATIONS
            if name != WORST and (touched := self.touched(name)) and column in ("", *touched)
        ]

    def perturbed(self, rows: pd.DataFrame, name: str, column: str, seed: int) -> pd.DataFrame:
        """Rows after a perturbation of one column, or of all of its kind for ""; the same for the same seed."""
        return self._apply(rows, name, [column] if column else self.touched(name), seed)

    def steps(self, rows: pd.DataFrame, seed: int) -> Iterator[pd.DataFrame]:
        """Rows after each of several random steps of all numbers, each within a share of its deviation."""
        for step in range(STEPS if self.touched(WORST) else 0):
            yield self._apply(rows, f"worst_{step}", self.touched(WORST), seed)

    def _apply(self, rows: pd.DataFrame, name: str, columns: Sequence[str], seed: int) -> pd.DataFrame:
        kind, _, level = name.partition("_")
        places = {column: place for place, column in enumerate(self.kinds)}
        changed = {}
        for column in columns:
            stream = [seed, places[column], _STREAMS[kind], int(level) if kind == "worst" else 0]
            changed[column] = self._changed(rows[column], kind, level, np.random.default_rng(stream))
        return rows.assign(**changed)

    def _changed(self, column: pd.Series, kind: str, level: str, random: np.random.Generator) -> pd.Series:
        if kind == "typos":
            return mistype(column, int(level) / 100, random)
        if kind in ("missing", "unseen"):
            hit = random.random(len(column)) < int(level) / 100
            if kind == "missing":
                return (column.astype("boolean") if pd.api.types.is_bool_dtype(column) else column).mask(hit)
            return column.mask(hit, self.unseen[str(column.name)])
        moves = self.deviations[str(column.name)] * _moves(kind, level, len(column), random)
        return pd.Series(as_numbers(column) + moves, index=column.index)


def mistype(texts: pd.Series, share: float, random: np.random.Generator) -> pd.Series:
    """Change a share of the letters: leave it out, double it, swap it with the next, or take another of the column."""
    letters = sorted(set("".join(map(str, texts.dropna())))) or [" "]

    def mistyped(text: Any) -> Any:
        if not isinstance(text, str):
            return text
        hits, ways = random.random(len(text)), random.integers(4, size=len(text))
        others = random.integers(len(letters), size=len(text))
        written = list(text)
        for at in np.flatnonzero(hits < share).tolist():
            if ways[at] == 0:
                written[at] = ""
            elif ways[at] == 1:
                written[at] *= 2
            elif ways[at] == 2 and at + 1 < len(written):
                written[at], written[at + 1] = written[at + 1], written[at]
            else:
                written[at] = letters[others[at]]
        return "".join(written)

    return pd.Series([mistyped(text) for text in texts], index=texts.index, dtype=texts.dtype)


def _moves(kind: str, level: str, rows: int, random: np.random.Generator) -> Floats:
    """How far each row moves, [rows], in deviations."""
    if kind == "shift":
        return np.full(rows, 1.0 if level == "up" else -1.0)
    if kind == "noise":
        return int(level) / 100 * random.standard_normal(rows)
    return random.uniform(-REACH / 100, REACH / 100, rows)


def _kind(artefact: Artefact, name: str, column: pd.Series) -> str:
    encoded = {each.name: each for each in artefact.encoder.columns}
    # A text may be made of several columns.
    texts = artefact.derivation.inputs(
        [name for name, each in encoded.items() if isinstance(each, TextColumn)]
    )
    if name in texts and (column.dtype == object or isinstance(column.dtype, pd.StringDtype)):
        return TEXT
    own = encoded.get(name)
    if isinstance(own, CategoricalColumn):
        return OTHER if own.input == "boolean" else CATEGORY
    if isinstance(own, NumericColumn):
        return NUMBER if own.input == "number" else OTHER
    plain = pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)
    return NUMBER if plain else OTHER


def _unseen(column: pd.Series) -> Any:
    if pd.api.types.is_numeric_dtype(column):
        return int(column.max()) + 1 if column.notna().any() else 1
    texts, new = set(map(str, column.dropna().unique())), _NEW
    while new in texts:
        new += "!"
    return new
