"""Apply the declared retraining policy."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from lepton_pipeline.operations.retraining.facts import Facts
from lepton_pipeline.parameters import Decay, Retraining
from lepton_pipeline.parameters.durations import as_timedelta
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


def decide(policy: Retraining, facts: Facts, *, force: bool = False) -> Decision:
    """Apply a policy.

    A vertical is due where a trigger holds and no training has finished within `cool_down`. A missing
    champion is a trigger that need not be declared. `force` overrides policy and cool-down.
    """
    triggers = [
        _no_champion(facts),
        _max_age(policy, facts),
        _new_rows(policy, facts),
        _drift(policy, facts),
        _decay(policy.on_decay, facts),
    ]
    if force:
        triggers.append(Trigger("force", True, "asked for"))
    cooling = _cooling_until(policy, facts)
    holding = [trigger for trigger in triggers if trigger.holds]
    due = force or (bool(holding) and cooling is None)
    return Decision(due, tuple(triggers), cooling, _why(triggers, holding, cooling, due))


def _no_champion(facts: Facts) -> Trigger:
    if facts.champion is None:
        return Trigger("champion", True, "there is none")
    return Trigger("champion", False, f"version {facts.champion.version}")


def _max_age(policy: Retraining, facts: Facts) -> Trigger:
    if policy.max_age is None:
        return Trigger("max_age", False, _NOT_DECLARED)
    if facts.champion is None:
        return Trigger("max_age", None, "no champion has an age")
    age = facts.now - facts.champion.trained_at
    if age < timedelta(0):
        # So it is in an as-of run; else a clock was wrong, and False might last for years.
        trained = f"it was trained on {facts.champion.trained_at:%Y-%m-%d}, after this date"
        return Trigger("max_age", None, trained)
    old = age >= _timedelta(policy.max_age)
    return Trigger("max_age", old, f"age {span_text(age)}, {'not ' * (not old)}reached: {policy.max_age}")


def _new_rows(policy: Retraining, facts: Facts) -> Trigger:
    wanted, new, champion = policy.on_new_rows, facts.new_mature_rows, facts.champion
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


def _drift(policy: Retraining, facts: Facts) -> Trigger:
    if not policy.on_drift:
        return Trigger("on_drift", False, _NOT_DECLARED)
    if facts.drifted is None:
        return Trigger("on_drift", None, "new rows were not compared with this champion's training rows")
    domain = "" if facts.domain_auc is None else f" (domain classifier: AUC {facts.domain_auc:.3f}"
    domain += "" if not domain else ")" if facts.domain_p is None else f", p {facts.domain_p:.3g})"
    if not facts.drifted:
        return Trigger("on_drift", False, f"none{domain}")
    more = len(facts.drifted) - _NAMED
    shown = ", ".join(facts.drifted[:_NAMED]) + (f" and {more} more" if more > 0 else "")
    return Trigger("on_drift", True, f"of {shown}{domain}")


def _decay(declared: Decay | None, facts: Facts) -> Trigger:
    if declared is None:
        return Trigger("on_decay", False, _NOT_DECLARED)
    if not facts.windows:
        return Trigger("on_decay", None, "no window has known labels that this champion has not learnt from")
    last = facts.windows[-declared.of :]
    bound = declared.at_least
    if len(last) < declared.windows:
        why = f"needs {declared.windows} windows with known labels, there are {len(last)}"
        return Trigger("on_decay", None, why)
    # By the whole interval, as monitoring does.
    below = [each for each in last if (each.below if bound is None else each.high < bound)]
    limit = "the champion's own estimate" if bound is None else f"{bound:g}"
    text = f"{len(below)} of the last {len(last)} windows wholly below {limit}, needed {declared.windows}"
    return Trigger("on_decay", len(below) >= declared.windows, f"{text}; the latest at {last[-1].value:.4f}")


def _cooling_until(policy: Retraining, facts: Facts) -> datetime | None:
    if facts.last_training_at is None:
        return None
    until = facts.last_training_at + _timedelta(policy.cool_down)
    # A training after the date of an as-of run does not count.
    return until if facts.last_training_at <= facts.now < until else None


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
