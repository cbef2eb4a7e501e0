"""A plan of series as a declaration, its comments, and a list for the terminal."""

from __future__ import annotations

import numpy as np
import pandas as pd

from lepton_pipeline.data.calendar import Calendar
from lepton_pipeline.onboarding.new.comments import Decision, by_reason
from lepton_pipeline.onboarding.new.declaration import stated
from lepton_pipeline.onboarding.new.records_text import (
    RECORDS,
    declare_records,
    expect_in_range,
    expect_present,
    head_text,
    reading_decisions,
    sentence,
    set_apart,
)
from lepton_pipeline.onboarding.new.render import render
from lepton_pipeline.onboarding.new.series_plan import SeriesPlan
from lepton_pipeline.onboarding.profile import is_whole

# Periods ahead that are slices of their own.
_MOST_AHEAD = 12
_SUB_DAILY = ("15min", "30min", "h")


def declare_series(plan: SeriesPlan) -> dict[str, object]:
    """The content below the vertical's name in parameters.yml."""
    forecast = plan.forecast
    # As of a date, records to come would be left out.
    time = plan.records.time if plan.records.to_come.empty else None
    declared = {
        "about": {"question": _question(plan)},
        "dataset": {"target": plan.target, "time": plan.records.time},
        "forecast": _of_series(plan),
        "ingestion": plan.records.profile.ingestion.model_dump(exclude_defaults=True),
        "tables": {RECORDS: declare_records(time, plan.records.lost, _expectations(plan))},
        "split": {"strategy": "time"},
        "evaluation": {"slices": ["ahead"]} if 1 < forecast.horizon <= _MOST_AHEAD else {},
    }
    return stated(declared)


def series_text(name: str, plan: SeriesPlan, origin: str) -> str:
    """The parameters file, with comments."""
    head = head_text(name, origin, plan.records.profile)
    return render(name, declare_series(plan), series_comments(plan), head)


def series_outcome(plan: SeriesPlan) -> str:
    """Number of series and periods, for the head of a printed draft."""
    series, periods = plan.grid.amounts.shape
    return f"{series:,} series of up to {plan.counted(periods)}"


def series_comments(plan: SeriesPlan) -> dict[str, list[str]]:
    """Sentences for the file, by the path of the key they stand above."""
    forecast, notes, asked = plan.forecast, plan.notes, plan.asked
    said: dict[str, list[str]] = {
        f"forecast.{key}": [f"{sentence(why)}."]
        for key, why in notes.items()
        if getattr(forecast, key, None) is not None and why != "as asked for"
    }
    said.setdefault("forecast.frequency", [])
    if "season" in asked:
        said["forecast.frequency"].append(f"{sentence(asked['season'])}.")
    if "aggregate" in asked:
        said["forecast.aggregate"].append(f"{sentence(asked['aggregate'])}.")
    if forecast.aggregate == "sum":
        said["forecast.aggregate"].append(
            "Is the target a level, such as a temperature? Then declare mean or last."
        )
    if "fill" in asked:
        said["forecast.fill"].append(sentence(asked["fill"]))
    elif forecast.fill == "zero":
        said["forecast.fill"].append("If the amount was only not written down, declare last.")
    if unused := plan.covariates.unused:
        said["forecast.series"] = [
            f"{', '.join(names)}: not used, {why}." for why, names in by_reason(unused)
        ]
    said["forecast.past_covariates"] = [
        "Known up to the origin. Is one set in advance, such as a planned price? Then name it in "
        "future_covariates, and bring records of the periods to come, without a target."
    ]
    said["forecast.future_covariates"] = [
        f"Given for {len(plan.records.to_come):,} records to come, without a target."
    ]
    said[f"tables.{RECORDS}.expectations"] = [
        "Observed range with room: narrow it to what is possible. A record without a series or date belongs "
        "nowhere."
    ]
    if plan.records.lost:
        keys = ", ".join([*forecast.series, plan.records.time, plan.target])
        said[f"tables.{RECORDS}.max_quarantined"] = [
            f"{plan.records.lost:.1%} of the records lack one of {keys}."
        ]
    for name, doubt in plan.records.profile.doubts.items():
        if name in (
            *forecast.series,
            plan.records.time,
            plan.target,
            *plan.covariates.past,
            *plan.covariates.future,
        ):
            said.setdefault("dataset", []).append(f"{name}: {doubt}.")
    return said


