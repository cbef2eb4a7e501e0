"""The result of a search, and its record in MLflow: trials are nested runs below that of the command."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lepton_pipeline.errors import LeptonError
from lepton_pipeline.operations.tuning.gain import Gain
from lepton_pipeline.operations.tuning.rows import CHOICE, JUDGED, TRAIN, Rows
from lepton_pipeline.operations.tuning.search import Search, Trial
from lepton_pipeline.operations.tuning.space import Value, apply_changes
from lepton_pipeline.operations.tuning.study import Counts, count_trials
from lepton_pipeline.parameters import Training
from lepton_pipeline.parameters.jobs import KIND, TUNING
from lepton_pipeline.system.records import from_plain, to_plain
from lepton_pipeline.tracking.runs import RunLog

if TYPE_CHECKING:
    from optuna.study import Study

_GAIN = "gain"
_PARENT = "mlflow.parentRunId"  # by which MLflow nests runs


@dataclass(frozen=True)
class RowCounts:
    """Rows of a search by what they are for."""

    learnt_from: int
    chosen_by: int
    judged_by: int

    @classmethod
    def of(cls, rows: Rows) -> RowCounts:
        """Count them."""
        return cls(*(rows.count(part) for part in (TRAIN, CHOICE, JUDGED)))


@dataclass(frozen=True)
class TuningResult:
    """What a search found; losses of trials are means over the rows of the choice, None if there is none yet."""

    vertical: str
    study: str
    loss: str  # what the loss is, as curves of a training name it
    trials: Counts
    rows: RowCounts
    chosen: int  # number of the best trial
    chosen_loss: float
    declared_loss: float | None
    changes: dict[str, Value]  # of the best trial; empty where the declared values are the best
    gain: Gain | None = None  # None where nothing changes

    @property
    def worth_it(self) -> bool:
        """Whether to change the declaration."""
        return self.gain is not None and self.gain.certain


def summarise(vertical: str, search: Search, study: Study, rows: Rows) -> TuningResult:
    """What the trials of a study found, without a gain; LeptonError if none is complete yet."""
    from optuna.trial import TrialState

    whole, space = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)), search.space
    if not whole:
        raise LeptonError(
            f"{vertical}: no trial was completed in time; call the command again with a longer --timeout: it resumes."
        )
    losses = {trial.number: float(trial.value or 0.0) for trial in whole}
    changes = {trial.number: space.changes(trial.params) for trial in whole}
    declared = [losses[number] for number, each in changes.items() if not each]
    # Of equally good ones, the one that changes least.
    best = min(losses, key=lambda each: (losses[each], len(changes[each]), each))
    return TuningResult(
        vertical=vertical,
        study=search.study,
        loss=rows.target.task.row_loss,
        trials=count_trials(study),
        rows=RowCounts.of(rows),
        chosen=best,
        chosen_loss=losses[best],
        declared_loss=min(declared, default=None),
        changes=changes[best],
    )


def known_gain(study: Study, chosen: int, seeds: int) -> Gain | None:
    """The gain of a trial, if it was measured before with as many seeds."""
    known = study.user_attrs.get(_GAIN, {})
    if (known.get("trial"), known.get("seeds")) != (chosen, seeds):
        return None
    return from_plain(Gain, known[_GAIN], "the study")


def keep_gain(study: Study, chosen: int, gain: Gain) -> None:
    """Keep the gain of a trial in the study."""
    study.set_user_attr(_GAIN, {"trial": chosen, "seeds": gain.seeds, _GAIN: to_plain(gain)})


@dataclass(frozen=True)
class TuningLog:
    """Runs of a search, in an experiment of their own: nothing that reads trainings finds them."""

    log: RunLog
    experiment: str
    run_id: str
    training: Training
    curve: str

    def trial(self, trial: Trial) -> None:
        """Record a trial as a run below the command's."""
        tags = {KIND: TUNING, _PARENT: self.run_id, "trial": str(trial.number), "state": trial.state}
        run_id = self.log.open(self.experiment, f"trial {trial.number}", tags, {})
        with self.log.closing(run_id):
            tried = apply_changes(self.training, trial.changes)
            self.log.parameters(run_id, {"training": tried.model_dump(mode="json")})
            for epoch in trial.epochs:
                self.log.metrics(run_id, {f"validation.{self.curve}": epoch.validation_loss}, epoch.number)
            figures = {"seconds": trial.seconds} | ({} if trial.loss is None else {"loss": trial.loss})
            self.log.metrics(run_id, figures)

    def result(self, found: TuningResult) -> None:
        """Record the figures of the whole search."""
        figures: dict[str, float] = {
            "trials": found.trials.complete + found.trials.pruned,
            "loss": found.chosen_loss,
        }
        if found.gain is not None:
            gain = found.gain.difference
            ends = {"": gain.value, ".low": gain.low, ".high": gain.high}
            figures |= {f"gain{end}": value for end, value in ends.items() if value is not None}
        self.log.metrics(self.run_id, figures)
        self.log.tag(self.run_id, _texts({"study": found.study, "worth_it": found.worth_it, **found.changes}))


def _texts(values: Mapping[str, object]) -> dict[str, str]:
    return {key: str(value) for key, value in values.items()}
