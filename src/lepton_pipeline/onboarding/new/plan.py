"""Decide which column plays which role, and try the decisions on the rows."""

from __future__ import annotations

from dataclasses import replace

from lepton_pipeline.data.split import split_rows
from lepton_pipeline.declaration import read_vertical
from lepton_pipeline.errors import DataError, SplitError
from lepton_pipeline.onboarding.new.declaration import Plan, declare
from lepton_pipeline.onboarding.new.roles import choose_roles, choose_time, is_date, require_column
from lepton_pipeline.onboarding.new.target import choose_target
from lepton_pipeline.onboarding.profile import Profile

_REHEARSALS = 5
# Few honest features reach it alone.
_STRONG = 0.85


def plan_vertical(
    name: str, profile: Profile, target: str | None, positive: str | None, time: str | None, group: str | None
) -> Plan:
    """Decide which column plays which role.

    Args:
        name: of the vertical, for messages.
        profile: what the files hold.
        target: column to predict; None to infer it.
        positive: value of the positive class, or a comparison such as ">= 15"; None to infer it.
        time: column that orders rows; None to infer it.
        group: column of what several rows belong to; never inferred, for only people know what a new case is.

    Raises:
        ConfigurationError: a column does not exist or has two roles; the target or its positive class cannot be told.
        DataError: the rows cannot be learnt from, or cannot be divided by the time or group that was asked for.
    """
    table = profile.table
    if group is not None and require_column(table, group, "--group").nunique() < 2:
        raise DataError(f"--group: column {group!r} holds one value only; give another one, or leave the option out.")
    axis, why_time = choose_time(table, time, {target, group})
    taken = {name for name in (axis, group) if name} | {str(name) for name in table if is_date(table[name])}
    chosen = choose_target(table, target, positive, taken)
    roles = choose_roles(table, {name for name in (chosen.column, axis, group) if name})
    by_time, by_group = axis is not None, group is not None
    strategy = "time_group" if by_time and by_group else "time" if by_time else "group" if by_group else "stratified"
    plan = Plan(profile, chosen, axis, why_time, group, roles, {}, strategy)
    fallback = None if time is not None or not by_time else "group" if by_group else "stratified"
    return _rehearsed(name, plan, fallback)


def _rehearsed(name: str, plan: Plan, fallback: str | None) -> Plan:
    """Derive, split and check until nothing leaks and every part holds both classes.

    Args:
        name: of the vertical, for messages.
        plan: what was decided so far.
        fallback: how to divide the rows where the plan's way does not work; None where it was asked for.

    Raises:
        SplitError: the rows cannot be divided, and there is no other way.
        DataError: every column leaks, or another stage refuses the rows.
    """
    from lepton_pipeline.features.derive import derive_features
    from lepton_pipeline.features.leaks import check_features

    rows = plan.profile.table.dropna(subset=[plan.target.column, *plan.keys()])
    for _ in range(_REHEARSALS):
        vertical = read_vertical(name, declare(plan))
        features = derive_features(rows, vertical.dataset, vertical.features)
        try:
            split = split_rows(features, vertical.dataset, vertical.split)
        except SplitError as error:
            if plan.strategy == "time_group" and fallback is None:
                raise SplitError(f"{error} Or leave out --time or --group.") from error
            if fallback in (None, plan.strategy):
                raise
            plan = replace(plan, strategy=fallback, doubt_strategy=_doubt(plan, fallback))
            continue
        report = check_features(features, split, vertical.dataset, vertical.leaks)
        leaks = [finding for finding in report["findings"] if finding["severity"] == "leak"]
        if not leaks:
            strong = {each["name"]: each["auc"] for each in report["features"] if each["auc"] >= _STRONG}
            plan = replace(plan, strong=strong)
            break
        found = {each["feature"]: f"{each['finding']}: {each['evidence']}" for each in leaks}
        plan = replace(plan, leaks=plan.leaks | found)
    if not plan.features() and plan.time is None:
        raise DataError(f"no column is left to learn from: {_no_features(plan)}.")
    return plan


def _doubt(plan: Plan, fallback: str) -> str:
    if fallback == "group":
        return f"split by {plan.time} and {plan.group}, one part would lack rows of a class, so it is by group alone"
    return f"split by {plan.time}, one part would have rows of one class only, so rows are drawn at random"


def _no_features(plan: Plan) -> str:
    roles = plan.roles
    named = {} if roles.id is None else {roles.id: "it names rows"}
    reasons = named | roles.constant | roles.excluded | plan.leaks
    return "; ".join(f"{name!r} ({why})" for name, why in reasons.items()) or "the table has the target only"
