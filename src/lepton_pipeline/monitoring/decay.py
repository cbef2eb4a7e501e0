"""Whether a model is still as good as it was in its test, once the labels of new rows are known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from lepton_pipeline.evaluation.intervals import auc_interval, deviate
from lepton_pipeline.evaluation.metrics import interval, measure_once, resample
from lepton_pipeline.parameters import Decay, Evaluation

# As in the gate: below that no comparison is made.
FEWEST_ROWS, FEWEST_OF_A_CLASS = 50, 10
_CONFIDENCE = 0.95


def measure_window(
    rows: pd.DataFrame, metric: str, threshold: float, evaluation: Evaluation
) -> dict[str, float] | None:
    """Measure the gate's metric on rows whose labels are known.

    Args:
        rows: `label` (0 or 1) and `probability`.
        metric: "auc", "average_precision" or "f1".
        threshold: of the model.
        evaluation: resamples behind the interval of the latter two.

    Returns:
        `value`, `low` and `high`: the ends of the 95 % interval, of AUC by DeLong's variance (see `auc_interval`), else
        by the bootstrap. None for fewer than 50 rows or 10 of a class.
    """
    positives = int(rows["label"].sum())
    if len(rows) < FEWEST_ROWS or min(positives, len(rows) - positives) < FEWEST_OF_A_CLASS:
        return None
    if metric == "auc":
        found = auc_interval(rows["label"].to_numpy(), rows["probability"].to_numpy(), deviate(_CONFIDENCE))
        return {"value": found.value, "low": found.low, "high": found.high}
    value = measure_once(rows, "probability", threshold)[metric]
    drawn = resample(rows, {"probability": threshold}, evaluation)["probability"][metric]
    return interval(metric, value, drawn)


def decay_bound(decay: Decay, estimate: Mapping[str, float] | None) -> float | None:
    """The bound: as declared, or the low end of the champion's own test interval; None where neither is known."""
    if decay.at_least is not None:
        return decay.at_least
    return None if estimate is None else float(estimate["low"])


def is_below(figure: Mapping[str, float] | None, bound: float | None) -> bool:
    """Whether a window lies below the bound beyond doubt: its whole interval does."""
    return figure is not None and bound is not None and figure["high"] < bound


def has_decayed(windows: Sequence[Mapping[str, Any]], decay: Decay) -> bool | None:
    """Whether enough of the last windows lie below; None where there are too few to tell.

    Args:
        windows: in order of time, each with `value` (None: not measured, and left out) and `below`.
        decay: how many of how many.
    """
    measured = [window for window in windows if window["value"] is not None][-decay.of :]
    below = sum(bool(window["below"]) for window in measured)
    if below >= decay.windows:
        return True
    return False if len(measured) >= decay.windows else None
