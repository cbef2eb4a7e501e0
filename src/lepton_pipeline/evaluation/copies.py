"""AUC without test rows that the model has seen: copies, and rows of known entities."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from lepton_pipeline.data.copies import COPY, SAME_INPUTS
from lepton_pipeline.data.copies_found import CopiesFound
from lepton_pipeline.errors import DataError
from lepton_pipeline.evaluation.measured_copies import (
    NOTABLE,
    MeasuredCopies,
    MeasuredEntity,
    MeasuredRows,
    Remaining,
    deduplicate,
    more_than_chance,
    summarise_copies,
)
from lepton_pipeline.evaluation.resampling import Sample
from lepton_pipeline.evaluation.slices import FEWEST_OF_A_CLASS
from lepton_pipeline.parameters import Split
from lepton_pipeline.statistics.estimates import Metrics


def measure_copies(
    copy_marks: pd.DataFrame,
    copies_found: CopiesFound,
    scores: pd.DataFrame,
    metrics: Metrics,
    units: pd.DataFrame | None = None,
) -> MeasuredCopies:
    """Measure the AUC without copies, and without rows of entities that the model has learnt from.

    Test rows with the inputs of a training row are left out as well, whatever their outcome: leaving out only
    agreeing ones would bias against the model. `copy_marks` and `copies_found` are those of `find_copies`.
    """
    test = scores.loc[copy_marks.index, ["label", "model"]]
    sample, model = Sample.of(test["label"], units), test["model"].to_numpy()
    auc, found = metrics.model["auc"], copies_found.copies
    without = _without(sample, model, (copy_marks[COPY] | copy_marks[SAME_INPUTS]).to_numpy())
    below = without.auc is None or without.auc.value < (auc.low or 0.0)
    beyond = max(found.rows - found.by_chance, found.unlikely_share * len(test))
    notable = more_than_chance(copies_found) and beyond > NOTABLE * len(test)
    share = found.rows / max(len(test), 1)
    return MeasuredCopies(
        **vars(copies_found)
        | {
            "auc": auc,
            "copies": MeasuredRows(**vars(found), share=share, without=without, decide=notable and below),
            "entities": [
                MeasuredEntity(
                    **vars(entity),
                    without=_without(sample, model, copy_marks[f"entity_{number}"].to_numpy()),
                )
                for number, entity in enumerate(copies_found.entities)
            ],
        }
    )


def enforce_copies(copies: MeasuredCopies, split: Split) -> None:
    """Raise `DataError`, with remedies, if copies decide the result and `split.copies` is "stop"."""
    if copies.copies.decide and split.copies == "stop":
        one, other = copies.copies.example or (None, None)
        raise DataError(
            f"{summarise_copies(copies)}. The result measures memorised rows, not performance on new ones. "
            f"For example, test row {one} equals row {other}. Remedy: {deduplicate(copies)}; "
            "split.copies: allow accepts copies."
        )


def _without(sample: Sample, model: np.ndarray, left_out: npt.NDArray[np.bool_]) -> Remaining:
    stays, labels = ~left_out, sample.labels
    rows, positives = int(stays.sum()), int(labels[stays].sum())
    before = np.bincount(labels, minlength=2)
    # What is left of a small test says as much as the test, unless most of a class is gone.
    enough = all(
        now and (now >= FEWEST_OF_A_CLASS or 2 * now >= all_of)
        for now, all_of in zip((rows - positives, positives), before, strict=True)
    )
    return Remaining(rows, positives, sample.where(stays).exact(model[stays])["auc"] if enough else None)
