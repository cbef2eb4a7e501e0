"""Make trials until the budget is used, in this process and in others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf
from time import monotonic, time
from typing import TYPE_CHECKING

from lepton_pipeline.errors import DivergedError
from lepton_pipeline.model.networks.shape import Epoch
from lepton_pipeline.operations.tuning.objective import Objective, trial_training
from lepton_pipeline.operations.tuning.space import Space, Value, apply_changes
from lepton_pipeline.operations.tuning.study import (
    PROCESS,
    Place,
    count_trials,
    explained,
    open_study,
    retry_abandoned,
    seed_sampler,
)
from lepton_pipeline.parameters import Training
from lepton_pipeline.system.processes import identity
from lepton_pipeline.system.workers import Call, LostWorkerError, Pool, Report

if TYPE_CHECKING:
    from optuna.study import Study

_INTERRUPTED = 130
COMPLETE, PRUNED = "complete", "pruned"


@dataclass(frozen=True)
class Budget:
    """How many trials a study gets, and the time (of the clock, in seconds) after which none begins."""

    trials: int
    until: float = inf

    @property
    def over(self) -> bool:
        """Whether the time is up."""
        return time() >= self.until


@dataclass(frozen=True)
class Search:
    """What a process needs to make trials of a study; it can be pickled."""

    place: Place
    study: str
    space: Space
    training: Training
    budget: Budget

    def wanting(self, study: Study) -> bool:
        """Whether a trial may still begin."""
        return not self.budget.over and count_trials(study).made < self.budget.trials


@dataclass(frozen=True)
class Trial:
    """A trial that has ended; `loss` is None where it was pruned, `epochs` are those that it made."""

    number: int
    state: str
    changes: dict[str, Value]
    loss: float | None
    epochs: list[Epoch] = field(repr=False)
    seconds: float


def run_search(
    search: Search, objective: Objective, jobs: int, tell: Callable[[Trial], None]
) -> LostWorkerError | None:
    """Make trials in `jobs` processes, this one among them, until the budget of the study is used.

    `tell` gets every trial of these processes as it ends. Returns what is known of a process that was killed; its
    trial was made again by another one. Raises LeptonError where that did not use the budget, or a fit fails.
    """
    with Pool(jobs) as pool:
        try:
            pool.run([Call(make_trials, (search, objective))] * jobs, tell)
        except LostWorkerError as lost:
            if not search.budget.over and not _is_used(search):
                raise
            return lost
    return None


def make_trials(search: Search, objective: Objective, report: Report) -> None:
    """Make one trial after the other until the budget of the study is used; report each `Trial`."""
    study = open_study(search.place, search.study, search.space)
    with explained(search.place):
        while True:
            retry_abandoned(study)
            if not search.wanting(study):
                return
            seed_sampler(study, search.training.seed)
            report(_make_trial(search, objective, study))


def _make_trial(search: Search, objective: Objective, study: Study) -> Trial:
    import optuna

    begun, epochs, made = monotonic(), list[Epoch](), list[tuple[int, dict[str, Value]]]()

    def measure(trial: optuna.Trial) -> float:
        trial.set_user_attr(PROCESS, identity())
        changes = search.space.suggest(trial)
        made.append((trial.number, changes))

        def follow(epoch: Epoch) -> None:
            epochs.append(epoch)
            trial.report(epoch.validation_loss, epoch.number)
            if trial.should_prune():
                raise optuna.TrialPruned

        try:
            return objective.loss(trial_training(apply_changes(search.training, changes)), follow)
        except DivergedError as error:
            raise optuna.TrialPruned from error
        except KeyboardInterrupt:
            # Optuna would take it for a failure of the trial, which nobody makes again.
            raise SystemExit(_INTERRUPTED) from None

    study.optimize(measure, n_trials=1)
    number, changes = made[0]
    ended = study.get_trials(deepcopy=False)[number]
    pruned = ended.state == optuna.trial.TrialState.PRUNED
    loss = None if pruned else ended.value
    return Trial(number, PRUNED if pruned else COMPLETE, changes, loss, epochs, monotonic() - begun)


def _is_used(search: Search) -> bool:
    study = open_study(search.place, search.study, search.space)
    counts = count_trials(study)
    return counts.complete + counts.pruned >= search.budget.trials
