"""Count the unseen values of new rows, with their likely cause."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Iterator
from typing import cast

import numpy as np
import pandas as pd
from pydantic import computed_field
from pydantic.dataclasses import dataclass

from lepton_pipeline.data.contracts.result import Example
from lepton_pipeline.errors import DataError
from lepton_pipeline.features.column_encoders import NEW, RARE, SEEN, CategoricalColumn
from lepton_pipeline.features.derive import Derivation
from lepton_pipeline.features.unseen_causes import COMPARED, likely_cause, shown

# A smaller batch never stops: half of a handful of rows may be new by chance.
FEWEST_ROWS = 50
# Share of the training rows whose values had codes of their own, from which on new values are a surprise.
NEARLY_ALL = 0.9
EXAMPLES = 3
# Distinct new values of a column that are remembered; the first ones, so that chunks do not matter.
_REMEMBERED = 1000


@dataclass(frozen=True)
class Unseen:
    """Counts of one column."""

    column: str
    rows: int
    missing: int
    seen: int  # rows whose value has a code of its own
    rare: int  # rows whose value was too rare in training for a code
    unseen: int  # rows whose value no training row had
    known: float | None  # share of training rows whose value has its own code; None if not kept
    certain: bool  # whether rare training values were kept; if not, they count as unseen
    examples: list[Example]  # up to three unseen values with a row of each, the most frequent first
    cause: str | None  # see `likely_cause`

    @computed_field  # type: ignore[prop-decorator]
    @property
    def share(self) -> float:
        """Unseen share of the rows with a value."""
        return self.unseen / max(self.rows - self.missing, 1)

    def is_surprising(self, share: float) -> bool:
        """Whether so large a share is unseen in a column of which training had nearly all values.

        The unseen rows must also be as many as that share of the smallest batch judged.
        """
        expected = self.known is not None and self.known >= NEARLY_ALL
        many = self.rows >= FEWEST_ROWS and self.unseen > 0
        return expected and many and self.share >= share and self.unseen >= share * FEWEST_ROWS

    def __str__(self) -> str:
        """One sentence: column, rows, values, cause."""
        had = "were never seen in training" if self.certain else "were rare in training, or never seen"
        examples = ", ".join(f"{shown(each.value)} (row {each.row})" for each in self.examples)
        cause = f"; likely cause: {self.cause}" if self.cause else ""
        few = self.known is not None and self.known < NEARLY_ALL
        usual = f" (in training, {1 - (self.known or 0):.0%} of the values were rare)" if few else ""
        given = self.rows - self.missing
        return f"column {shown(self.column)}: {self.unseen:,} of {given:,} values {had}{usual}, e.g. {examples}{cause}"

    @computed_field  # type: ignore[prop-decorator]
    @property
    def message(self) -> str:
        """The same sentence."""
        return str(self)


def require_seen(found: Iterable[Unseen], share: float, vertical: str, where: str) -> None:
    """Raise `DataError` for columns that are surprisingly unseen, with likely cause and remedy."""
    lines = [f"  - {each}" for each in found if each.is_surprising(share)]
    if lines:
        head = (
            f"{where}: training had nearly all values of these columns, but {share:.0%} or more of the values "
            "here are new:"
        )
        remedy = (
            "Write the values as in the training rows. If they are genuinely new, as those of a new shop, score "
            f"the rows anyway with scoring.unseen: warn (--params {vertical}.scoring.unseen=warn)."
        )
        raise DataError("\n".join([head, *lines, remedy]))


class UnseenCounts:
    """Counts unseen categories of given and derived columns, chunk by chunk."""

    def __init__(self, columns: Iterable[CategoricalColumn], derivation: Derivation) -> None:
        self._derivation = derivation
        self._tallies = {column.name: _Tally(column) for column in columns}
        self._made = [name for name in self._tallies if name in derivation.expressions]

    @property
    def derives(self) -> bool:
        """Whether a derived column is counted."""
        return bool(self._made)

    def watch(self, chunks: Iterable[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        """Count the given columns of chunks while they pass."""
        for chunk in chunks:
            self.add_given(chunk)
            yield chunk

    def add_given(self, rows: pd.DataFrame) -> None:
        """Count the given columns, as far as they are present."""
        self._add(self._given(rows))

    def add_derived(self, rows: pd.DataFrame) -> None:
        """Count the derived columns; a `DataError` says that one cannot be computed."""
        self._add(self._derived(rows))

    def found(self, compared: int = COMPARED) -> list[Unseen]:
        """Columns with unseen values, in the order of the model; see `likely_cause` for `compared`."""
        return [tally.found(compared) for tally in self._tallies.values() if tally.unseen]

    def of_rows(self, rows: pd.DataFrame) -> list[str]:
        """Unseen values of each row, "code = 1.0; city = Atlantis", except in columns without kept rare values."""
        told: list[list[str]] = [[] for _ in range(len(rows))]
        columns = self._given(rows) | self._derived(rows)
        for name in [name for name in self._tallies if name in columns]:
            for row, text in self._tallies[name].new(columns[name]):
                told[row].append(f"{name} = {text}")
        return ["; ".join(of_row) for of_row in told]

    def _add(self, columns: dict[str, pd.Series]) -> None:
        for name, values in columns.items():
            self._tallies[name].add(values)

    def _given(self, rows: pd.DataFrame) -> dict[str, pd.Series]:
        return {name: rows[name] for name in self._tallies if name not in self._made and name in rows.columns}

    def _derived(self, rows: pd.DataFrame) -> dict[str, pd.Series]:
        if not self._made or rows.empty:
            return {}
        # Columns that a window has to make first are not there yet.
        present = {*map(str, rows.columns)}
        ready = [name for name in self._made if present.issuperset(self._derivation.inputs([name]))]
        made = self._derivation.apply(rows, ready)
        return {name: made[name] for name in ready}


class _Tally:
    def __init__(self, column: CategoricalColumn) -> None:
        self._column = column
        self._rows = self._missing = self._seen = self._rare = self.unseen = 0
        self._counts: Counter[str] = Counter()
        self._first: dict[str, Hashable] = {}

    def add(self, values: pd.Series) -> None:
        positions, texts, found = self._column.look_up(values)
        here = positions >= 0
        rows = np.bincount(positions[here], minlength=len(texts))
        self._rows += len(values)
        self._missing += int((~here).sum())
        self._seen += int(rows[found == SEEN].sum())
        self._rare += int(rows[found == RARE].sum())
        self.unseen += int(rows[found == NEW].sum())
        if NEW in found:
            # The values are numbered in the order of their first rows.
            first_of = dict(zip(*np.unique(positions, return_index=True), strict=True))
            for at in np.flatnonzero(found == NEW).tolist():
                text, first = texts[at], cast("Hashable", values.index[first_of[at]])
                if text in self._counts or len(self._counts) < _REMEMBERED:
                    self._counts[text] += int(rows[at])
                    self._first.setdefault(text, first.item() if isinstance(first, np.generic) else first)

    def new(self, values: pd.Series) -> Iterator[tuple[int, str]]:
        """Position and text of each value that is unseen for certain."""
        if self._column.rare is not None:
            positions, texts, found = self._column.look_up(values)
            # A missing value has position -1, which is the last entry.
            for row in np.flatnonzero(np.append(found, SEEN)[positions] == NEW).tolist():
                yield row, texts[positions[row]]

    def found(self, compared: int) -> Unseen:
        cause = likely_cause(self._counts, self._column, compared)
        total = self._counts.total()
        partly = f", in {cause.rows:,} of {total:,} rows" if cause is not None and cause.rows < total else ""
        rows = self._rows, self._missing, self._seen, self._rare, self.unseen
        return Unseen(
            self._column.name,
            *rows,
            known=self._column.known,
            certain=self._column.rare is not None,
            examples=[Example(self._first[text], text) for text, _ in self._counts.most_common(EXAMPLES)],
            cause=None if cause is None else f"{cause}{partly}",
        )
