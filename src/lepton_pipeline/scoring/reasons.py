"""What speaks most for each score, beside it."""

from __future__ import annotations

import pandas as pd

from lepton_pipeline.model.artefact import Artefact


def reason_texts(model: Artefact, rows: pd.DataFrame, count: int) -> list[str] | None:
    """Name the columns that moved each row's score most.

    Args:
        model: what scores.
        rows: typed rows with the columns that it reads.
        count: columns to name.

    Returns:
        One text a row, such as "PAY_0 = 2 (+0.91); LIMIT_BAL = 20000 (+0.22)"; None where none are asked for, or the
        model cannot tell.
    """
    explain = getattr(model, "reasons", None)
    if not count or explain is None:
        return None
    return list(explain(rows, count))
