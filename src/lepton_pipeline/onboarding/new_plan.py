"""Decide which column plays which role, and try the decisions on the rows."""

from __future__ import annotations

from dataclasses import replace

from lepton_pipeline.data.split import split_rows
from lepton_pipeline.declaration import read_vertical
from lepton_pipeline.errors import DataError, SplitError
from lepton_pipeline.onboarding.new_declaration import Plan, declare
from lepton_pipeline.onboarding.new_roles import choose_roles, choose_time, is_date, require_column
from lepton_pipeline.onboarding.new_target import choose_target
from lepton_pipeline.onboarding.profile import Profile

_REHEARSALS = 5
# Few honest features reach it alone.
_STRONG = 0.85


def plan_vertical(
    profile: Profile, target: str | None, positive: str | None, time: str | None, group: str | None
) -> Plan:
    """Decide which column plays which role.

    Args:
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
    return _rehearsed(plan, asked=time is not None or by_group)


def _rehearsed(plan: Plan, *, asked: bool) -> Plan:
    """Derive, split and check until nothing leaks and every part holds both classes.

    Raises:
        SplitError: the rows cannot be divided, and the split was asked for or is at random already.
        DataError: every column leaks, or another stage refuses the rows.
    """
    from lepton_pipeline.features.derive import derive_features
    from lepton_pipeline.features.leaks import check_features

    rows = plan.profile.table.dropna(subset=[plan.target.column, *plan.keys()])
    for _ in range(_REHEARSALS):
        vertical = read_vertical("new", declare(plan))
        features = derive_features(rows, vertical.dataset, vertical.features)
        try:
            split = split_rows(features, vertical.dataset, vertical.split)
        except SplitError:
            if asked or plan.strategy == "stratified":
                raise
            doubt = f"split by {plan.time}, one part would have rows of one class only, so rows are drawn at random"
            plan = replace(plan, strategy="stratified", doubt_strategy=doubt)
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
        named = ", ".join(map(repr, [*plan.roles.constant, *plan.roles.excluded, *plan.leaks])) or "none"
        raise DataError(f"no column is left to learn from; besides the target there are, all excluded: {named}.")
    return plan
