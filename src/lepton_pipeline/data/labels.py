"""The target column as 0 and 1."""

from __future__ import annotations

import numpy as np
import pandas as pd

from lepton_pipeline.errors import DataError
from lepton_pipeline.parameters import Dataset


def positive_labels(table: pd.DataFrame, dataset: Dataset) -> pd.Series:
    """Mark the rows whose target is the declared positive value.

    Args:
        table: rows of the vertical; needs the target column.
        dataset: names the target and its positive value.

    Returns:
        One int8 per row, 1 for the positive class, indexed as `table`; a missing target counts as 0.

    Raises:
        DataError: the target holds one class only, or never the positive value; the message lists what it holds.
    """
    target = table[dataset.target]
    labels = (target == dataset.positive).fillna(False).astype(np.int8)
    seen = target.dropna().unique()
    if len(seen) < 2 or labels.sum() == 0:
        shown = ", ".join([*map(repr, sorted(seen.tolist(), key=str)[:5]), *["…"] * (len(seen) > 5)])
        raise DataError(
            f"target {dataset.target!r} holds {shown or 'no value at all'}; a model needs rows with and without the "
            f"positive value {dataset.positive!r}. "
            "Check dataset.target and dataset.positive (quote texts such as 'yes' in YAML)."
        )
    return labels
