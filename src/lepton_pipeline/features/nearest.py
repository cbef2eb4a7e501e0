"""Texts of training rows that are most like a new one."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from lepton_pipeline.features.text import TextColumn, cleaned
from lepton_pipeline.statistics.samples import sample_positions
from lepton_pipeline.system.descriptions import read_description, write_description

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

FORMAT = 1
# Of more texts a sample is kept; so many are found for a row.
MOST_TEXTS, FOUND = 50_000, 3
_ROWS_AT_ONCE = 256


@dataclass(frozen=True, eq=False)
class Nearest:
    """Different texts of training rows with their labels, compared by the n-grams that the model reads.

    The similarity is the cosine of TF-IDF vectors, see `TextColumn`, from 0 (no n-gram shared) to 1.
    """

    column: TextColumn
    texts: Sequence[str]
    labels: Sequence[str]

    @classmethod
    def of(cls, column: TextColumn, texts: pd.Series, labels: Sequence[str]) -> Nearest:
        """Keep texts of rows with `labels` [n], of equal ones the first, without empty and missing ones."""
        known = pd.DataFrame({"clean": cleaned(texts), "text": texts.to_numpy(), "label": labels})
        known = known[known["clean"].str.strip() != ""].drop_duplicates("clean")
        kept = known.iloc[sample_positions(len(known), MOST_TEXTS)]
        return cls(column, kept["text"].tolist(), kept["label"].tolist())

    @cached_property
    def _terms(self) -> csr_matrix:
        """Transposed, [places, texts]."""
        return self.column.terms(cleaned(pd.Series(list(self.texts), dtype="str"))).T.tocsr()

    def find(self, texts: pd.Series) -> list[str]:
        """The three most alike of each text [n] as JSON, the nearest first; none of an empty one."""
        asked, found = cleaned(texts), []
        for start in range(0, len(asked), _ROWS_AT_ONCE):
            # Words and pieces have length 1 each.
            alike = (self.column.terms(asked[start : start + _ROWS_AT_ONCE]) @ self._terms).toarray() / 2
            nearest = np.argsort(-alike, axis=1, kind="stable")[:, :FOUND]
            found += [self._told(places, of_row) for places, of_row in zip(nearest, alike, strict=True)]
        return found

    def _told(self, places: Any, alike: Any) -> str:
        told = [
            {"text": self.texts[at], "label": self.labels[at], "similarity": round(float(alike[at]), 4)}
            for at in places
            if alike[at] > 0
        ]
        return json.dumps(told, ensure_ascii=False)

    def save(self, path: Path) -> None:
        """Write name of the column, texts and labels."""
        kept = {"column": self.column.name, "texts": list(self.texts), "labels": list(self.labels)}
        write_description(path, {"format": FORMAT, **kept})

    @classmethod
    def load(cls, path: Path, columns: Sequence[TextColumn]) -> Nearest:
        """Read what `save` wrote; `columns` are those of the model."""
        kept = read_description(path, FORMAT)
        column = next(each for each in columns if each.name == kept["column"])
        return cls(column, kept["texts"], kept["labels"])
