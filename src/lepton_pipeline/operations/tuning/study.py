"""The study of a search: where its trials are kept, which are still to be made, and those that a dead process left."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lepton_pipeline.errors import ConfigurationError, StoreError
from lepton_pipeline.operations.tuning.space import Space
from lepton_pipeline.system.credentials import learn, masked
from lepton_pipeline.system.locks import FileLock
from lepton_pipeline.system.permissions import shared_folder
from lepton_pipeline.system.processes import has_ended
from lepton_pipeline.tracking.database import may_pass

if TYPE_CHECKING:
    from collections.abc import Iterator

    from optuna.storages import BaseStorage
    from optuna.study import Study
    from optuna.trial import FrozenTrial

PROCESS = "process"
JOURNAL = "journal.log"
# A trial that ends its process three times will do so again.
RETRIES = 2
# Trials without a word of their process; between being asked for and naming it there are milliseconds.
_NAMELESS = timedelta(minutes=1)
# Seconds between two signs of life in a database, and after which a trial without one is abandoned.
_HEARTBEAT, _GRACE = 30, 120
# Trials before the median of others says anything, and epochs that are always made: lower learning rates begin slowly.
_STARTUP, _WARMUP = 5, 5


@dataclass(frozen=True)
class Place:
    """Where trials are kept: a journal, for processes of one machine, or a database, for those of several."""

    journal: Path
    url: str | None = None

    def __str__(self) -> str:
        """The address without credentials."""
        return str(self.journal) if self.url is None else str(masked(self.url))


@dataclass(frozen=True)
class Counts:
    """Trials by how they ended."""

    complete: int
    pruned: int
    running: int
    failed: int

    @property
    def made(self) -> int:
        """Trials that count for the budget."""
        return self.complete + self.pruned + self.running


def require_optuna() -> None:
    """Raise ConfigurationError where the extra `tune` is not installed."""
    if find_spec("optuna") is None:
        raise ConfigurationError("kedro tune needs optuna, not installed here: pip install -e '.[tune]'")


def require_place(place: Place) -> None:
    """Open the storage once; raises as `open_study` does."""
    with explained(place), _damage_explained(place):
        _open_storage(place)


def open_study(place: Place, name: str, space: Space) -> Study:
    """Open the study of this name, or create it with the declared values as its first trial.

    Raises ConfigurationError if the place cannot be used, StoreError if it may be in a minute.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with explained(place), _damage_explained(place):
        pruner = optuna.pruners.MedianPruner(n_startup_trials=_STARTUP, n_warmup_steps=_WARMUP)
        study = optuna.create_study(
            storage=_open_storage(place),
            study_name=name,
            direction="minimize",
            pruner=pruner,
            load_if_exists=True,
        )
        study.enqueue_trial(dict(space.declared), skip_if_exists=True)
    return study


@contextmanager
def explained(place: Place) -> Iterator[None]:
    """Report what a storage raises as an error of the user's, without credentials."""
    from optuna.exceptions import OptunaError
    from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

    try:
        yield
    except ImportError as error:
        raise ConfigurationError(
            f"--storage: {place} needs a driver that is not installed: {error}; pip install -e '.[postgres]' installs "
            "PostgreSQL's, for postgresql+psycopg://."
        ) from error
    except (ArgumentError, NoSuchModuleError) as error:
        raise ConfigurationError(
            f"--storage: {place} is no address of a database: {masked(str(error))}; write "
            "postgresql+psycopg://USER:PASSWORD@HOST/NAME, or sqlite:///FILE on one machine."
        ) from error
    except (SQLAlchemyError, OptunaError) as error:
        # Optuna's own errors only say that there is one.
        reason = str(masked(str(error.__cause__ or error))).splitlines()[0]
        kind = StoreError if may_pass(error) else ConfigurationError
        raise kind(
            f"--storage: {place} cannot be used: {reason}; check the address, the credentials and that the server runs."
        ) from error


def count_trials(study: Study) -> Counts:
    """Count the trials by how they ended."""
    from optuna.trial import TrialState

    states = [trial.state for trial in study.get_trials(deepcopy=False)]
    kinds = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.RUNNING, TrialState.FAIL)
    return Counts(*map(states.count, kinds))


def seed_sampler(study: Study, seed: int) -> None:
    """Let the next suggestion depend on the seed, the number of the trial and earlier trials alone.

    One job thus suggests the same in every search, also in one that was stopped and resumed.
    """
    import optuna

    number = len(study.get_trials(deepcopy=False))
    own = int(np.random.SeedSequence([seed, number]).generate_state(1)[0])
    with _experiments_ignored():
        study.sampler = optuna.samplers.TPESampler(seed=own, constant_liar=True)


def retry_abandoned(study: Study) -> int:
    """Queue trials again whose process has ended without a result; return how many.

    Only processes of this machine are known. In a database, heartbeats tell of all others.
    """
    from optuna.exceptions import UpdateFinishedTrialError
    from optuna.trial import TrialState

    found = 0
    for trial in study.get_trials(states=(TrialState.RUNNING,)):
        process: Mapping[str, str] = trial.user_attrs.get(PROCESS, {})
        begun = trial.datetime_start or datetime.now()  # as Optuna keeps it
        nameless = not process and datetime.now() - begun > _NAMELESS
        if not nameless and not has_ended(process):
            continue
        try:
            study.tell(trial.number, state=TrialState.FAIL)
        except (ValueError, UpdateFinishedTrialError):
            # Another process was quicker, and has queued it.
            continue
        _queue_again(study, trial)
        found += 1
    return found


@contextmanager
def _damage_explained(place: Place) -> Iterator[None]:
    try:
        yield
    except (ValueError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and place.url is None:
            raise
        what = "damaged" if place.url is None else "of another version of Optuna"
        raise ConfigurationError(
            f"{place} is {what}: {masked(str(error))}; remove it or name another, and the search begins anew."
        ) from error


def _open_storage(place: Place) -> BaseStorage:
    from optuna.storages import JournalStorage, RDBStorage
    from optuna.storages.journal import JournalFileBackend

    if place.url is not None:
        learn({"con": place.url})
        with _experiments_ignored():
            return RDBStorage(
                place.url,
                heartbeat_interval=_HEARTBEAT,
                grace_period=_GRACE,
                heartbeat_stale_trial_callback=_queue_again,
            )

    shared_folder(place.journal.parent)
    # Free when its process ends, however it ends; Optuna's own would stay behind.
    lock = FileLock(place.journal.with_name(f"{place.journal.name}.lock"))
    return JournalStorage(JournalFileBackend(str(place.journal), lock))  # type: ignore[arg-type]  # has both methods


def _queue_again(study: Study, trial: FrozenTrial) -> None:
    """Queue a trial with the same values, without the process that it had."""
    from optuna.storages import RetryHeartbeatStaleTrialCallback

    trial.user_attrs = {}
    with _experiments_ignored():
        RetryHeartbeatStaleTrialCallback(max_retry=RETRIES)(study, trial)


@contextmanager
def _experiments_ignored() -> Iterator[None]:
    """Without the warning that an interface of Optuna may change: its version is bounded."""
    from optuna.exceptions import ExperimentalWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        yield
