"""AUC without test rows that the model has seen: copies, and rows of known entities."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from lepton_pipeline.data.copies import COPY, SAME_INPUTS
from lepton_pipeline.errors import DataError
from lepton_pipeline.evaluation.copies_text import NOTABLE, deduplicate, more_than_chance, summarise_copies
from lepton_pipeline.evaluation.resampling import LEVEL, Sample
from lepton_pipeline.evaluation.slices import FEWEST_OF_A_CLASS
from lepton_pipeline.parameters import Split
from lepton_pipeline.statistics.estimates import Metrics
from lepton_pipeline.statistics.intervals import auc_interval
from lepton_pipeline.system.records import to_plain

Mask = npt.NDArray[np.bool_]


def measure_copies(
    copy_marks: pd.DataFrame,
    copies_found: dict[str, Any],
    scores: pd.DataFrame,
    metrics: Metrics,
    units: pd.DataFrame | None = None,
) -> dict[str, Any]:
    """Measure the AUC without copies, and without rows of entities that the model has learnt from.

    Test rows with the inputs of a training row are left out as well, whatever their outcome: leaving out only
    agreeing ones would bias against the model. `copy_marks` and `copies_found` are those of `find_copies`.

    Returns `copies_found` with `auc` of all test rows; in `copies` the `share` of test rows, `without`
    (`rows`, `positives` and `auc`, None if it cannot be measured) and `decide`: copies exceed twice those by
    chance and 1 % of the test rows, and the AUC without them is below the interval or cannot be measured;
    `without` in every entity.
    """
    test = scores.loc[copy_marks.index, ["label", "model"]]
    sample, model = Sample.of(test["label"], units), test["model"].to_numpy()
    auc = metrics.model["auc"]
    found = copies_found["copies"]
    alike = copy_marks[COPY].to_numpy() | copy_marks[SAME_INPUTS].to_numpy()
    without = _without(sample, model, alike)
    below = without["auc"] is None or without["auc"]["value"] < (auc.low or 0.0)
    beyond = max(found["rows"] - found["by_chance"], found.get("unlikely_share", 0.0) * len(test))
    notable = more_than_chance(copies_found) and beyond > NOTABLE * len(test)
    return {
        **copies_found,
        "auc": to_plain(auc),
        "copies": {
            **found,
            "share": found["rows"] / max(len(test), 1),
            "without": without,
            "decide": bool(notable and below),
        },
        "entities": [
            {**entity, "without": _without(sample, model, copy_marks[f"entity_{number}"].to_numpy())}
            for number, entity in enumerate(copies_found["entities"])
        ],
    }


def enforce_copies(copies: dict[str, Any], split: Split) -> None:
    """Raise `DataError`, with remedies, if copies decide the result and `split.copies` is "stop"."""
    found = copies["copies"]
    if found["decide"] and split.copies == "stop":
        one, other = found["example"]
        raise DataError(
            f"{summarise_copies(copies)}. The result measures memorised rows, not performance on new ones. "
            f"For example, test row {one} equals row {other}. Remedy: {deduplicate(copies)}; "
            "split.copies: allow accepts copies."
        )


def _without(sample: Sample, model: np.ndarray, left_out: Mask) -> dict[str, Any]:
    stays, labels = ~left_out, sample.labels
    counts = {"rows": int(stays.sum()), "positives": int(labels[stays].sum())}
    before = [int((labels == label).sum()) for label in (0, 1)]
    left = [counts["rows"] - counts["positives"], counts["positives"]]
    # What is left of a small test says as much as the test, unless most of a class is gone.
    enough = all(
        now and (now >= FEWEST_OF_A_CLASS or 2 * now >= all_of)
        for now, all_of in zip(left, before, strict=True)
    )
    if not enough:
        return {**counts, "auc": None}
    left_over = sample.where(stays)
    auc = auc_interval(left_over.labels, model[stays], left_over.deviate(LEVEL), left_over.codes)
    return {**counts, "auc": to_plain(left_over.marked(*auc))}
