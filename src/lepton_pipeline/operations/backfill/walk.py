"""Walk through the dates of a backfill: at each the job of then, and a model whatever it decides."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Protocol

from lepton_pipeline.errors import ContractError, DataError
from lepton_pipeline.operations.backfill.grid import Grid
from lepton_pipeline.operations.backfill.realised import ALWAYS, NEVER, POLICY
from lepton_pipeline.operations.backfill.shelf import Shelf
from lepton_pipeline.operations.retraining.job import Outcome, Request, Steps, run_job
from lepton_pipeline.parameters import Vertical
from lepton_pipeline.project.user_errors import user_error
from lepton_pipeline.tracking.runs import RunLog


@dataclass(frozen=True)
class Look:
    """What the policy came to at a date.

    Attributes:
        date: its name.
        due: whether to train; False where the job failed before.
        triggers: those that held.
        why: the decision in a sentence, or why the job failed.
        version: number of the model that the policy had trained; None where it had none trained.
        promoted: whether that became champion; None where the champion was the same model.
        gate: why, or why not.
        alarms: "failed", "contract", "refused", "drift", "decay".
        drifted: names of what has drifted.
        new_rows: mature rows that the champion was not made of; None where nobody knows.
        model: whether there is a model of this date, due or not.
        champion: name of the date of the policy's model afterwards; None where it has none.
    """

    date: str
    due: bool
    triggers: tuple[str, ...]
    why: str
    version: int | None
    promoted: bool | None
    gate: str
    alarms: tuple[str, ...]
    drifted: tuple[str, ...]
    new_rows: int | None
    model: bool
    champion: str | None


class DatedSteps(Steps, Protocol):
    """The steps of a job at a date, and the model of that date."""

    def go_to(self, name: str, date: str | float) -> None:
        """Make rows those that were known at a date."""
        ...

    def train_anyway(self) -> None:
        """Have the model that a training at this date gives, unless it was made already; nothing is registered.

        Raises:
            DataError: there can be none.
        """
        ...


def walk(
    grid: Grid,
    asked: Request,
    steps: DatedSteps,
    shelf: Shelf,
    open_store: Callable[[], RunLog],
    told: Callable[[Look, bool], None],
) -> list[Look]:
    """Do the job at every date that is not finished yet.

    Args:
        grid: the dates.
        asked: the job, which is done as of each date; its moment is the present, where dates are numbers.
        steps: the vertical's pipelines, at a date.
        shelf: what is finished.
        open_store: opens the scratch store, once it is what it was at the last date that is finished.
        told: called with every date, and whether it was finished before.

    Raises:
        DataError: nothing could be trained at the first date.
    """
    names = grid.names()
    looks = [_read(each) for each in shelf.finished(names)]
    for look in looks:
        told(look, True)
    if len(looks) == len(names):
        return looks
    shelf.restore(names[len(looks) - 1] if looks else None)
    log = open_store()
    for position in range(len(looks), len(names)):
        name, date = names[position], grid.dates[position]
        steps.go_to(name, date)
        request = replace(asked, as_of=date, now=grid.moment(position, asked.now))
        outcome = run_job(log, request, steps, lambda facts, decision: None)
        look = _look(name, outcome, steps, looks[-1].champion if looks else None)
        look = replace(look, model=_train_anyway(steps, first=not looks))
        shelf.finish(name, asdict(look))
        looks.append(look)
        told(look, False)
    return looks


def without_clock(declared: Vertical, grid: Grid) -> tuple[Vertical, list[str]]:
    """The declaration without what dates that are numbers cannot say, and a note of that if there is any."""
    policy = declared.retraining
    if not grid.numeric or (policy.max_age is None and policy.cool_down in (0, "0d")):
        return declared, []
    kept = policy.model_copy(update={"max_age": None, "cool_down": "0d"})
    note = "max_age and cool_down are left out: dates are numbers here, of which the clock says nothing"
    return declared.model_copy(update={"retraining": kept}), [note]


def models_in_use(looks: Sequence[Look]) -> dict[str, list[str | None]]:
    """By strategy the model in use after each date.

    The policy's is its champion. "Never" keeps the first model that could be trained, "always" has the
    latest, both whatever the gate says.
    """
    trained = [look.date if look.model else None for look in looks]
    first = next((name for name in trained if name is not None), None)
    latest: list[str | None] = []
    for name in trained:
        latest.append(name or (latest[-1] if latest else None))
    return {
        POLICY: [look.champion for look in looks],
        NEVER: [None if name is None else first for name in latest],
        ALWAYS: latest,
    }


def _look(name: str, outcome: Outcome, steps: Steps, champion: str | None) -> Look:
    if outcome.error is not None and user_error(outcome.error) is None:
        # No state of the data, but a fault: what follows from it would not be what the policy does.
        raise outcome.error
    facts, decision, trained = outcome.facts, outcome.decision, outcome.trained
    promoted = False if trained is None else trained.promoted
    # What was monitored at this date; without facts the job failed before or in it.
    result = None if facts is None or facts.champion is None else steps.last_monitoring()
    return Look(
        date=name,
        due=decision is not None and decision.due,
        triggers=() if decision is None else decision.holding,
        why=str(outcome.error) if decision is None or outcome.error is not None else decision.why,
        version=None if trained is None else trained.version,
        promoted=promoted,
        gate="" if trained is None else trained.reason,
        alarms=tuple(_alarms(outcome, result)),
        drifted=() if facts is None or facts.drifted is None else facts.drifted,
        new_rows=None if facts is None else facts.new_mature_rows,
        model=False,
        champion=name if promoted else champion,
    )


def _alarms(outcome: Outcome, monitored: Mapping[str, Any] | None) -> list[str]:
    found = []
    if outcome.error is not None:
        found.append("contract" if isinstance(outcome.error, ContractError) else "failed")
    if outcome.trained is not None and outcome.trained.promoted is False:
        found.append("refused")
    found += [
        alarm for alarm, key in (("drift", "drifted"), ("decay", "decayed")) if (monitored or {}).get(key)
    ]
    return found


def _train_anyway(steps: DatedSteps, *, first: bool) -> bool:
    try:
        steps.train_anyway()
    except DataError as error:
        if first:
            raise DataError(
                f"--from: nothing can be trained at the first date: {error} Begin later."
            ) from error
        return False
    return True


def _read(stored: Mapping[str, Any]) -> Look:
    lists = {key: tuple(stored[key]) for key in ("triggers", "alarms", "drifted")}
    return Look(**{**stored, **lists})
