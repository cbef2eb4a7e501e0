"""Studies in real storages, with losses that are made up."""

from __future__ import annotations

import os
import re
from dataclasses import replace

import optuna
import pytest
from small_search import MadeUp, made_search

from lepton_pipeline.errors import ConfigurationError, LeptonError
from lepton_pipeline.operations.tuning.search import COMPLETE, PRUNED, make_trials, run_search
from lepton_pipeline.operations.tuning.study import (
    PROCESS,
    RETRIES,
    Place,
    count_trials,
    open_study,
    require_place,
    retry_abandoned,
)
from lepton_pipeline.system.processes import identity
from lepton_pipeline.system.workers import LostWorkerError

DEAD = identity() | {"process.id": "1", "process.started": "0"}


def opened(search):
    return open_study(search.place, search.study, search.space)


def made(search, objective=None):
    """The trials that a search makes here."""
    trials = []
    make_trials(search, objective or MadeUp(), trials.append)
    return trials


def suggested(trials):
    return [trial.changes for trial in trials]


def test_the_first_trial_is_as_declared_and_the_same_seed_suggests_the_same(tmp_path):
    one = made(made_search(tmp_path / "one", trials=14))
    assert (one[0].number, one[0].changes, one[0].state) == (0, {}, COMPLETE)
    assert len(one[0].epochs) == 24
    assert suggested(made(made_search(tmp_path / "again", trials=14))) == suggested(one)
    assert suggested(made(made_search(tmp_path / "other", trials=14, seed=8))) != suggested(one)
    # It learns from its trials.
    assert min(trial.loss for trial in one if trial.loss is not None) < one[0].loss


def test_a_search_that_was_stopped_goes_on_as_if_it_had_not(tmp_path):
    whole = made(made_search(tmp_path / "whole", trials=13))
    begun = made(made_search(tmp_path / "parts", trials=12))
    rest = made(made_search(tmp_path / "parts", trials=13))
    assert suggested([*begun, *rest]) == suggested(whole)
    assert made(made_search(tmp_path / "parts", trials=13)) == []


def test_what_is_worse_than_most_at_its_epoch_is_pruned(tmp_path):
    trials = made(made_search(tmp_path, trials=16))
    pruned = [trial for trial in trials if trial.state == PRUNED]
    assert pruned
    assert all(trial.loss is None and len(trial.epochs) < 24 for trial in pruned)
    # The first ones cannot be compared with others.
    assert {trial.state for trial in trials[:5]} == {COMPLETE}


def test_no_trial_begins_when_the_time_is_up(tmp_path):
    search = made_search(tmp_path)
    assert made(replace(search, budget=replace(search.budget, until=0.0))) == []


# The one that is left behind is asked for by the test.
@pytest.mark.filterwarnings("ignore:Heartbeat of storage is supposed to be used with Study.optimize")
@pytest.mark.parametrize("database", [False, True])
def test_a_trial_of_a_process_that_ended_is_made_again_with_the_same_values(tmp_path, database):
    url = f"sqlite:///{tmp_path}/study.db" if database else None
    search = made_search(tmp_path, trials=3, url=url)
    study = opened(search)
    made(replace(search, budget=replace(search.budget, trials=1)))
    left = study.ask()
    search.space.suggest(left)
    left.set_user_attr(PROCESS, DEAD)
    trials = made(search)
    assert [trial.number for trial in trials] == [2, 3]
    assert trials[0].changes == search.space.changes(left.params)
    assert (count_trials(study).complete, count_trials(study).failed) == (3, 1)
    # The living are left alone.
    study.ask().set_user_attr(PROCESS, identity())
    assert retry_abandoned(study) == 0
    assert count_trials(study).running == 1


def test_a_trial_that_ends_its_process_every_time_is_given_up(tmp_path):
    study = opened(made_search(tmp_path))
    for _ in range(RETRIES + 1):
        study.ask().set_user_attr(PROCESS, DEAD)
        assert retry_abandoned(study) == 1
    assert [trial.state.name for trial in study.trials] == ["FAIL"] * (RETRIES + 1)


def test_an_interrupted_trial_stays_open_for_the_next_search(tmp_path):
    search = made_search(tmp_path, trials=2)
    with pytest.raises(SystemExit) as stopped:
        made(search, MadeUp("interrupted"))
    assert stopped.value.code == 130
    assert count_trials(opened(search)).running == 1


def test_a_training_that_diverges_is_a_bad_trial_and_every_other_error_ends_the_search(tmp_path):
    trials = made(made_search(tmp_path / "diverged", trials=3), MadeUp("diverged"))
    assert [trial.state for trial in trials] == [COMPLETE, PRUNED, PRUNED]
    with pytest.raises(ConfigurationError, match="no such device"):
        made(made_search(tmp_path / "wrong", trials=3), MadeUp("wrong"))


def test_processes_share_a_study_and_make_the_trial_of_a_killed_one_again(tmp_path):
    told, search = [], made_search(tmp_path, trials=40)
    killed = MadeUp("killed", parent=os.getpid(), once=tmp_path / "killed")
    lost = run_search(search, killed, 2, told.append)
    assert isinstance(lost, LostWorkerError)
    assert "ended with code -9" in str(lost)
    counts = count_trials(opened(search))
    assert (counts.complete + counts.pruned, counts.running, counts.failed) == (40, 0, 1)
    assert len(told) == 40


def test_a_journal_that_is_damaged_is_named(tmp_path):
    search = made_search(tmp_path)
    made(replace(search, budget=replace(search.budget, trials=2)))
    search.place.journal.write_text('{"op\n' + search.place.journal.read_text())
    with pytest.raises(ConfigurationError, match=r"journal\.log is damaged: .*remove it"):
        opened(search)


@pytest.mark.parametrize(
    ("url", "said", "kind"),
    [
        ("nonsense", "nonsense is no address of a database", ConfigurationError),
        ("oracle3+x://me:secret-word@db/x", "oracle3+x://***@db/x", ConfigurationError),
        (
            "postgresql+psycopg://me:secret-word@localhost:1/x",
            "postgresql+psycopg://***@localhost:1/x",
            LeptonError,
        ),
        ("sqlite:////nowhere/at/all.db", "cannot be used: ", LeptonError),
    ],
)
def test_a_database_that_cannot_be_used_is_one_message_without_credentials(tmp_path, url, said, kind):
    if "psycopg" in url:
        pytest.importorskip("psycopg", reason="it is not installed: pip install '.[postgres]'")
    with pytest.raises(kind, match=re.escape(said)) as refused:
        require_place(Place(tmp_path / "journal.log", url))
    assert str(refused.value).startswith("--storage: ")
    assert "secret-word" not in str(refused.value)


def test_trials_in_a_database_give_signs_of_life(tmp_path):
    search = made_search(tmp_path, trials=2, url=f"sqlite:///{tmp_path}/study.db")
    storage = opened(search)._storage
    assert isinstance(storage, optuna.storages._CachedStorage)
    assert storage.get_heartbeat_interval() == 30
    assert storage.get_heartbeat_stale_trial_callback() is not None
