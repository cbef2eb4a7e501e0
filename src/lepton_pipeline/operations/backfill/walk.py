"""Run the retraining job at every date of a backfill, train a model whatever the decision, and keep both."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import takewhile
from pathlib import Path
from typing import Protocol

from lepton_pipeline.errors import ContractError, DataError
from lepton_pipeline.operations.backfill.grid import Grid
from lepton_pipeline.operations.retraining.job import Outcome, Request, Steps, run_job
from lepton_pipeline.parameters import Vertical
from lepton_pipeline.project.user_errors import user_error
from lepton_pipeline.system.files import replacing, write_json
from lepton_pipeline.system.records import from_json, to_plain
from lepton_pipeline.tracking.local_store import LocalStore
from lepton_pipeline.tracking.runs import RunLog

POLICY, NEVER, ALWAYS = "policy", "never", "always"
STRATEGIES = (POLICY, NEVER, ALWAYS)
STORE, ARTEFACTS = "mlflow.db", "mlruns"
_NOTE, _DECISION = "key.json", "decision.json"


@dataclass(frozen=True)
class DatedDecision:
    """The decision of the policy at a date."""

    date: str  # its name
    due: bool  # False also where the job failed before the decision
    triggers: tuple[str, ...]  # those that held
    why: str  # the decision in a sentence, or the error
    version: int | None  # of the model that the policy had trained
    promoted: bool | None  # None where the champion was the same model
    gate: str  # reason of the gate
    alarms: tuple[str, ...]  # "failed", "contract", "refused", "drift", "decay", "turn"
    drifted: tuple[str, ...]
    new_rows: int | None  # mature rows that the champion was not made of
    model: bool  # whether a model of this date exists, due or not
    champion: str | None  # date of the policy's model afterwards


class Checkpoints:
    """The folder of a vertical's backfill, made if missing; what it holds is complete.

    A model depends on date, rows and the declaration of its training; a decision also on the policy and on
    earlier decisions. Models are kept apart, so another policy finds them again.
    """

    def __init__(self, folder: Path):
        self._folder = folder
        self.store = folder / "store"
        self._models, self._dates = folder / "models", folder / "dates"
        for each in (self.store, self._models, self._dates):
            each.mkdir(parents=True, exist_ok=True)

    def begin(self, key: dict[str, str]) -> list[str]:
        """Keep what has the same key, drop other decisions and what is incomplete; return what changed."""
        note = self._folder / _NOTE
        before = json.loads(note.read_bytes()) if note.is_file() else {}
        changed = [name for name in key if before and before.get(name) != key[name]]
        if changed or not before:
            shutil.rmtree(self._dates)
            self._dates.mkdir()
            write_json(note, key, alone=True)
        for each in (*self._models.glob(".*"), *self._dates.glob(".*")):
            shutil.rmtree(each)
        return changed

    def finished(self, names: list[str]) -> list[DatedDecision]:
        """The decisions of the leading dates that are complete."""
        complete = takewhile(lambda name: (self._dates / name).is_dir(), names)
        files = (self._dates / name / _DECISION for name in complete)
        return [from_json(DatedDecision, file.read_bytes(), str(file)) for file in files]

    def restore(self, name: str | None) -> None:
        """Reset the scratch store to its state after a date, or to an empty one."""
        for each in self.store.glob(f"{STORE}*"):
            each.unlink()
        if name is None:
            shutil.rmtree(self.store / ARTEFACTS, ignore_errors=True)
            for each in self._dates.iterdir():
                shutil.rmtree(each)
        else:
            shutil.copy(self._dates / name / STORE, self.store / STORE)
            # The project may have been moved or copied since.
            home = LocalStore(self.store / STORE, self.store, Path(ARTEFACTS))
            home.rewrite(home.former())

    def finish(self, dated: DatedDecision) -> None:
        """Keep the decision of a date, with the store as it is now."""
        with replacing(self._dates / dated.date, alone=True) as folder:
            write_json(folder / _DECISION, to_plain(dated))
            with (
                closing(sqlite3.connect(self.store / STORE)) as now,
                closing(sqlite3.connect(folder / STORE)) as kept,
            ):
                now.backup(kept)

    def has_model(self, name: str, key: dict[str, str]) -> bool:
        """Whether there is a model of a date with the same key."""
        note = self._models / name / _NOTE
        return note.is_file() and json.loads(note.read_bytes()) == key

    def model(self, name: str) -> Path:
        """The folder of a model."""
        return self._models / name

    def keep_model(self, name: str, key: dict[str, str], fill: Callable[[Path], None]) -> None:
        """Keep a model, which `fill` writes into a folder, in place of one with another key."""
        with replacing(self._models / name, alone=True) as folder:
            folder.mkdir()
            fill(folder)
            write_json(folder / _NOTE, key)


class DatedSteps(Steps, Protocol):
    """The steps of a job at a date, and the model of that date."""

    def go_to(self, name: str, date: str | float, log: RunLog) -> None:
        """Set the date and the store to train in; rows are those known then."""

    def train_anyway(self) -> None:
        """Train the model of the date without registering it, unless it is kept; DataError if that fails."""


def walk(
    grid: Grid,
    asked: Request,
    steps: DatedSteps,
    checkpoints: Checkpoints,
    open_store: Callable[[], RunLog],
    told: Callable[[DatedDecision, bool], None],
) -> list[DatedDecision]:
    """Run the job at every date without a checkpoint.

    `asked` is the job; its moment is the present, where dates are numbers. `open_store` opens the scratch
    store, once it is restored to the last checkpoint; `told` is called with every date, and whether it had a
    checkpoint. Raises DataError if no model could be trained at the first date.
    """
    names = grid.names()
    decided = checkpoints.finished(names)
    for dated in decided:
        told(dated, True)
    if len(decided) == len(names):
        return decided
    checkpoints.restore(names[len(decided) - 1] if decided else None)
    log = open_store()
    for position in range(len(decided), len(names)):
        name, date = names[position], grid.dates[position]
        steps.go_to(name, date, log)
        request = replace(asked, as_of=date, now=grid.moment(position, asked.now))
        outcome = run_job(log, request, steps, lambda state, decision: None)
        dated = _dated(name, outcome, steps, decided[-1].champion if decided else None)
        dated = replace(dated, model=_train_anyway(steps, first=not decided))
        checkpoints.finish(dated)
        decided.append(dated)
        told(dated, False)
    return decided


def without_clock(declared: Vertical, grid: Grid) -> tuple[Vertical, list[str]]:
    """The declaration without ages and waits where dates are numbers, and a note if that changes it."""
    policy = declared.retraining
    if not grid.numeric or (policy.max_age is None and policy.cool_down in (0, "0d")):
        return declared, []
    kept = policy.model_copy(update={"max_age": None, "cool_down": "0d"})
    note = "max_age and cool_down are left out: dates are numbers here, without a relation to the clock"
    return declared.model_copy(update={"retraining": kept}), [note]


def models_in_use(decided: Sequence[DatedDecision]) -> dict[str, list[str | None]]:
    """By strategy the model in use after each date.

    The policy uses its champion, "never" the first model that could be trained, "always" the latest, both
    whatever the gate decides.
    """
    trained = [dated.date if dated.model else None for dated in decided]
    first = next(filter(None, trained), None)
    latest = [next(filter(None, reversed(trained[:count])), None) for count in range(1, len(trained) + 1)]
    return {
        POLICY: [dated.champion for dated in decided],
        NEVER: [None if name is None else first for name in latest],
        ALWAYS: latest,
    }


def _dated(name: str, outcome: Outcome, steps: Steps, champion: str | None) -> DatedDecision:
    if outcome.error is not None and user_error(outcome.error) is None:
        # A fault of the program, not a state of the data.
        raise outcome.error
    state, decision, trained, error = outcome.state, outcome.decision, outcome.trained, outcome.error
    promoted = False if trained is None else trained.promoted
    result = None if state is None or state.champion is None else steps.last_monitoring()
    alarms = {
        "contract": isinstance(error, ContractError),
        "failed": error is not None and not isinstance(error, ContractError),
        "refused": trained is not None and trained.promoted is False,
        "drift": result is not None and result.drifted,
        "decay": result is not None and result.quality_decayed is True,
        "turn": result is not None and result.turned,
    }
    return DatedDecision(
        date=name,
        due=decision is not None and decision.due,
        triggers=() if decision is None else decision.holding,
        why=str(error) if decision is None or error is not None else decision.why,
        version=None if trained is None else trained.version,
        promoted=promoted,
        gate="" if trained is None else trained.reason,
        alarms=tuple(alarm for alarm, holds in alarms.items() if holds),
        drifted=() if state is None or state.drifted is None else state.drifted,
        new_rows=None if state is None else state.new_mature_rows,
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
