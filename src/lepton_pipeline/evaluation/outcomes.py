"""Costs of the outcomes of a decision, row by row."""

from __future__ import annotations

import numpy as np
import pandas as pd

from lepton_pipeline.data.columns import check_columns
from lepton_pipeline.errors import DataError
from lepton_pipeline.parameters import Costs, Evaluation

OUTCOMES = ("false_negative", "false_positive", "true_positive", "true_negative")


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
