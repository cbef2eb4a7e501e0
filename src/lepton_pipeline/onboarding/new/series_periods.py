"""Decide what a period of a series holds: of several records, of none, and below 0."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import pandas as pd

from lepton_pipeline.data.calendar import Calendar
from lepton_pipeline.onboarding.names import LEVELS, Reasons, name_words
from lepton_pipeline.onboarding.new.series_records import Records
from lepton_pipeline.onboarding.profile import is_whole
from lepton_pipeline.parameters.forecast import Frequency

# Share of absent periods up to which a gap is a record that is missing, not one of nothing.
_RARE_GAPS = 0.05
# Share of periods below 0 up to which these are returns.
_FEW_RETURNS = 0.05


@dataclass(frozen=True)
class Periods:
    """What is declared of periods, with reasons and what to review, by key of `forecast`."""

    aggregate: Literal["sum", "mean"] | None
    fill: Literal["zero", "last"]
    negative: Literal["stop", "zero", "keep"]
    notes: Reasons = field(default_factory=dict)
    asked: Reasons = field(default_factory=dict)


def choose_periods(records: Records, frequency: Frequency) -> Periods:
    """Decide what periods hold."""
    target = records.target
    numbers = Calendar(frequency).numbers(records.times)
    amounts = records.rows[target].to_numpy(np.float64)
    cells = pd.DataFrame({"series": records.series, "period": numbers, "value": amounts})
    again = float(cells.duplicated(["series", "period"], keep=False).mean())
    level = bool(LEVELS & set(name_words(target))) and not is_whole(records.rows[target])
    how: Literal["sum", "mean"] = "mean" if level else "sum"
    values = cells.groupby(["series", "period"])["value"].agg(how).reset_index()
    notes: Reasons = {}
    asked: Reasons = {}
    if again:
        notes["aggregate"] = f"{again:.1%} of the records share a period of their series" + (
            f", and {target} is a level by its name" if level else ""
        )
        if said := _why_again(records, again):
            asked["aggregate"] = said
    below = float((values["value"] < 0).mean())
    returns = 0 < below <= _FEW_RETURNS
    negative: Literal["stop", "zero", "keep"] = "stop" if not below else "zero" if returns else "keep"
    if below:
        few = f"{below:.1%} of the periods are below 0, as by returns, which are no demand"
        notes["negative"] = few if returns else f"{below:.0%} of the periods are below 0"
    fill, why, doubt = _fill(values, target, signed=negative == "keep")
    notes["fill"] = why
    if doubt:
        asked["fill"] = doubt
    return Periods(how if again else None, fill, negative, notes, asked)


def _why_again(records: Records, share: float) -> str:
    copies = int(records.rows.duplicated().sum())
    if copies:
        return (
            f"{copies:,} records repeat another one in every column: are they copies? Then take them out of the "
            "files"
        )
    if share <= _RARE_GAPS:
        return "so few share one that they may be errors: look at them, and leave aggregate out to have them refused"
    return ""


def _fill(values: pd.DataFrame, target: str, *, signed: bool) -> tuple[Literal["zero", "last"], str, str]:
    """What a period without a record holds, why, and what to review."""
    spans = values.groupby("series")["period"].agg(["min", "max", "size"])
    absent = float(1 - spans["size"].sum() / (spans["max"] - spans["min"] + 1).sum())
    ended = float((spans["max"] < values["period"].max()).mean())
    if not signed and absent and not (values["value"] == 0).any():
        return (
            "zero",
            f"{absent:.1%} of the periods lack a record, and none is of 0: what was not sold was not noted",
            "",
        )
    lacking = f"{absent:.1%} of the periods up to a series' last record have none"
    if signed and absent > _RARE_GAPS:
        doubt = f"{absent:.0%} of the periods have no record: is {target} as before then, or 0 (fill: zero)?"
        return "last", f"{lacking}, and what may be below 0 does not start from it", doubt
    if absent <= _RARE_GAPS and (signed or ended <= _RARE_GAPS):
        return "last", f"{f'only {absent:.1%}' if absent else 'none'} of the periods lack a record", ""
    return (
        "zero",
        lacking if absent > _RARE_GAPS else f"{ended:.0%} of the series ended before the others",
        "",
    )