def series_decisions(plan: SeriesPlan) -> list[Decision]:
    """What was decided, in the order of the declaration, then what the history holds."""
    forecast, notes, asked = plan.forecast, plan.notes, plan.asked
    profile, covariates = plan.records.profile, plan.covariates
    whole = "whole numbers, and so are forecasts" if is_whole(plan.records.rows[plan.target]) else ""
    found = [
        Decision("target", plan.target, "; ".join(filter(None, [plan.records.why["target"], whole]))),
        Decision("time", plan.records.time, plan.records.why["time"]),
        Decision("series", ", ".join(forecast.series), "as asked for"),
        Decision("frequency", forecast.frequency, notes["frequency"]),
        Decision("horizon", plan.counted(forecast.horizon), "as asked for"),
    ]
    decided = ("season_length", "every", "aggregate", "fill", "negative")
    found += [Decision(key, str(getattr(forecast, key)), notes[key]) for key in decided if key in notes]
    groups = [
        ("past", covariates.past, "known up to the origin"),
        ("future", covariates.future, f"given for {len(plan.records.to_come):,} records to come"),
        ("static", covariates.static, "one value a series"),
    ]
    found += [Decision(what, ", ".join(names), why) for what, names, why in groups if names]
    found += [
        Decision("not used", name, why)
        for why, name in ((why, ", ".join(names)) for why, names in by_reason(covariates.unused))
    ]
    found += [*reading_decisions(profile), *set_apart(plan.records.lost, "series, time or target")]
    found += [Decision("look at", key, doubt) for key, doubt in asked.items()]
    found += [Decision("look at", name, doubt) for name, doubt in profile.doubts.items()]
    return [*found, *_history(plan)]


def _history(plan: SeriesPlan) -> list[Decision]:
    """What the series hold."""
    grid, forecast = plan.grid, plan.forecast
    series, periods = grid.amounts.shape
    first, last = Calendar(forecast.frequency).starts([grid.first, grid.last])
    known = ~np.isnan(grid.amounts)
    ages = periods - grid.begins
    youngest = int(np.argmin(ages))
    name = " / ".join(map(str, grid.keys[forecast.series].iloc[youngest]))
    age = f"{plan.counted(int(ages[youngest]))} since its first record"
    span = f"{plan.counted(periods)} from {_at(first, plan)} to {_at(last, plan)}"
    zeros = f"{float((grid.amounts[known] == 0).mean()):.1%}"
    short = int((ages < forecast.shortest).sum())
    return [
        Decision("history", f"{series:,} series", span),
        Decision("zeros", zeros, "of the periods since a series' first record"),
        Decision("youngest", name, age),
        Decision(
            "rows", f"{plan.examples:,}", "to learn from at most, one a series, origin and period ahead"
        ),
        *([Decision("look at", f"{short:,} series", _too_short(plan))] if short else []),
    ]


def _too_short(plan: SeriesPlan) -> str:
    return f"shorter than {plan.forecast.shortest} {plan.periods}, so not forecast (forecast.shortest)"


def _expectations(plan: SeriesPlan) -> list[dict[str, object]]:
    """Records have a series, a time, and a target in its range."""
    keys = [*plan.forecast.series, plan.records.time, *([plan.target] if plan.records.to_come.empty else [])]
    in_range = expect_in_range(plan.records.profile.table[plan.target])
    return [*map(expect_present, keys), in_range]


def _of_series(plan: SeriesPlan) -> dict[str, object]:
    """What is not at its default; `fill` always, as it is a decision."""
    declared = plan.forecast.model_dump(exclude_defaults=True)
    return {
        key: plan.forecast.fill if key == "fill" else declared[key]
        for key in type(plan.forecast).model_fields
        if key in declared or key == "fill"
    }


def _question(plan: SeriesPlan) -> str:
    things, horizon = " and ".join(plan.forecast.series), plan.forecast.horizon
    ahead = f"each of the next {horizon} {plan.periods}" if horizon > 1 else f"the next of the {plan.periods}"
    return f"What will {plan.target} be for each {things} in {ahead}?"


def _at(moment: pd.Timestamp, plan: SeriesPlan) -> str:
    return f"{moment:%Y-%m-%d %H:%M}" if plan.forecast.frequency in _SUB_DAILY else f"{moment:%Y-%m-%d}"
