"""Decide the role of each column, and try the decisions on the rows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import pandas as pd
from pandas.api.types import is_datetime64_any_dtype as is_date

from lepton_pipeline.data.copies import find_entities
from lepton_pipeline.errors import DataError, SplitError
from lepton_pipeline.features.derive import derive_features
from lepton_pipeline.features.leaks import find_leaks, known_by_time, plain_features
from lepton_pipeline.features.report import Finding
from lepton_pipeline.features.strength import features_alone, texts_alone
from lepton_pipeline.onboarding.names import Reasons
from lepton_pipeline.onboarding.new.declaration import Plan
from lepton_pipeline.onboarding.new.derived import Series, date_parts, find_series, propose_lags
from lepton_pipeline.onboarding.new.order import neighbour_agreement, sorted_columns, time_copies
from lepton_pipeline.onboarding.new.roles import choose_roles, choose_time, require_column
from lepton_pipeline.onboarding.new.suspects import as_auc, is_attribute, judge_features, one_class_columns
from lepton_pipeline.onboarding.new.target import choose_target
from lepton_pipeline.onboarding.profile import Profile
from lepton_pipeline.parameters import Leaks, Vertical
from lepton_pipeline.parameters.forecast import Frequency
from lepton_pipeline.tasks.find import Target, find_task
from lepton_pipeline.tasks.split import split_rows
from lepton_pipeline.tasks.task import Task

_MOST_TRIES = 8


@dataclass(frozen=True)
class Wanted:
    """What was asked for; what is None is inferred, except `group`.

    Attributes:
        target: column to predict.
        positive: value of the positive class, several of them such as "in ['a', 'b']", or a comparison such as
            ">= 15" or "!= none".
        task: binary, multiclass or regression.
        time: column of dates, or of numbers in their order.
        group: column of what several rows belong to.
        series: columns that tell series apart, whose periods to come are forecast.
        horizon: periods ahead that are forecast.
        frequency: how long a period is, see `parameters.forecast`.
        customer, item: columns of interactions that name who and what.
        purpose: what is offered, see `parameters.recommendation`.
    """

    target: str | None = None
    positive: str | None = None
    task: str | None = None
    time: str | None = None
    group: str | None = None
    series: tuple[str, ...] = ()
    horizon: int | None = None
    frequency: Frequency | None = None
    customer: str | None = None
    item: str | None = None
    purpose: Literal["repeat", "discovery"] | None = None

    @property
    def forecasts(self) -> bool:
        """Whether series are to be forecast."""
        return bool(self.series) or self.horizon is not None or self.frequency is not None

    @property
    def recommends(self) -> bool:
        """Whether items are to be offered to customers."""
        return any(each is not None for each in (self.customer, self.item, self.purpose))


def plan_vertical(name: str, profile: Profile, wanted: Wanted) -> Plan:
    """Decide the role of each column, as wanted.

    Raises:
        ConfigurationError: a column does not exist or has two roles, or the target or what is asked
            about it cannot be inferred.
        DataError: the rows cannot be learnt from, or cannot be split by the time or group asked for.
    """
    table, time, group = profile.table, wanted.time, wanted.group
    if group is not None and require_column(table, group, "--group").nunique() < 2:
        raise DataError(
            f"--group: column {group!r} holds one value only; give another one, or leave the option out."
        )
    axis, why_time = choose_time(table, time, {wanted.target, group})
    taken = {name for name in (axis, group) if name} | {str(name) for name in table if is_date(table[name])}
    chosen = choose_target(table, wanted.target, wanted.positive, taken, wanted.task)
    roles = choose_roles(table, {name for name in (chosen.column, axis, group) if name}, profile.codes)
    unordered = "stratified" if group is None else "group"
    strategy = unordered if axis is None else "time" if group is None else "time_group"
    dates = date_parts(table, axis, {chosen.column, *roles.excluded, *([group] if group else [])})
    if axis is None and dates.first is not None:
        why_time += f" {dates.first}, say, which comes first in every row"
    plan = Plan(profile, chosen, axis, why_time, group, roles, {}, strategy, dates=dates)
    moments = [name for name in profile.moments if name in plan.features()]
    plan = replace(plan, copies=dict.fromkeys(moments, "a moment, which never comes again"))
    return _tried(name, plan, None if time is not None or axis is None else unordered)


def _tried(name: str, plan: Plan, fallback: str | None) -> Plan:
    """Derive, split and check until nothing leaks and every part has both classes."""
    rows = plan.rows(plan.keys())
    plan, series = _with_lags(name, plan, rows)
    for _ in range(_MOST_TRIES):
        vertical = plan.vertical(name)
        features = derive_features(rows, vertical.dataset, vertical.features)
        try:
            split = split_rows(
                features, Target(find_task(features, vertical.dataset)), vertical.dataset, vertical.split
            )
        except SplitError as error:
            if plan.strategy == "time_group" and fallback is None:
                raise SplitError(f"{error} Or leave out --time or --group.") from error
            if fallback in (None, plan.strategy):
                raise
            by = f"{plan.time} and {plan.group}" if fallback == "group" else plan.time
            instead = "by group only" if fallback == "group" else "random"
            doubt = f"split by {by}, one part would lack a class, so the split is {instead}"
            # In a random split, lags would leak training rows.
            plan = replace(plan, strategy=fallback, doubt_strategy=doubt, windows={}, why_windows="")
            continue
        copies, drifting = _time_copies(plan, features, split)
        plan = replace(plan, copies=plan.copies | copies, drifting=drifting)
        if copies:
            continue
        previous, plan = plan, _judged(plan, features, split, vertical, series)
        if plan.unused() == previous.unused():
            break
    task = find_task(features, vertical.dataset)
    entities = _entities(rows, split, vertical, task)
    order = {} if entities else _order(plan, task.strata(split["label"]), task.agree)
    plan = replace(plan, entities=entities, order=order)
    if not plan.features() and plan.time is None and not plan.derived():
        named = {} if plan.roles.id is None else {plan.roles.id: "it names rows"}
        reasons = [f"{name!r} ({why})" for name, why in (named | plan.unused()).items()]
        said = "; ".join(reasons) or "the table has the target only"
        raise DataError(f"no column is left to learn from: {said}.")
    return plan


def _with_lags(name: str, plan: Plan, rows: pd.DataFrame) -> tuple[Plan, Series | None]:
    """Add lags of the strongest columns and the target, where rows are one series or one per thing."""
    if plan.time is None:
        return plan, None
    texts = [str(name) for name in rows if pd.api.types.is_string_dtype(rows[name])]
    codes = dict.fromkeys([plan.group, *plan.roles.things, *plan.roles.categorical, *texts])
    things = [name for name in codes if name not in (plan.target.column, plan.time, None)]
    series = find_series(rows, plan.time, things)
    if series is None:
        return plan, None
    dataset = plan.vertical(name).dataset
    task = find_task(rows, dataset)
    targets = _targets(task, task.read(rows, dataset))
    windows, refused = propose_lags(rows, series, plan.target.column, targets, plan.features())
    each = "rows are one series" if series.by is None else f"rows are a series for each {series.by}"
    why = f"{each}, {series.step} from row to row" + (f"; {refused}" if refused else "")
    return replace(plan, windows=windows, why_windows=why), series


def _targets(task: Task, labels: pd.Series) -> list[pd.Series]:
    """What is compared with columns: labels, their ranks, or for each of several classes whether it is that."""
    found = task.strength.targets(labels.to_numpy()).values()
    return [pd.Series(each, index=labels.index) for each in found]


def _time_copies(plan: Plan, features: pd.DataFrame, split: pd.DataFrame) -> tuple[Reasons, Reasons]:
    if plan.time is None or plan.strategy not in ("time", "time_group"):
        return {}, {}
    calendar = [name for name in plan.dates.calendar if name in features]
    return time_copies(features, plan.time, split["part"], [*plan.features(), *plan.derived()], calendar)


def _judged(
    plan: Plan, features: pd.DataFrame, split: pd.DataFrame, vertical: Vertical, series: Series | None
) -> Plan:
    """The plan without leaks, and with questions about strong features."""
    train = split.index[split["part"] == "train"]
    training = plain_features(features.loc[train], vertical.dataset)
    labels, task = split.loc[train, "label"].to_numpy(), find_task(features, vertical.dataset)
    alone = features_alone(training, labels, task)
    # Texts are too many columns for a model of all others, so they are judged by what they reach alone.
    texts = texts_alone(features.loc[train, vertical.dataset.text], labels, task)
    known = known_by_time(vertical.features, vertical.dataset)
    each_alone = alone | texts
    settled = find_leaks(
        training, labels, task, each_alone, Leaks(max_auc=1.0, trusted=list(each_alone)), known
    )
    ids = {each.feature: _why_id(plan, each) for each in settled if each.finding == "an id"}
    found = {each.feature: f"{each.finding}: {each.evidence}" for each in settled if each.feature not in ids}
    honest = {name: each for name, each in alone.items() if name not in found and name not in ids}
    table = plan.profile.table
    ordered = split["label"]
    if plan.time is not None:
        ordered = ordered.loc[features[plan.time].sort_values(kind="stable").index]
    # A series is strong by its present values, and by what it is a series of.
    own = (
        []
        if series is None
        else [*series.present(_targets(task, ordered)), *([series.by] if series.by else [])]
    )
    plain = {name for name in honest if name in table and is_attribute(name)}
    plain |= {*plan.derived(), *plan.lags(), *own}
    judged = judge_features(training[list(honest)], labels, honest, known, plain, task.strength)
    found, asked = found | judged.leaks, judged.asked
    if not found and not ids:
        # Ask about what the guard of a run will warn of.
        all_of = f"; all features together reach {judged.together}" if judged.together else ""
        warned = find_leaks(training, labels, task, each_alone, Leaks(trusted=list(asked)), known)
        asked = asked | {each.feature: each.evidence + all_of for each in warned}
    kept = [name for name in plan.features() if name in features]
    sides = one_class_columns(features.loc[train, kept], labels, task.label_text)
    asked = {name: why + (f"; {sides[name]}" if name in sides else "") for name, why in asked.items()}
    sides = {name: why for name, why in sides.items() if name not in asked and name not in found}
    excluded = plan.roles.excluded | {name: ids[name] for name in ids if name in table}
    return replace(
        plan,
        roles=replace(plan.roles, excluded=excluded, asked=sides | plan.roles.asked),
        leaks=plan.leaks | found | {name: ids[name] for name in ids if name not in table},
        asked=asked,
        alone={name: as_auc(each) for name, each in each_alone.items() if name not in known},
        too_good=judged.too_good,
    )


def _why_id(plan: Plan, finding: Finding) -> str:
    """Why a column that seems to identify rows is no feature; a sampling weight does not identify them."""
    if (weight := plan.roles.asked.get(finding.feature)) is None:
        return f"it names rows: {finding.evidence}"
    return f"{weight.partition(';')[0]}, another one in nearly every row"


def _entities(rows: pd.DataFrame, split: pd.DataFrame, vertical: Vertical, task: Task) -> dict[str, str]:
    """Questions about columns that identify what several rows of one outcome belong to."""
    rows, test = rows.loc[split.index], split["part"].to_numpy() == "test"
    outcomes = task.strata(split["label"]).to_numpy()
    found = find_entities(rows, outcomes, test, ~test, vertical.dataset, vertical.split)
    return {
        each.column: f"{each.one_outcome} of its {each.entities} values with several rows have one outcome only, and "
        f"{each.test_rows} test rows share a value with training rows: if a value is a case, such as a patient, give "
        f"--group {each.column}; otherwise such rows only test memory"
        for each, _ in found
        if not each.declared
    }


def _order(plan: Plan, strata: pd.Series, agree: str) -> dict[str, str]:
    """Questions about the order of the rows, where no time or group is declared."""
    if plan.time is not None or plan.group is not None:
        return {}
    table = plan.profile.table
    alike = neighbour_agreement(strata, agree)
    names = [str(name) for name in table if name != plan.target.column]
    said = {
        name: f"rows are sorted by it{f', and {alike}' if alike else ''}: if that is the order of time, give --time "
        f"{name}; in a random split, training rows would come from the future of test rows"
        for name in sorted_columns(table, names)
    }
    if alike and not said:
        said["rows"] = (
            f"{alike}: if rows are in the order of time, give --time COLUMN (a row number will do); if neighbours "
            "belong together, give --group COLUMN"
        )
    return said
