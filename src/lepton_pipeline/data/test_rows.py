"""Identity of the test rows: figures of two runs compare only where it is the same."""

from __future__ import annotations

import pandas as pd

from lepton_pipeline.data.fingerprint import fingerprint
from lepton_pipeline.parameters import Features


def identify_test_rows(
    feature_table: pd.DataFrame, split: pd.DataFrame, features: Features
) -> dict[str, int | str]:
    """Fingerprint (`rows`, `sha256`) of the test rows by their values and labels, in any order.

    Columns that `features` makes are left out, so that runs with other features still compare.
    """
    labels = split.loc[split["part"] == "test", "label"]
    made = features.names()
    own = sorted(name for name in map(str, feature_table.columns) if name not in made)
    # A column of the table may itself be called "label".
    rows = feature_table.loc[labels.index, own].add_prefix("column ").assign(label=labels)
    found = fingerprint(rows)
    return {"rows": found.rows, "sha256": found.sha256}
