"""Run the retraining job at every date of a backfill, and train a model whatever the decision."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol

from lepton_pipeline.errors import ContractError, DataError
from lepton_pipeline.operations.backfill.checkpoints import Checkpoints, Look
from lepton_pipeline.operations.backfill.grid import Grid
from lepton_pipeline.operations.backfill.realised import ALWAYS, NEVER, POLICY
from lepton_pipeline.operations.retraining.job import Outcome, Request, Steps, run_job
from lepton_pipeline.parameters import Vertical
from lepton_pipeline.project.user_errors import user_error
from lepton_pipeline.tracking.runs import RunLog


class DatedSteps(Steps, Protocol):
    """The steps of a job at a date, and the model of that date."""

    def go_to(self, name: str, date: str | float, log: RunLog) -> None:
        """Set the date and the store to train in; rows are those known then."""

    def train_anyway(self) -> None:
        """Train the model of the date without registering it, unless there is a checkpoint.

        Raises DataError if it cannot be trained.
        """


def walk(
    grid: Grid,
    asked: Request,
    steps: DatedSteps,
    checkpoints: Checkpoints,
    open_store: Callable[[], RunLog],
    told: Callable[[Look, bool], None],
) -> list[Look]:
    """Run the job at every date without a checkpoint.

    `asked` is the job; its moment is the present, where dates are numbers. `open_store` opens the scratch
    store, once it is restored to the last checkpoint; `told` is called with every date, and whether it had a
    checkpoint. Raises DataError if no model could be trained at the first date.
    """
    names = grid.names()
    looks = checkpoints.finished(names)
    for look in looks:
        told(look, True)
    if len(looks) == len(names):
        return looks
    checkpoints.restore(names[len(looks) - 1] if looks else None)
    log = open_store()
    for position in range(len(looks), len(names)):
        name, date = names[position], grid.dates[position]
        steps.go_to(name, date, log)
        request = replace(asked, as_of=date, now=grid.moment(position, asked.now))
        outcome = run_job(log, request, steps, lambda facts, decision: None)
        look = _look(name, outcome, steps, looks[-1].champion if looks else None)
        look = replace(look, model=_train_anyway(steps, first=not looks))
        checkpoints.finish(look)
        looks.append(look)
        told(look, False)
    return looks


def without_clock(declared: Vertical, grid: Grid) -> tuple[Vertical, list[str]]:
    """The declaration without ages and waits where dates are numbers, and a note if that changes it."""
    policy = declared.retraining
    if not grid.numeric or (policy.max_age is None and policy.cool_down in (0, "0d")):
        return declared, []
    kept = policy.model_copy(update={"max_age": None, "cool_down": "0d"})
    note = "max_age and cool_down are left out: dates are numbers here, without a relation to the clock"
    return declared.model_copy(update={"retraining": kept}), [note]


def models_in_use(looks: Sequence[Look]) -> dict[str, list[str | None]]:
    """By strategy the model in use after each date.

    The policy uses its champion, "never" the first model that could be trained, "always" the latest, both
    whatever the gate decides.
    """
    trained = [look.date if look.model else None for look in looks]
    first = next(filter(None, trained), None)
    latest = [next(filter(None, reversed(trained[:count])), None) for count in range(1, len(trained) + 1)]
    return {
        POLICY: [look.champion for look in looks],
        NEVER: [None if name is None else first for name in latest],
        ALWAYS: latest,
    }


def _look(name: str, outcome: Outcome, steps: Steps, champion: str | None) -> Look:
    if outcome.error is not None and user_error(outcome.error) is None:
        # A fault of the program, not a state of the data.
        raise outcome.error
    facts, decision, trained, error = outcome.facts, outcome.decision, outcome.trained, outcome.error
    promoted = False if trained is None else trained.promoted
    result = None if facts is None or facts.champion is None else steps.last_monitoring()
    alarms = {
        "contract": isinstance(error, ContractError),
        "failed": error is not None and not isinstance(error, ContractError),
        "refused": trained is not None and trained.promoted is False,
        "drift": result is not None and result.drifted,
        "decay": result is not None and result.decayed,
    }
    return Look(
        date=name,
        due=decision is not None and decision.due,
        triggers=() if decision is None else decision.holding,
        why=str(error) if decision is None or error is not None else decision.why,
        version=None if trained is None else trained.version,
        promoted=promoted,
        gate="" if trained is None else trained.reason,
        alarms=tuple(alarm for alarm, holds in alarms.items() if holds),
        drifted=() if facts is None or facts.drifted is None else facts.drifted,
        new_rows=None if facts is None else facts.new_mature_rows,
        model=False,
        champion=name if promoted else champion,
    )


def _train_anyway(steps: DatedSteps, *, first: bool) -> bool:
    try:
        steps.train_anyway()
    except DataError as error:
        if first:
            text = f"--from: no model can be trained at the first date: {error} Begin later."
            raise DataError(text) from error
        return False
    return True
