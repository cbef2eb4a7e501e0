"""Draft a contract from observed values."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from typing import Any

import pandas as pd

_MOST_LEVELS, _LONGEST_SET = 12, 120
_MOSTLY = 0.99
# A value so many times further from the median than 99.9 % of all values is more likely wrong than large.
_FAR, _FAR_QUANTILE, _FEWEST_ROWS = 5, 0.999, 200


def starting_contract(
    table: pd.DataFrame,
    target: str,
    positive: Any,
    unique: str | None,
    keys: Collection[str],
    features: Collection[str],
    codes: Collection[str],
) -> list[dict[str, Any]]:
    """Propose expectations that the table meets, the most important first, with room for new data.

    Args:
        table: typed rows.
        target: column to predict.
        positive: its positive value; None where an expression defines it.
        unique: the id column.
        keys: columns that every row needs: time and group.
        features: inputs of the model.
        codes: features whose numbers are categories.
    """
    proposed: list[dict[str, Any]] = []
    if unique is not None:
        proposed.append({"expect": "column_values_to_be_unique", "column": unique, "on_failure": "stop"})
    if positive is not None:
        proposed.append(_in_set(target, _sorted(table[target])) | {"on_failure": "stop"})
    proposed += [{**_not_null(name), "on_failure": "quarantine"} for name in keys]
    bounded, listed, present = [], [], []
    for name in features:
        column = table[name]
        if name in codes or column.nunique() <= 2 or not pd.api.types.is_numeric_dtype(column):
            levels = _sorted(column)
            expectation = _in_set(name, levels) | {"mostly": _MOSTLY, "on_failure": "warn"}
            if 0 < len(levels) <= _MOST_LEVELS and len(str(levels)) <= _LONGEST_SET:
                listed.append(expectation)
        else:
            low, high = padded_range(column)
            between = {"expect": "column_values_to_be_between", "column": name}
            bounded.append({**between, "min_value": low, "max_value": high, "on_failure": "quarantine"})
        if column.notna().all():
            present.append({**_not_null(name), "mostly": _MOSTLY, "on_failure": "warn"})
    return [*proposed, *bounded, *listed, *present]


def padded_range(column: pd.Series) -> tuple[int | float, int | float]:
    """The observed range widened by its own width at both ends, in round numbers, never across zero."""
    low, high = float(column.min()), float(column.max())
    width = high - low or abs(high) or 1.0
    wide_low, wide_high = low - width, high + width
    wide_low = 0.0 if low >= 0 and wide_low < 0 else _rounded(wide_low, width, math.floor)
    wide_high = 0.0 if high <= 0 < wide_high and low < 0 else _rounded(wide_high, width, math.ceil)
    return _plain(wide_low), _plain(wide_high)


def far_values(column: pd.Series) -> pd.Series:
    """Outliers that are more likely wrong than large."""
    numbers = column.dropna().astype(float)
    spread = (numbers - numbers.median()).abs()
    if len(numbers) < _FEWEST_ROWS or spread.max() == 0:
        return numbers.iloc[:0]
    common = float(spread.quantile(_FAR_QUANTILE, interpolation="lower"))
    far: pd.Series = numbers.loc[spread > _FAR * max(common, float(spread[spread > 0].median()))]
    return far


def _rounded(value: float, width: float, towards: Callable[[float], int]) -> float:
    """Round away from the data by at most half the width."""
    exponent = math.floor(math.log10(width / 2))
    return round(towards(value / 10.0**exponent) * 10.0**exponent, max(0, -exponent))


def _in_set(name: str, values: list[Any]) -> dict[str, Any]:
    levels = [_plain(value) for value in values]
    return {"expect": "column_values_to_be_in_set", "column": name, "value_set": levels}


def _not_null(name: str) -> dict[str, Any]:
    return {"expect": "column_values_to_not_be_null", "column": name}


def _sorted(column: pd.Series) -> list[Any]:
    values: list[Any] = sorted(column.dropna().unique().tolist())
    return values


def _plain(value: Any) -> Any:
    """Whole floats as integers."""
    return int(value) if isinstance(value, float) and value.is_integer() else value
