"""The headline metric without test rows that the model has seen: copies, and rows of one entity."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from lepton_pipeline.data.copies import COPY, SAME_INPUTS
from lepton_pipeline.errors import DataError
from lepton_pipeline.evaluation.copies_words import NOTABLE, deduplicate, exceed_chance, say_copies
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

    Copies are left out together with test rows that have the same inputs as a row that was learnt from,
    whatever their
    outcome: to leave out only those whose outcome agrees would count against the model.

    Args:
        copy_marks: the test rows that `find_copies` has marked.
        copies_found: what it counted.
        scores: `part`, `label` and the probabilities of the model of every test row.
        metrics: what `evaluate` returns.
        units: as `find_units` returns them; None: rows are independent.

    Returns:
        What was counted, and: `auc` (of all test rows, with its interval); in `copies` the `share` of the
        test rows, `without` and `decide`: whether there are more than twice as many as by chance, those
        beyond are more than 1 % of the test rows, and the AUC without them falls below the interval, if there
        is one, or cannot be measured as they are most of a class; `without` in every entity. That holds the
        `rows` and `positives` that are left and their `auc`, a figure as `evaluate` has them, or None.
    """
    test = scores.loc[copy_marks.index, ["label", "model"]]
    sample, model = Sample.of(test["label"], units), test["model"].to_numpy()
    auc = metrics.model["auc"]
    found = copies_found["copies"]
    alike = copy_marks[COPY].to_numpy() | copy_marks[SAME_INPUTS].to_numpy()
    without = _without(sample, model, alike)
    below = without["auc"] is None or without["auc"]["value"] < (auc.low or 0.0)
    beyond = max(found["rows"] - found["by_chance"], found.get("unlikely_share", 0.0) * len(test))
    notable = exceed_chance(copies_found) and beyond > NOTABLE * len(test)
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
    """Stop where copies decide the result.

    Args:
        copies: what `measure_copies` returns.
        split: whether they are allowed.

    Raises:
        DataError: the AUC without them falls out of its interval, and `split.copies` is "stop"; with counts,
            both figures, an example and the remedies.
    """
    found = copies["copies"]
    if found["decide"] and split.copies == "stop":
        one, other = found["example"]
        raise DataError(
            f"{say_copies(copies)}. So the result says how well the model remembers rows, not how well it does on new "
            f"ones. For example, test row {one} equals row {other}. To mend it, {deduplicate(copies)}; "
            "split.copies: allow accepts them as they are."
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
