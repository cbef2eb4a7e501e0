"""Answers of people, which are the target of rows that have none."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import pandas as pd

from lepton_pipeline.errors import ConfigurationError, DataError, closest
from lepton_pipeline.parameters import Dataset, code_text

ANSWER = "answer"


@dataclass(frozen=True)
class Answers:
    """What people have answered: one text by the text of the id of a row."""

    of: pd.Series
    dataset: Dataset

    @classmethod
    def read(cls, dataset: Dataset) -> Self | None:
        """Read the file `dataset.answers`, a CSV with the column of the id and `answer`; None where none is declared.

        A row without an answer waits for it. Raises ConfigurationError if the file cannot be read, DataError if a
        column is absent or an id has two answers.
        """
        declared = dataset.answers
        if declared is None or dataset.id is None:
            return None
        try:
            rows = pd.read_csv(Path(declared).expanduser(), dtype="str")
        except (OSError, ValueError) as error:
            raise ConfigurationError(
                f"dataset.answers: {declared} cannot be read ({error}); name a CSV file with the columns "
                f"{dataset.id} and {ANSWER}."
            ) from error
        names = [str(name) for name in rows]
        for name in (dataset.id, ANSWER):
            if name not in names:
                raise DataError(
                    f"dataset.answers: {declared} has no column {name!r}; {closest(name, names)}. It needs the columns "
                    f"{dataset.id} and {ANSWER}."
                )
        known = rows[[dataset.id, ANSWER]].dropna().map(str.strip)
        known = known[(known != "").all(axis="columns")].drop_duplicates()
        if twice := known.loc[known[dataset.id].duplicated(), dataset.id].tolist():
            raise DataError(
                f"dataset.answers: {declared} has two answers for {dataset.id} {twice[0]!r}; keep the right one."
            )
        return cls(pd.Series(known[ANSWER].to_numpy(), index=pd.Index(known[dataset.id])), dataset)

    def fill(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Give rows with a missing target the answer to their id; what stands there stays.

        Raises DataError for an answer that is no number where targets are.
        """
        target, name = rows[self.dataset.target], str(self.dataset.id)
        if name not in rows or not (waiting := target.isna() & rows[name].notna()).any():
            return rows
        found = rows.loc[waiting, name].map(code_text).map(self.of).dropna()
        if found.empty:
            return rows
        given: pd.Series = found
        if pd.api.types.is_numeric_dtype(target.dtype) and not pd.api.types.is_bool_dtype(target.dtype):
            given = pd.to_numeric(found, errors="coerce").astype(target.dtype)
            if given.isna().any():
                wrong = found[given.isna()]
                raise DataError(
                    f"dataset.answers: the answer {wrong.iloc[0]!r} for {name} {rows.loc[wrong.index[0], name]!r} is "
                    f"no number, as {self.dataset.target!r} is; correct it."
                )
        filled = target.copy()
        filled.loc[given.index] = given
        return rows.assign(**{self.dataset.target: filled})
