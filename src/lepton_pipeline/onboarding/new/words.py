"""What was decided for a new vertical, in words: comments of its file, and a list for the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import pandas as pd

from lepton_pipeline.onboarding.names import TARGETS, name_words
from lepton_pipeline.onboarding.new.contract import far_values
from lepton_pipeline.onboarding.new.declaration import Plan
from lepton_pipeline.onboarding.new.render import scalar

_SHOWN = 6
RANGES = "contract.expectations"
NO_FEATURE = "no feature"
_LARGE = 10_000
_SENTINELS = {-1, -9, -99, -999, -9999}
_WHY_SPLIT = {
    "stratified": "rows have no order, so they are drawn at random",
    "time": "earlier rows are learnt from, later ones judge",
    "group": "all rows of a group stay in one part",
    "time_group": "later rows of groups that were not learnt from judge",
}


@dataclass(frozen=True)
class Decision:
    """One thing that was inferred.

    Attributes:
        what: what was decided, such as "target".
        choice: what it was decided to be.
        reason: why.
    """

    what: str
    choice: str
    reason: str


def decisions(plan: Plan) -> list[Decision]:
    """List what was decided, in the order of a declaration."""
    target, roles, profile = plan.target, plan.roles, plan.profile
    read = profile.ingestion.model_dump(exclude={"missing", "dates"})
    return [
        Decision("target", target.column, target.why),
        Decision("positive", target.positive_when or repr(target.positive), target.why_positive),
        Decision("id", roles.id or "none", "another value in every row" if roles.id else "no column names rows"),
        Decision("time", plan.time or "none", plan.why_time),
        *([Decision("group", plan.group, "as asked for")] if plan.group else []),
        Decision("split", plan.strategy, plan.doubt_strategy or _WHY_SPLIT[plan.strategy]),
        *(Decision(key, repr(read.get(key, "also")), why) for key, why in profile.reasons.items() if key in read),
        *(Decision("missing", text, f"no value in {_listed(names)}") for text, names in profile.odd.items()),
        *(Decision("date", name, form) for name, form in profile.ingestion.dates.items()),
        *(Decision(NO_FEATURE, _listed(names), why) for why, names in _by_reason(roles.constant | roles.excluded)),
        *(Decision("likely leak", name, why) for name, why in plan.leaks.items()),
        *([Decision("categories", _listed(roles.categorical), "codes by their names")] if roles.categorical else []),
        *(Decision("look at", name, doubt) for _, name, doubt in _doubts(plan)),
    ]


def comments(plan: Plan) -> dict[str, list[str]]:
    """Sentences for the file, by the path of the key they stand above."""
    roles = plan.roles
    said: dict[str, list[str]] = {
        "dataset": _protected(plan),
        "dataset.exclude": [f"{_listed(names)}: {why}." for why, names in _by_reason(roles.constant | roles.excluded)],
        RANGES: ["Observed ranges with room: narrow them to what is possible."],
    }
    if plan.strategy in ("time", "time_group"):
        said["dataset.time"] = ["Are labels known only some time after their rows? Then declare label_delay: 30d, say."]
    if plan.target.is_guess:
        said["dataset.positive"] = [f"A guess: {plan.target.why_positive}."]
    leaks = list(plan.leaks.items())
    said["dataset.exclude"] += [f"{name}: likely a leak, {why}." for name, why in leaks[:_SHOWN]]
    if leaks:
        said["dataset.exclude"].append(
            "Is it known when the model is asked? Then take it out of the list and name it in leaks: {trusted: [..]}."
        )
    if roles.things and plan.group is None:
        thing = next(iter(roles.things))
        strategy = "time_group" if plan.time else "group"
        said["dataset.exclude"].append(
            f"Will the model meet a new {thing}? Then declare group: {scalar(thing)}, split: {{strategy: {strategy}}}."
        )
    for place, name, doubt in _doubts(plan):
        said[place].append(f"{name}: {doubt}")
    lost = plan.lost_rows()
    if lost:
        said["contract.max_quarantined"] = [f"{lost:.1%} of the rows have no target, time or group."]
    if plan.doubt_strategy:
        said["split"] = [f"{plan.doubt_strategy.capitalize()}."]
    return said


def _protected(plan: Plan) -> list[str]:
    names = [name for name in plan.roles.protected if name not in plan.leaks]
    if not names:
        return []
    listed = ", ".join(map(scalar, names[:_SHOWN]))
    return [f"Law may forbid to learn from some columns; to measure fairness only, declare sensitive: [{listed}]."]


def _doubts(plan: Plan) -> Iterable[tuple[str, str, str]]:
    """What a person should look at: key in whose comment it belongs, column, doubt."""
    for name, doubt in plan.profile.doubts.items():
        yield "dataset", name, f"{doubt}."
    for name, auc in plan.strong.items():
        yield "dataset", name, f"strong alone (AUC {auc:.2f}): is it known when the model is asked?"
    if kin := _kin(plan):
        word = f"called like the target, {plan.target.column}: known when the model is asked?"
        yield "dataset", _listed(kin), word
    for name in plan.features():
        column = plan.profile.table[name]
        if not pd.api.types.is_numeric_dtype(column) or column.dtype == bool:
            continue
        far, negative = far_values(column), column[column < 0]
        if len(far):
            shown = f"{far.iloc[0]:,.6g}" if abs(far.iloc[0]) < _LARGE else f"{far.iloc[0]:,.0f}"
            rows = "1 row" if len(far) == 1 else f"{len(far):,} rows"
            yield RANGES, name, f"far from all other values in {rows}, {shown} for one: is that possible?"
        if len(negative) and negative.min() == negative.max() and negative.iloc[0] in _SENTINELS and column.max() > 0:
            yield (
                RANGES,
                name,
                f"negative only as {negative.iloc[0]:g}, in {len(negative):,} rows: does it mean no value?",
            )


def _kin(plan: Plan) -> list[str]:
    """Features that share a word with the target's name: arr_time says when arr_delay began."""
    words = {word for word in name_words(plan.target.column) if len(word) > 2 and word not in TARGETS}
    return [name for name in plan.features() if words & set(name_words(name)) and name not in plan.strong]


def _by_reason(reasons: Mapping[str, str]) -> Iterable[tuple[str, list[str]]]:
    """Reasons in the order of their first use, each with its columns."""
    for why in dict.fromkeys(reasons.values()):
        yield why, [name for name, reason in reasons.items() if reason == why]


def _listed(names: list[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
