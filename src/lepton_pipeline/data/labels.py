"""What a label depends on, whatever is learnt of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from lepton_pipeline.data.expressions.expression import parse_expression
from lepton_pipeline.parameters import Dataset

# Parts of rows that are of no class, see `Dataset.out_of_scope`: stages that do not ask for them see none.
OUTSIDE = {part: f"{part} out of scope" for part in ("validation", "test", "gap")}
# What stands for the label that they do not have.
NO_LABEL = -1


def row_scale(split: pd.DataFrame) -> npt.NDArray[np.float64] | None:
    """What each row's label is divided by before it is learnt, [n]; None where labels are learnt as they are."""
    return split["scale"].to_numpy(np.float64) if "scale" in split else None


def learnt_labels(split: pd.DataFrame) -> pd.Series:
    """Labels as they are learnt, over the scale of their row where there is one."""
    labels: pd.Series = split["label"]
    return labels / split["scale"] if "scale" in split else labels


def label_missing(table: pd.DataFrame, dataset: Dataset) -> pd.Series:
    """Mark censored labels: the target is missing, and the condition does not decide without it.

    >>> late = Dataset(target="came", positive_when="is_missing(came)")
    >>> label_missing(pd.DataFrame({"came": ["2026-01-01", None]}), late).tolist()
    [False, False]
    """
    missing: pd.Series = table[dataset.target].isna()
    if dataset.positive_when is not None and missing.any():
        rule = parse_expression(dataset.positive_when, "dataset.positive_when")
        missing = missing & rule.unknown(table)
    return missing


def label_columns(names: Sequence[str], dataset: Dataset, made: Mapping[str, str] | None = None) -> list[str]:
    """The columns that the label, and its date, depend on; all where one of them is absent."""
    wanted = {dataset.target, dataset.time}
    if dataset.positive_when is not None:
        wanted |= set(parse_expression(dataset.positive_when, "dataset.positive_when").columns)
    made = made or {}
    derived = [name for name in made if name == dataset.time]
    for name in derived:
        columns = parse_expression(made[name], f"features.derive.{name}").columns
        derived += [each for each in columns if each in made and each not in derived]
        wanted |= set(columns)
    absent = wanted - {*names, *derived, dataset.target, None}
    return list(names) if absent else [name for name in names if name in wanted]
