"""Costs of the outcomes of a decision, row by row, and thresholds that decide best."""

from __future__ import annotations

import numpy as np
import pandas as pd

from lepton_pipeline.data.columns import check_columns
from lepton_pipeline.errors import DataError
from lepton_pipeline.parameters import Costs, Evaluation

OUTCOMES = ("false_negative", "false_positive", "true_positive", "true_negative")
# Just above the highest probability, where no row counts as positive.
_NONE = float(np.nextafter(1.0, 2.0))
# Costs are added in the order of the scores; equal sums differ by no more than this part of what was added.
_ROUNDING = 1e-12


def price_outcomes(feature_table: pd.DataFrame, split: pd.DataFrame, evaluation: Evaluation) -> pd.DataFrame:
    """Cost of the four outcomes for every validation and test row; no column without costs.

    Raises:
        DataError: a column of amounts is absent, holds no numbers, or lacks a value; or one decision is
            always best, so that there is nothing to decide.
    """
    rows = split.index[split["part"].isin(["validation", "test"])]
    costs = evaluation.costs
    if costs is None:
        return pd.DataFrame(index=rows)
    declared = {outcome: getattr(costs, outcome) for outcome in OUTCOMES}
    columns = {f"evaluation.costs.{name}": cost for name, cost in declared.items() if isinstance(cost, str)}
    present = list(map(str, feature_table.columns))
    check_columns(present, {key: [name] for key, name in columns.items()}, "the table")
    for key, name in columns.items():
        _refuse_no_amounts(feature_table.loc[rows, name], key)
    amounts = {
        name: feature_table.loc[rows, cost].astype("float64") if isinstance(cost, str) else float(cost)
        for name, cost in declared.items()
    }
    priced = pd.DataFrame(amounts, index=rows)
    _refuse_foregone_decisions(priced, split.loc[rows, "label"], costs)
    return priced


def acting_and_leaving(labels: pd.Series, outcome_costs: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Cost of acting on each row, and of leaving it, [rows] each."""
    of_rows = outcome_costs.loc[labels.index]
    positive = labels.to_numpy() != 0
    acting = np.where(positive, of_rows["true_positive"], of_rows["false_positive"])
    leaving = np.where(positive, of_rows["false_negative"], of_rows["true_negative"])
    return acting, leaving


def best_f1_threshold(
    labels: np.ndarray, probabilities: np.ndarray, weights: np.ndarray | None = None
) -> float:
    """Find the threshold in [0, 1] with the highest F1 on validation rows (never on those of the evaluation).

    Rows with a probability >= threshold are positive. The threshold lies halfway between neighbouring scores
    (or 0), robust to rounding; ties go to the highest threshold, which flags the fewest rows. A `DataError`
    says that no row is positive. `weights` [rows] say how much rows count.
    """
    counts = np.ones(len(labels)) if weights is None else weights
    positives = float(counts[labels != 0].sum())
    if positives == 0:
        raise DataError(
            f"0 of {len(labels)} rows are positive, so no threshold has an F1; give validation rows of both classes "
            "(a larger split.validation)."
        )
    order = np.argsort(-probabilities, kind="stable")
    ranked = probabilities[order]
    kept = _cuts(ranked)[1:]
    called = np.cumsum(counts[order])[kept - 1]
    found = np.cumsum(counts[order] * (labels[order] != 0))[kept - 1]
    return _halfway(ranked, int(kept[np.argmax(2 * found / (called + positives))]))


def least_cost_threshold(extra_costs: np.ndarray, probabilities: np.ndarray) -> float:
    """Find the threshold with the least cost; just above 1 if not acting is best and a score is 1.

    `extra_costs` [rows] are those of acting less those of leaving. Position and ties are those of
    `best_f1_threshold`. The search allows for costs that differ by row; Elkan 2001, "The Foundations of
    Cost-Sensitive Learning", has the formula for constant costs and perfect probabilities.
    """
    order = np.argsort(-probabilities, kind="stable")
    ranked = probabilities[order]
    kept = _cuts(ranked)
    totals = np.append(0.0, np.cumsum(extra_costs[order]))[kept]
    best = np.flatnonzero(totals <= totals.min() + _ROUNDING * np.abs(extra_costs).sum())[0]
    return _halfway(ranked, int(kept[best]))


def capacity_threshold(probabilities: np.ndarray, share: float) -> float:
    """Find the lowest threshold that acts on at most a share of the rows; equal scores stay together.

    It lies between scores, see `best_f1_threshold`; above all of them if too many rows share the highest.
    """
    ranked = np.sort(probabilities)[::-1]
    kept = _cuts(ranked)
    # A share such as 0.29 of 100 rows is 28.999… in floating point.
    return _halfway(ranked, int(kept[kept <= share * len(ranked) * (1 + _ROUNDING)][-1]))


def _refuse_no_amounts(amounts: pd.Series, key: str) -> None:
    numeric = pd.api.types.is_numeric_dtype(amounts) and not pd.api.types.is_bool_dtype(amounts)
    if not numeric:
        raise DataError(
            f"{key}: column {amounts.name!r} holds {amounts.dtype} values such as {amounts.iloc[0]!r}, not amounts; "
            "list it in dataset.numeric, or declare a column of numbers."
        )
    wrong = amounts[~np.isfinite(amounts.to_numpy(dtype="float64", na_value=np.nan))]
    if len(wrong):
        first = wrong[:5].items()
        shown = ", ".join(f"{'missing' if pd.isna(value) else value} (row {row})" for row, value in first)
        raise DataError(
            f"{key}: column {amounts.name!r} has no amount in {len(wrong):,} of {len(amounts):,} validation and test "
            f"rows, e.g. {shown}; quarantine such rows in the contract, or fill them in a derived column "
            "(features.derive, fill)."
        )


def _refuse_foregone_decisions(priced: pd.DataFrame, labels: pd.Series, costs: Costs) -> None:
    acting, leaving = acting_and_leaving(labels, priced)
    positive = labels.to_numpy() != 0
    for of_class, worse, better, right, named in (
        (positive, acting, leaving, "act on", "positive"),
        (~positive, leaving, acting, "leave", "negative"),
    ):
        if of_class.any() and (worse[of_class] >= better[of_class]).all():
            declared = ", ".join(f"{outcome} {getattr(costs, outcome)!r}" for outcome in OUTCOMES)
            raise DataError(
                f"evaluation.costs: to {right} a {named} case never costs less than the other decision in the "
                f"{of_class.sum():,} {named} validation and test rows, so no model could help ({declared}); "
                "a gain is a negative cost: look for a wrong sign."
            )


def _cuts(ranked: np.ndarray) -> np.ndarray:
    """Numbers of rows that a threshold can keep, since equal scores stay together."""
    return np.append(0, np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True)) + 1)


def _halfway(ranked: np.ndarray, kept: int) -> float:
    """The threshold that keeps the first `kept` rows by falling score."""
    lowest = float(ranked[kept - 1]) if kept else _NONE
    highest = float(ranked[kept]) if kept < len(ranked) else 0.0
    middle = highest + (lowest - highest) / 2
    # Between adjacent floating-point numbers there is no middle.
    return middle if middle > highest else lowest
