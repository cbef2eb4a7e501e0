"""Decisions on a new vertical as text: comments of its file, and a list for the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import islice, pairwise

from lepton_pipeline.onboarding.names import AFTERWARDS, EARLIER, SIBLINGS, STUDIED, TARGETS, name_words
from lepton_pipeline.onboarding.new.declaration import Plan, far_values
from lepton_pipeline.onboarding.new.render import scalar
from lepton_pipeline.onboarding.new.suspects import denotes_later_event

_SHOWN = 6
_MOST_ORDERS = 2
_MOST_ALIKE, _INFORMATIVE, _SLIGHTLY = 3, 0.65, 0.55
_CLOCK = frozenset({"time", "date", "timestamp", "total", "amount", "at"})
RANGES = "contract.expectations"
NO_FEATURE = "no feature"
_LARGE = 10_000
_SENTINELS = {-1, -9, -99, -999, -9999}
_WHY_SPLIT = {
    "stratified": "rows have no order, so the split is random",
    "time": "train on earlier rows, test on later ones",
    "group": "all rows of a group stay in one part",
    "time_group": "train on earlier rows, test on later ones of other groups",
}


@dataclass(frozen=True)
class Decision:
    """One inferred item, its value and the reason."""

    what: str
    choice: str
    reason: str


def decisions(plan: Plan) -> list[Decision]:
    """List the decisions in the order of a declaration, with every column that is not used."""
    target, roles, profile = plan.target, plan.roles, plan.profile
    read = profile.ingestion.model_dump(exclude={"missing", "dates"})
    lags = ", ".join(plan.lags()) or ("none" if ";" in plan.why_windows else "")
    unlabelled = profile.table[target.column].isna()
    no_target = f"{int(unlabelled.sum()):,} rows ({unlabelled.mean():.1%})" if unlabelled.any() else ""
    # By what is decided: what was chosen, with the reason; without a choice, nothing is said.
    chosen: list[tuple[str, Iterable[tuple[str, str]]]] = [
        ("target", [(target.column, target.why)]),
        *((what, [(choice, why)]) for what, choice, why in target.question.decided),
        ("no target", [(no_target, "a run sets them apart")]),
        ("id", [(roles.id, "unique in every row") if roles.id else ("none", "no column identifies rows")]),
        ("time", [(plan.time or "none", plan.why_time)]),
        ("group", [(plan.group or "", "as asked for")]),
        ("split", [(plan.strategy, plan.doubt_strategy or _WHY_SPLIT[plan.strategy])]),
        ("look at", plan.entities.items()),
        ("order", plan.order.items()),
        *((key, [(repr(read[key]), why)]) for key, why in profile.reasons.items() if key in read),
        ("missing", [(text, f"no value in {_listed(names)}") for text, names in profile.odd.items()]),
        *(("missing", [("declared", why)]) for key, why in profile.reasons.items() if key == "missing"),
        ("date", profile.ingestion.dates.items()),
        ("codes", profile.codes.items()),
        ("derived", [(", ".join(plan.derived()), "parts of dates that are known")]),
        ("lags", [(lags, plan.why_windows)]),
        (NO_FEATURE, [(", ".join(names), why) for why, names in by_reason(roles.constant | roles.excluded)]),
        (NO_FEATURE, plan.copies.items()),
        ("likely leak", plan.leaks.items()),
        ("not used", plan.dates.unused.items()),
        ("categories", [(_listed(roles.categorical), "codes by their names")]),
        ("text", [(", ".join(names), why) for why, names in by_reason(_texts(plan))]),
        ("look at", [(name, doubt) for _, name, doubt in _doubts(plan)]),
    ]
    return [Decision(what, choice, why) for what, pairs in chosen for choice, why in pairs if choice]


def comments(plan: Plan) -> dict[str, list[str]]:
    """Sentences for the file, by the path of the key they stand above."""
    roles = plan.roles
    left_out = by_reason(roles.constant | roles.excluded | plan.copies)
    ordered = (plan.entities | plan.order).items()
    leaks, unused = list(plan.leaks.items())[:_SHOWN], list(plan.dates.unused.items())[:_SHOWN]
    said: dict[str, list[str]] = {
        "dataset": [f"{name}: {why}." for name, why in islice(ordered, _MOST_ORDERS)],
        "dataset.exclude": [
            *(f"{_listed(names)}: {why}." for why, names in left_out),
            *(f"{name}: likely a leak, {why}." for name, why in leaks),
        ],
        "dataset.text": [
            *(f"{_listed(names)}: {why}." for why, names in by_reason(_texts(plan))),
            "Is one written after the outcome, or about persons? Then list it in exclude instead.",
        ],
        "features.derive": [f"{name} is not used: {why}." for name, why in unused],
        RANGES: ["Observed ranges with room: narrow them to what is possible."],
    }
    if protected := [scalar(name) for name in roles.protected if name not in {**plan.leaks, **plan.copies}]:
        law = "The law may forbid the use of some columns; for fairness only, declare sensitive:"
        said["dataset"].insert(0, f"{law} [{', '.join(protected[:_SHOWN])}].")
    if plan.strategy in ("time", "time_group"):
        said["dataset.time"] = [
            "Are labels known only some time after their rows? Then declare label_delay: 30d, say."
        ]
    said |= {f"dataset.{key}": asked for key, asked in plan.target.question.comments.items()}
    for key in ("thousands", "units", "accounting"):
        if key in plan.profile.reasons:
            said[f"ingestion.{key}"] = [f"{plan.profile.reasons[key]}."]
    if leaks:
        said["dataset.exclude"].append(
            "Is it known at prediction time? Then take it out of the list and name it in leaks: {trusted: [..]}."
        )
    if roles.things and plan.group is None:
        thing = next(iter(roles.things))
        strategy = "time_group" if plan.time else "group"
        said["dataset.exclude"].append(
            f"Will new rows have a new {thing}? Then declare group: {scalar(thing)}, split: {{strategy: {strategy}}}."
        )
    if own := [each.of for each in plan.lags().values()]:
        said["features.windows"] = [
            f"{plan.why_windows.capitalize()}. Lags read rows before a row's own time only."
        ]
        if plan.target.question.expected == "range" and plan.target.column in own:
            said["features.windows"].append(
                f"Is {plan.target.column} known when the next row comes? If not, declare label_delay in dataset."
            )
    for place, name, doubt in _doubts(plan):
        said[place].append(f"{name}: {doubt}")
    if plan.asked:
        said["dataset"].append(
            "Is a strong one known only after the outcome? Then list it in exclude. If not, and a run warns of it, "
            "name it in leaks: {trusted: [..]}."
        )
    if lost := plan.lost_rows():
        said["contract.max_quarantined"] = [f"{lost:.1%} of the rows have no target, time or group."]
    if plan.doubt_strategy:
        said["split"] = [f"{plan.doubt_strategy.capitalize()}."]
    return said


def _texts(plan: Plan) -> dict[str, str]:
    """Columns that are declared as text, with the reason."""
    kept = plan.features()
    return {name: why for name, why in plan.roles.text.items() if name in kept}


def _doubts(plan: Plan) -> Iterable[tuple[str, str, str]]:
    """What to review: key of the comment, column, doubt."""
    features = plan.features()
    of_features = {name: doubt for name, doubt in plan.roles.asked.items() if name in features}
    for doubts in (plan.profile.doubts, of_features, plan.dates.asked, plan.drifting):
        place = "features.derive" if doubts is plan.dates.asked else "dataset"
        for name, doubt in doubts.items():
            yield place, name, f"{doubt}."
    for name, evidence in plan.asked.items():
        known = f"strong, is it known at prediction time? {evidence[:1].upper()}{evidence[1:]}."
        yield "dataset", name, known
    if plan.too_good:
        strongest = _listed(sorted(plan.alone, key=lambda name: -plan.alone[name])[:3])
        yield (
            "dataset",
            "all features",
            f"together they {plan.too_good} in training rows, which is rare without leaks: is each known "
            f"at prediction time, {strongest} above all?",
        )
    kin = _named_like_target(plan)
    siblings = [name for name in _named_like_outcome(plan) if name not in kin]
    alike = {f"the target, {plan.target.column}": kin, "an outcome or a later event": siblings}
    for what, names in alike.items():
        if names:
            yield "dataset", _listed(names), f"named like {what}: known at prediction time?"
    for name in map(str, plan.profile.table[features].select_dtypes("number")):
        column = plan.profile.table[name]
        far, negative = far_values(column), column[column < 0]
        if len(far):
            shown = f"{far.iloc[0]:,.6g}" if abs(far.iloc[0]) < _LARGE else f"{far.iloc[0]:,.0f}"
            rows = "1 row" if len(far) == 1 else f"{len(far):,} rows"
            yield RANGES, name, f"outlier in {rows}, such as {shown}: is that possible?"
        if len(negative) and negative.min() == negative.max() in _SENTINELS and column.max() > 0:
            said = f"negative only as {negative.iloc[0]:g}, in {len(negative):,} rows: does it mean no value?"
            yield RANGES, name, said


def _named_like_target(plan: Plan) -> list[str]:
    """Features that share a rare word with the target and are strong alone or named like later events."""
    words = {word for word in name_words(plan.target.column) if len(word) > 2 and word not in TARGETS}
    features = plan.features()
    sharing = [[name for name in features if word in name_words(name)] for word in words]
    kin = {name for names in sharing if len(names) <= _MOST_ALIKE for name in names}
    strong = {name for name in kin if plan.alone.get(name, 0.5) >= _INFORMATIVE}
    found = strong | {name for name in kin if denotes_later_event(name, _CLOCK)}
    return [name for name in features if name in found and name not in plan.asked]


def _named_like_outcome(plan: Plan) -> list[str]:
    found = []
    for name in plan.features():
        words = name_words(name)
        # Also two neighbours as one: follow_up is followup.
        joined = {*words, *map("".join, pairwise(words))}
        later = joined & (SIBLINGS | AFTERWARDS) and not EARLIER & set(words) and name not in plan.asked
        if later and (plan.alone.get(name, 0.5) >= _SLIGHTLY or STUDIED & joined):
            found.append(name)
    return found


def by_reason(reasons: Mapping[str, str]) -> Iterable[tuple[str, list[str]]]:
    """Each reason with the columns that have it."""
    for why in dict.fromkeys(reasons.values()):
        yield why, [name for name, reason in reasons.items() if reason == why]


def _listed(names: list[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
