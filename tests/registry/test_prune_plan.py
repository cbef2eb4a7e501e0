"""What of a model may be removed, and what is kept and why."""

from __future__ import annotations

from datetime import timedelta

import pytest

from lepton_pipeline.registry.champion import REPORT_RUN, move_champion
from lepton_pipeline.registry.prune_plan import Rule, plan_pruning


def going(past, rule):
    return [version for each in plan_pruning(past.client, "shop", rule).remove for version in each.versions]


def test_champions_of_all_times_aliases_and_the_latest_are_kept(past):
    for decision in ("promoted", "refused", "promoted", "refused", "refused", "refused"):
        past.version(decision)
    past.client.set_registered_model_alias("shop", "shadow", "4")
    plan = plan_pruning(past.client, "shop", Rule(1))
    assert [each.versions for each in plan.remove] == [(2,), (5,)]
    assert plan.kept == {
        "champion before": [1],
        "champion": [3],
        "alias shadow": [4],
        "among the latest 1": [6],
    }
    assert plan.kept_runs == {}
    first = plan.remove[0]
    assert (first.run_id, first.status) == (past.run_of(2), "FINISHED")
    assert len(first.models) == 1
    assert len(first.folders) == 2


def test_a_champion_without_a_tag_of_the_gate_is_kept_by_the_history_alone(past):
    for _ in range(4):
        past.version()
    past.client.set_registered_model_alias("shop", "champion", "1")
    move_champion(past.client, "shop", 2, "promote", "the other was made by hand")
    assert going(past, Rule(1)) == [3]


def test_fewer_versions_than_are_kept_leave_all(past):
    past.version()
    past.run(status="FAILED")
    plan = plan_pruning(past.client, "shop", Rule(3))
    assert plan.remove == []
    assert sum(plan.kept_runs.values()) == 1
    assert plan_pruning(past.client, "shop", Rule(1)).remove == []


def test_a_version_that_configuration_or_a_job_names_is_kept(past):
    for _ in range(7):
        past.version()
    past.run("scoring", version="1")
    past.run("scoring", version="2")
    past.run("retraining", **{"version": "3", "training.run_id": past.run_of(3)})
    at_work = past.run("monitoring", "RUNNING")
    past.client.log_param(at_work, "scoring.version", "4")
    past.run("monitoring")
    assert going(past, Rule(1, pinned=frozenset({5, 99}))) == [1, 6]


def test_a_version_that_another_model_has_is_kept(past):
    for _ in range(4):
        past.version()
    past.client.copy_model_version("models:/shop/1", "production")
    source = past.client.get_model_version("shop", "2").source
    past.client.create_registered_model("audit")
    past.client.create_model_version("audit", source)
    assert going(past, Rule(1)) == [3]


def test_a_run_at_work_keeps_its_version_and_itself(past):
    past.version(status="RUNNING")
    open_run = past.run(status="RUNNING")
    past.version()
    past.version()
    plan = plan_pruning(past.client, "shop", Rule(1))
    assert [each.versions for each in plan.remove] == [(2,)]
    assert plan.kept["its run is still open"] == [1]
    assert plan.kept_runs == {"still open": 1}
    assert open_run in past.runs()


def test_a_run_left_open_by_a_process_that_has_ended_goes(past, monkeypatch):
    past.run(status="RUNNING")
    past.version()
    monkeypatch.setattr("lepton_pipeline.registry.prune_plan.has_ended", lambda tags: True)
    assert len(plan_pruning(past.client, "shop", Rule(1)).remove) == 1


def test_runs_without_a_version_go_if_they_began_before_the_latest_versions(past):
    failed, reported = past.run(status="FAILED"), past.run()
    past.version("promoted")
    past.client.set_model_version_tag("shop", "1", REPORT_RUN, reported)
    past.version()
    late = past.run(status="FAILED")
    plan = plan_pruning(past.client, "shop", Rule(1))
    assert [each.run_id for each in plan.remove] == [failed]
    assert plan.kept_runs == {
        "holds the report or the decision of a kept version": 1,
        "began since the oldest of the latest 1 versions": 1,
    }
    assert late in past.runs()


def test_a_version_whose_run_decided_on_a_kept_one_is_kept_and_so_on(past):
    for _ in range(4):
        past.version()
    past.version("promoted")
    past.client.set_model_version_tag("shop", "5", "gate.run_id", past.run_of(3))
    past.client.set_model_version_tag("shop", "3", "gate.run_id", past.run_of(1))
    assert going(past, Rule(1)) == [2, 4]


def test_what_is_younger_than_asked_for_stays(past):
    past.run(status="FAILED")
    for _ in range(3):
        past.version()
    assert going(past, Rule(1, timedelta())) == [1, 2]
    plan = plan_pruning(past.client, "shop", Rule(1, timedelta(days=1)))
    assert plan.remove == []
    assert plan.kept["younger than --older-than"] == [1, 2]
    assert plan.kept_runs == {"younger than --older-than": 1}


@pytest.mark.parametrize("latest", [True, False])
def test_files_that_versions_share_go_with_the_last_of_them(past, latest):
    past.version()
    one = past.client.get_model_version("shop", "1")
    past.client.create_model_version("shop", one.source, one.run_id)
    if not latest:
        past.version()
    (item,) = plan_pruning(past.client, "shop", Rule(1)).remove
    expected = ((1,), None, ()) if latest else ((1, 2), one.run_id, item.folders)
    assert (item.versions, item.run_id, item.folders) == expected
    assert len(item.folders) == (0 if latest else 2)


def test_a_version_whose_run_is_gone_or_of_another_experiment_goes_alone(past):
    past.version()
    past.client.delete_run(past.run_of(1))
    foreign = past.run("elsewhere")
    past.client.create_model_version("shop", (past.folder / "outside").as_uri(), foreign)
    past.client.create_model_version("shop", (past.folder / "outside").as_uri())
    past.version()
    gone, other, none = plan_pruning(past.client, "shop", Rule(1)).remove
    assert (gone.versions, gone.run_id, len(gone.folders)) == ((1,), None, 1)
    assert [(each.versions, each.run_id, each.folders) for each in (other, none)] == [
        ((2,), None, ()),
        ((3,), None, ()),
    ]
