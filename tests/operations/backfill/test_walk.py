"""The walk with real jobs in a real scratch store, and pipelines that are made up."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime

import pytest
from monitored import column, monitored

from lepton_pipeline.errors import ContractError, DataError
from lepton_pipeline.operations.backfill.grid import make_grid
from lepton_pipeline.operations.backfill.walk import (
    ALWAYS,
    ARTEFACTS,
    NEVER,
    POLICY,
    STORE,
    Checkpoints,
    models_in_use,
    walk,
    without_clock,
)
from lepton_pipeline.operations.retraining.job import Request, Trained
from lepton_pipeline.operations.retraining.state import RowCounts
from lepton_pipeline.parameters import Vertical
from lepton_pipeline.registry.champion import champion_of, move_champion
from lepton_pipeline.tracking.runs import RunLog, Tracking

NOW = datetime(2026, 6, 15, tzinfo=UTC)
DECLARED = Vertical.model_validate(
    {
        "dataset": {"target": "bought", "positive": "yes", "time": "day"},
        "retraining": {"on_drift": True, "max_age": "40d"},
    }
)


class MadeUp:
    """Rows that drift, fail or cannot be trained on at given dates; the gate refuses at given dates."""

    def __init__(self, **dates):
        self.dates, self.at, self.monitored, self.trained = dates, "", None, []

    def _now(self, what):
        return self.at in self.dates.get(what, ())

    def go_to(self, name, date, log):
        self.at, self.monitored, self.log = name, None, log

    def count_rows(self, champion):
        if self._now("broken"):
            raise ContractError("rows break the contract")
        return RowCounts(100, 0, 10, None)

    def monitor(self):
        drifted = self._now("drift")
        version = champion_of(self.log.client, "shop")
        self.monitored = monitored(version, drifted=drifted, columns=[column("age", flagged=drifted)])
        return self.monitored

    def last_monitoring(self):
        return self.monitored

    def train(self, as_of, since):
        self.train_anyway()
        log = self.log
        promoted = not self._now("refused")
        tags = {"gate.decision": "promoted" if promoted else "refused"}
        run_id = log.open("shop", "a training", tags)
        log.parameters(run_id, {"dataset": {"as_of": as_of}})
        log.close(run_id, "FINISHED")
        if not log.client.search_registered_models("name = 'shop'"):
            log.client.create_registered_model("shop")
        version = int(log.client.create_model_version("shop", "nowhere", run_id).version)
        if promoted:
            move_champion(log.client, "shop", version, "gate", "better", run_id=run_id)
        return Trained(run_id, version, promoted, "better" if promoted else "not significantly above it")

    def train_anyway(self):
        if self._now("untrainable") or self._now("broken"):
            raise DataError("one class only")
        self.trained.append(self.at)


@pytest.fixture
def go(tmp_path, store):
    """Walk from January to `until` by month."""

    starts = [tmp_path / "checkpoints 0"]

    def walk_to(until, stop_at=None, **dates):
        # Each start in a folder of its own, as if in a process of its own: MLflow keeps files open.
        starts.append(tmp_path / f"checkpoints {len(starts)}")
        if starts[-2].exists():
            shutil.copytree(starts[-2], starts[-1])
        checkpoints = Checkpoints(starts[-1])
        checkpoints.begin({"data": "a"})
        told = []

        def open_store():
            if not (checkpoints.store / STORE).exists():
                shutil.copy(store, checkpoints.store / STORE)
            scratch = Tracking(tracking_uri=f"sqlite:///{STORE}", artifact_root=ARTEFACTS)
            return RunLog(scratch, checkpoints.store)

        steps = MadeUp(**dates)

        def tell(dated, before):
            told.append((dated.date, before))
            if dated.date == stop_at:
                raise KeyboardInterrupt

        grid = make_grid("2026-01-01", until, "1mo", NOW)
        walk_to.told, walk_to.steps = told, steps
        return walk(
            grid, Request("shop", DECLARED, None, NOW, force=False), steps, checkpoints, open_store, tell
        )

    return walk_to


MONTHS = [f"2026-0{number}-01" for number in range(1, 7)]


def test_the_policy_decides_at_each_date_and_every_date_has_a_model(go):
    decided = go("2026-06-01", drift=[MONTHS[1], MONTHS[2]], refused=[MONTHS[1]], broken=[MONTHS[3]])
    assert [dated.due for dated in decided] == [True, True, True, False, True, False]
    held = [dated.triggers for dated in decided]
    assert held == [("champion",), ("on_drift",), ("max_age", "on_drift"), (), ("max_age",), ()]
    assert [dated.promoted for dated in decided] == [True, False, True, False, True, False]
    assert [dated.alarms for dated in decided] == [
        (),
        ("refused", "drift"),
        ("drift",),
        ("contract",),
        (),
        (),
    ]
    assert decided[1].drifted == ("age",)
    assert decided[3].why == "rows break the contract"
    assert [dated.model for dated in decided] == [True, True, True, False, True, True]
    in_use = models_in_use(decided)
    assert in_use[POLICY] == [MONTHS[0], MONTHS[0], MONTHS[2], MONTHS[2], MONTHS[4], MONTHS[4]]
    assert in_use[NEVER] == [MONTHS[0]] * 6
    assert in_use[ALWAYS] == [*MONTHS[:3], MONTHS[2], *MONTHS[4:]]


def test_what_is_stopped_goes_on_after_the_last_finished_date(go):
    whole = {"drift": [MONTHS[1]], "refused": [MONTHS[1]]}
    with pytest.raises(KeyboardInterrupt):
        go("2026-04-01", stop_at=MONTHS[1], **whole)
    decided = go("2026-04-01", **whole)
    assert go.told == [(MONTHS[0], True), (MONTHS[1], True), (MONTHS[2], False), (MONTHS[3], False)]
    assert set(go.steps.trained) == {MONTHS[2], MONTHS[3]}
    # Versions go on counting, and the age of the champion is that of January's.
    assert [dated.version for dated in decided] == [1, 2, 3, None]
    assert decided[2].triggers == ("max_age",)
    # A later end goes on, too; an earlier one needs nothing.
    assert [dated.date for dated in go("2026-05-01", **whole)] == MONTHS[:5]
    assert go.steps.trained == [MONTHS[4], MONTHS[4]]
    assert len(go("2026-02-01", **whole)) == 2
    assert go.steps.trained == []


def test_nothing_to_train_at_the_first_date_is_said(go):
    with pytest.raises(DataError, match=r"--from: no model can be trained at the first date: one class only"):
        go("2026-03-01", untrainable=[MONTHS[0]])


def test_where_dates_are_numbers_the_clock_is_left_out_and_that_is_said():
    numbers = make_grid("1", "5", "1", NOW)
    kept, notes = without_clock(DECLARED, numbers)
    assert (kept.retraining.max_age, kept.retraining.on_drift, len(notes)) == (None, True, 1)
    assert without_clock(kept, numbers) == (kept, [])
    assert without_clock(DECLARED, make_grid("2026-01-01", "2026-02-01", "1mo", NOW)) == (DECLARED, [])
