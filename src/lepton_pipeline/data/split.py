"""Divide the rows of a table into training, validation and test rows."""

from __future__ import annotations

import pandas as pd

from lepton_pipeline.data.labels import positive_labels
from lepton_pipeline.errors import SplitError
from lepton_pipeline.parameters import Dataset, Split

PARTS = ("train", "validation", "test")


def split_rows(clean: pd.DataFrame, dataset: Dataset, split: Split) -> pd.DataFrame:
    """Assign every row to one part, with the same share of positive rows in each.

    Args:
        clean: rows that kept the contract.
        dataset: names the target and its positive value.
        split: fractions of the row count and the seed of the draw.

    Returns:
        Indexed as `clean`: `part` ("train", "validation" or "test") and `label` (int8, 1 for the positive class).

    Raises:
        SplitError: a part would lack one of the classes; with the counts seen and what to change.
        DataError: the clean rows hold one class only.
    """
    from sklearn.model_selection import train_test_split

    labels = positive_labels(clean, dataset)
    counts = labels.value_counts()
    wanted = {
        "test": round(split.test * len(labels)),
        "validation": round(split.validation * len(labels)),
    }
    wanted["train"] = len(labels) - sum(wanted.values())
    rarest = int(counts.min())
    # Drawn in proportion, a class of k rows leaves each part about k times the part's share.
    if rarest < len(PARTS) or any(rows * rarest / len(labels) < 1 for rows in wanted.values()):
        raise SplitError(
            f"{len(labels):,} rows, {int(labels.sum()):,} of them positive, cannot be divided into "
            f"{wanted['train']:,} training, {wanted['validation']:,} validation and {wanted['test']:,} test rows "
            "with both classes in each; provide more rows of the rarer class, or change split.test, split.validation."
        )
    rest, test = train_test_split(labels, test_size=wanted["test"], stratify=labels, random_state=split.seed)
    _, validation = train_test_split(rest, test_size=wanted["validation"], stratify=rest, random_state=split.seed)
    part = pd.Series("train", index=clean.index, dtype="str")
    part.loc[validation.index] = "validation"
    part.loc[test.index] = "test"
    return pd.DataFrame({"part": part, "label": labels})
