"""The change in a column, as a sentence without statistical terms."""

from __future__ import annotations

import numpy as np
import pandas as pd

from lepton_pipeline.operations.monitoring.reference import Categories, Numbers

_SHOWN_CHARACTERS = 40


def change_of_missing(missing: float, missing_new: float) -> str:
    """The shares of missing values before and now."""
    return f"missing in {_percent(missing)} of the rows before, {_percent(missing_new)} now"


def change_of_numbers(kept: Numbers, ordered: np.ndarray) -> str:
    """The medians; where they agree, the ranges between the 10 % and 90 % quantiles.

    `ordered` are the new values, ascending, without missing ones.
    """
    if not kept.grid or not len(ordered):
        return ""
    pairs = {
        share: (_quantile(kept, share), float(np.quantile(ordered, share, method="inverted_cdf")))
        for share in (0.1, 0.5, 0.9)
    }
    before, now = pairs[0.5]
    spread = max(pairs[0.9][0] - pairs[0.1][0], pairs[0.9][1] - pairs[0.1][1])
    if abs(now - before) > 0.1 * spread and number(before) != number(now):
        return f"median {number(before)} before, {number(now)} now"
    (low, low_now), (high, high_now) = pairs[0.1], pairs[0.9]
    before_text = f"eight in ten values from {number(low)} to {number(high)} before"
    return f"{before_text}, from {number(low_now)} to {number(high_now)} now"


def change_of_levels(kept: Categories, seen: pd.Series) -> str:
    """The level whose share has changed most; `seen` are the new rows by level."""
    before = pd.Series(kept.levels, dtype="float64")
    known, known_new = before.sum() + kept.rare, seen.sum()
    if not known or not known_new:
        return ""
    shares = pd.DataFrame(
        {"before": before / known, "now": seen.reindex(before.index).fillna(0.0) / known_new}
    )
    names = [shown(str(level)) for level in shares.index] + ["values that were rare or unknown"]
    pairs = [*shares.to_numpy(), np.array([kept.rare / known, 1 - shares["now"].sum()])]
    place = int(np.argmax([abs(now - then) for then, now in pairs]))
    then, now = pairs[place]
    return f"{names[place]}: {_percent(then)} of the rows before, {_percent(max(now, 0.0))} now"


def number(value: float) -> str:
    """A number with four significant digits and thousands separators."""
    if abs(value) < 1e-12:
        return "0"
    if not 1e-4 <= abs(value) < 1e12:
        return f"{value:.4g}"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def shown(level: str) -> str:
    """A level, cut where it is long."""
    return level if len(level) <= _SHOWN_CHARACTERS else f"{level[: _SHOWN_CHARACTERS - 1]}…"


def _quantile(kept: Numbers, share: float) -> float:
    place = int(np.searchsorted(kept.through, share * kept.known))
    return kept.grid[min(place, len(kept.grid) - 1)]


def _percent(share: float) -> str:
    return f"{share:.1%}".replace("%", " %")
