"""Apply the declared retraining policy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from lepton_pipeline.operations.retraining.state import QualityWindow, RetrainingState
from lepton_pipeline.parameters import Decay, Retraining
from lepton_pipeline.parameters.durations import as_timedelta
from lepton_pipeline.statistics.metric_table import bound_text, higher_is_better, metric_text, wholly_worse
from lepton_pipeline.system.readable import span_text

_NAMED = 3
_NOT_DECLARED = "not declared"


@dataclass(frozen=True)
class Trigger:
    """A reason to train."""

    name: str
    holds: bool | None  # None where not known; such a trigger does not count
    why: str  # with the numbers


@dataclass(frozen=True)
class Decision:
    """Whether to train, and why."""

    due: bool
    triggers: tuple[Trigger, ...]  # all, whether they hold or not
    cooling: datetime | None  # end of the cool-down that is in force
    why: str

    @property
    def holding(self) -> tuple[str, ...]:
        """Names of the triggers that hold."""
        return tuple(trigger.name for trigger in self.triggers if trigger.holds)


def decide(policy: Retraining, state: RetrainingState, *, force: bool = False) -> Decision:
    """Apply a policy.

    A vertical is due where a trigger holds and no training has finished within `cool_down`. A missing
    champion is a trigger that need not be declared. `force` overrides policy and cool-down.
    """
    champion = "none yet" if state.champion is None else f"version {state.champion.version}"
    triggers = [
        Trigger("champion", state.champion is None, champion),
        _max_age(policy, state),
        _new_rows(policy, state),
        _drift(policy, state),
        _decay(policy.on_decay, state),
    ]
    if force:
        triggers.append(Trigger("force", True, "asked for"))
    cooling = _cooling_until(policy, state)
    holding = [trigger for trigger in triggers if trigger.holds]
    due = force or (bool(holding) and cooling is None)
    return Decision(due, tuple(triggers), cooling, _why(triggers, holding, cooling, due))


def _max_age(policy: Retraining, state: RetrainingState) -> Trigger:
    if policy.max_age is None:
        return Trigger("max_age", False, _NOT_DECLARED)
    if state.champion is None:
        return Trigger("max_age", None, "no champion has an age")
    age = state.now - state.champion.trained_at
    if age < timedelta(0):
        # So it is in an as-of run; else a clock was wrong, and False might last for years.
        trained = f"it was trained on {state.champion.trained_at:%Y-%m-%d}, after this date"
        return Trigger("max_age", None, trained)
    old = age >= _timedelta(policy.max_age)
    return Trigger("max_age", old, f"age {span_text(age)}, {'not ' * (not old)}reached: {policy.max_age}")


def _new_rows(policy: Retraining, state: RetrainingState) -> Trigger:
    wanted, new, champion = policy.on_new_rows, state.new_mature_rows, state.champion
    if wanted is None:
        seen = "" if new is None else f"; {_rows(new)} with known labels since"
        return Trigger("on_new_rows", False, _NOT_DECLARED + seen)
    if champion is None or new is None:
        return Trigger("on_new_rows", None, "not known how many rows are new")
    if wanted >= 1:
        return Trigger("on_new_rows", new >= wanted, f"{_rows(new)} with known labels since, of {wanted:,g}")
    if not champion.training_rows:
        why = f"not known how many rows version {champion.version} was trained on"
        return Trigger("on_new_rows", None, why)
    share = new / champion.training_rows
    text = f"{_rows(new)} with known labels since, {share:.1%} of {champion.training_rows:,} training rows"
    return Trigger("on_new_rows", share >= wanted, f"{text}; wanted {wanted:.4g}")


def _drift(policy: Retraining, state: RetrainingState) -> Trigger:
    if not policy.on_drift:
        return Trigger("on_drift", False, _NOT_DECLARED)
    if state.drifted is None:
        return Trigger("on_drift", None, "new rows were not compared with this champion's training rows")
    domain = "" if state.domain_auc is None else f" (domain classifier: AUC {state.domain_auc:.3f}"
    domain += "" if not domain else ")" if state.domain_p is None else f", p {state.domain_p:.3g})"
    if not state.drifted:
        return Trigger("on_drift", False, f"none{domain}")
    more = len(state.drifted) - _NAMED
    shown = ", ".join(state.drifted[:_NAMED]) + (f" and {more} more" if more > 0 else "")
    return Trigger("on_drift", True, f"of {shown}{domain}")


def _decay(declared: Decay | None, state: RetrainingState) -> Trigger:
    if declared is None:
        return Trigger("on_decay", False, _NOT_DECLARED)
    bound = declared.at_least if declared.at_most is None else declared.at_most
    decayed, why = _fallen(declared, state.windows, bound)
    if state.coverage is None:
        return Trigger("on_decay", decayed, why)
    # Intervals that miss more than on the test mislead as much as worse predictions do.
    uncovered, text = _fallen(declared, state.coverage, None)
    metric = state.windows[-1].metric if state.windows else "quality"
    texts = [f"{metric}: {why}", f"coverage of intervals: {text}"]
    first = texts[::-1] if uncovered and not decayed else texts
    return Trigger("on_decay", decayed or uncovered or decayed, "; ".join(first))


def _fallen(
    declared: Decay, windows: Sequence[QualityWindow] | None, bound: float | None
) -> tuple[bool | None, str]:
    """Whether enough of the last windows are worse than the bound, or else than the champion's test, and why."""
    if not windows:
        return None, "no window has known labels that this champion has not learnt from"
    last = windows[-declared.of :]
    if len(last) < declared.windows:
        return None, f"needs {declared.windows} windows with known labels, there are {len(last)}"
    metric = last[-1].metric
    # By the whole interval, as monitoring does.
    worse = [
        each
        for each in last
        if (each.below if bound is None else wholly_worse(metric, (each.low, each.high), bound))
    ]
    limit = "the champion's own estimate" if bound is None else bound_text(metric, bound)
    side = "below" if higher_is_better(metric) else "above"
    text = f"{len(worse)} of the last {len(last)} windows wholly {side} {limit}, needed {declared.windows}"
    return len(worse) >= declared.windows, f"{text}; the latest at {metric_text(metric, last[-1].value)}"


def _cooling_until(policy: Retraining, state: RetrainingState) -> datetime | None:
    if state.last_training_at is None:
        return None
    until = state.last_training_at + _timedelta(policy.cool_down)
    # A training after the date of an as-of run does not count.
    return until if state.last_training_at <= state.now < until else None


def _why(triggers: list[Trigger], holding: list[Trigger], cooling: datetime | None, due: bool) -> str:
    if due:
        return "due: " + "; ".join(f"{trigger.name}: {trigger.why}" for trigger in holding)
    if cooling is not None and holding:
        names = ", ".join(trigger.name for trigger in holding)
        return f"not due: {names}, but no trigger counts until {cooling:%Y-%m-%d %H:%M} UTC (cool_down)"
    if all(trigger.why.startswith(_NOT_DECLARED) for trigger in triggers if trigger.name != "champion"):
        return "not due: there is a champion, and no trigger is declared"
    unknown = ", ".join(trigger.name for trigger in triggers if trigger.holds is None)
    return "not due: no trigger holds" + (f"; not known: {unknown}" if unknown else "")


def _timedelta(duration: str | int) -> timedelta:
    """The declaration accepts no other whole number than the default, 0."""
    return as_timedelta(duration).to_pytimedelta() if isinstance(duration, str) else timedelta(0)


def _rows(number: int) -> str:
    return f"{number:,} {'row' if number == 1 else 'rows'}"
