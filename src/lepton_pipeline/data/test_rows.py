"""An identity of the rows that a model is tested on: figures of two runs compare only where these are the same."""

from __future__ import annotations

import pandas as pd

from lepton_pipeline.data.fingerprint import fingerprint
from lepton_pipeline.parameters import Features


def identify_test_rows(
    feature_table: pd.DataFrame, split: pd.DataFrame, features: Features
) -> dict[str, int | str]:
    """Identify the test rows by their values and labels, as a multiset: their order and index do not count.

    Columns that `features` makes are left out, so that runs with other features still compare.

    Args:
        feature_table: rows of the vertical.
        split: `part` and `label` of every row, indexed as `feature_table`.
        features: what is made of the table's own columns.

    Returns:
        `rows` and `sha256`, see `fingerprint`.
    """
    labels = split.loc[split["part"] == "test", "label"]
    made = features.names()
    own = sorted(name for name in map(str, feature_table.columns) if name not in made)
    # A column of the table may itself be called "label".
    rows = feature_table.loc[labels.index, own].add_prefix("column ").assign(label=labels)
    found = fingerprint(rows)
    return {"rows": found.rows, "sha256": found.sha256}
