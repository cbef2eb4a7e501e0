"""What a pruning removes and records, also where it is interrupted."""

from __future__ import annotations

import pytest
from small_history import MODEL_BYTES, REPORT_BYTES

from lepton_pipeline.errors import ConfigurationError
from lepton_pipeline.registry import prune as pruning
from lepton_pipeline.registry.champion import history, roll_back
from lepton_pipeline.registry.prune import measure, prune, ranges, read_prunings
from lepton_pipeline.registry.prune_plan import PRUNED, Rule, plan_pruning
from lepton_pipeline.registry.versions import find_version
from lepton_pipeline.terminal.pruning import print_pruning, print_prunings

WHOLE = MODEL_BYTES + REPORT_BYTES


def plan_of(past, keep=1):
    return plan_pruning(past.client, "shop", Rule(keep))


@pytest.fixture
def grown(past):
    """Six versions, of which the first and the third were champions, and an earlier run that failed."""
    past.run(status="FAILED")
    for decision in ("promoted", "refused", "promoted", "refused", "refused", "refused"):
        past.version(decision)
    return past


def test_versions_runs_and_files_go_and_the_history_stays(grown):
    reigns, before, gone = history(grown.client, "shop"), grown.size(), grown.run_of(4)
    plan = plan_of(grown)
    foreseen = list(measure(plan))
    assert grown.size() == before
    removed = list(prune(grown.client, plan))
    assert removed == foreseen
    assert [(each.what.versions, each.size) for each in removed] == [
        ((), REPORT_BYTES),
        ((2,), WHOLE),
        ((4,), WHOLE),
        ((5,), WHOLE),
    ]
    assert before - grown.size() == 3 * WHOLE + REPORT_BYTES
    assert grown.versions() == [1, 3, 6]
    assert grown.runs() == {grown.run_of(version) for version in (1, 3, 6)}
    assert len(list((grown.folder / "mlruns/shop/models").iterdir())) == 3
    assert not (grown.folder / "mlruns/shop" / gone).exists()
    deleted = grown.client.get_run(gone)
    assert deleted.info.lifecycle_stage == "deleted"
    assert deleted.data.tags[PRUNED].endswith(", version 4")
    assert history(grown.client, "shop") == reigns
    with pytest.raises(ConfigurationError, match="no version 4; there are 1, 3, 6"):
        find_version(grown.client, "shop", 4)
    assert plan_of(grown).remove == []


def test_a_former_champion_can_still_be_rolled_back_to(grown, monkeypatch):
    monkeypatch.setattr("lepton_pipeline.registry.champion.load_artefact", lambda *_: None)
    list(prune(grown.client, plan_of(grown)))
    assert roll_back(grown.client, "shop", "too slow").version == 1


def test_every_pruning_is_recorded_with_the_model(grown, capsys):
    list(prune(grown.client, plan_of(grown, keep=3)))
    list(prune(grown.client, plan_of(grown, keep=1)))
    list(prune(grown.client, plan_of(grown, keep=1)))
    first, second = read_prunings(grown.client, "shop")
    assert (first.keep, first.versions, first.runs, first.freed) == (3, "2", 2, WHOLE + REPORT_BYTES)
    assert (second.versions, second.runs) == ("4-5", 2)
    assert first.at < second.at
    assert second.user
    grown.client.set_registered_model_tag("shop", f"{pruning.EVENT}2026", "by hand")
    assert len(read_prunings(grown.client, "shop")) == 2
    assert read_prunings(grown.client, "unknown") == []
    print_prunings([first, second])
    assert "versions 4-5, 2 runs, 0.0 MB (--keep 1); 1 earlier" in capsys.readouterr().out


STEPS = ("set_tag", "delete_model_version", "delete_logged_model", "delete_run")


@pytest.mark.parametrize("step", [*STEPS, "remove_folder"])
@pytest.mark.parametrize("done", [False, pytest.param(True, marks=pytest.mark.exhaustive)])
def test_the_same_command_finishes_an_interrupted_one(grown, monkeypatch, step, done):
    owner = pruning if step == "remove_folder" else type(grown.client)
    original = getattr(owner, step)

    def interrupted(*arguments, **options):
        if done:
            original(*arguments, **options)
        raise KeyboardInterrupt

    before, plan = grown.size(), plan_of(grown)
    with monkeypatch.context() as patch:
        patch.setattr(owner, step, interrupted)
        with pytest.raises(KeyboardInterrupt):
            list(prune(grown.client, plan))
    # A version is whole, or gone.
    for number in grown.versions():
        assert (grown.folder / "mlruns/shop" / grown.run_of(number) / "artifacts/report/report.html").exists()
    list(prune(grown.client, plan_of(grown)))
    assert grown.versions() == [1, 3, 6]
    assert len(grown.runs()) == 3
    assert before - grown.size() == 3 * WHOLE + REPORT_BYTES


def test_a_run_begun_on_is_finished_though_more_is_to_be_kept(grown, monkeypatch):
    original = pruning.remove_folder
    calls = iter(range(9))

    def interrupted(address):
        if next(calls) == 3:
            raise KeyboardInterrupt
        return original(address)

    monkeypatch.setattr(pruning, "remove_folder", interrupted)
    with pytest.raises(KeyboardInterrupt):
        list(prune(grown.client, plan_of(grown)))
    assert [each.versions for each in read_prunings(grown.client, "shop")] == ["2"]
    assert grown.versions() == [1, 3, 5, 6]
    (left,) = plan_of(grown, keep=9).remove
    assert grown.client.get_run(left.run_id).data.tags[PRUNED].endswith(", version 4")


def test_what_went_and_what_is_kept_is_printed(grown, capsys):
    plan = plan_of(grown)
    print_pruning(plan, list(measure(plan)), dry_run=True)
    said = capsys.readouterr().out
    assert said.startswith("shop: 3 versions and 4 runs would go, 0.0 MB; nothing was changed\n")
    for text in (grown.run_of(5)[:8], "failed", "0 d", "champion before", "among the latest 1"):
        assert text in said
    print_pruning(plan, list(prune(grown.client, plan))[:1], dry_run=False)
    assert "0 versions and 1 run removed, 0.0 MB freed; 3 of 4 lines are left" in capsys.readouterr().out
    print_pruning(plan_of(grown), [], dry_run=False)
    assert capsys.readouterr().out.startswith("shop: nothing to remove\n")


def test_neighbours_are_joined():
    assert ranges([9, 1, 2, 3, 5, 8]) == "1-3, 5, 8-9"
    assert ranges([]) == ""
