"""The gate on a real store: what it decides, what it leaves behind, and what it does when it was cut off."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from small_shop import EVALUATION, TARGET

from lepton_pipeline.evaluation.alert_budget import AlertFigures
from lepton_pipeline.evaluation.decision import GateDecision
from lepton_pipeline.evaluation.metrics import evaluate
from lepton_pipeline.evaluation.robustness import MeasuredRobustness
from lepton_pipeline.evaluation.slices import Slice, SliceEstimate, Slices
from lepton_pipeline.parameters import Bound, Gate, Split
from lepton_pipeline.registry import gate as gate_module
from lepton_pipeline.registry.champion import champion_of, history, promote, read_moves
from lepton_pipeline.registry.gate import gate_model
from lepton_pipeline.registry.versions import CHECKSUM
from lepton_pipeline.system.records import from_json

BY_TIME = Split(strategy="time")


@pytest.fixture
def decide(shop):
    """Send a new version of a model through the gate: one that knows the labels but for some noise."""

    def through(registration, noise=None, scores=None, run_id=None, gate=None, *, same=False, **changes):
        name, version = registration.name, str(registration.version)
        if not same and champion_of(shop.client, name) not in (None, int(version)):
            # All versions have the files of the base; only the champion's are read.
            shop.client.set_model_version_tag(name, version, CHECKSUM, "others")
        if scores is None:
            scores = shop.scores if noise is None else shop.scored(noise)
        return gate_model(
            registration,
            TARGET,
            evaluate(scores, TARGET, EVALUATION),
            changes.get("slices", Slices()),
            changes.get("robustness", MeasuredRobustness()),
            changes.get("alerts", AlertFigures()),
            scores,
            changes.get("table", shop.table),
            changes.get("split", shop.split),
            changes.get("dataset", shop.dataset),
            changes.get("declared", BY_TIME),
            EVALUATION,
            gate or Gate(),
            run_id or shop.run(),
        )

    return through


def names(decision, passed=None):
    return [check.name for check in decision.checks if passed is None or check.passed is passed]


def tags(shop, name, version):
    return {
        key.removeprefix("gate."): value
        for key, value in shop.client.get_model_version(name, str(version)).tags.items()
        if key.startswith("gate.")
    }


def stored(shop, run_id, tmp_path):
    file = shop.client.download_artifacts(run_id, "gate/decision.json", str(tmp_path))
    return from_json(GateDecision, Path(file).read_text())


def test_the_first_version_passes_by_bounds_and_baseline(shop, decide, tmp_path):
    one, run = shop.version("first"), shop.run()
    decision = decide(one, run_id=run, gate=Gate(at_least=0.6, bounds={"ece": Bound(at_most=0.5)}))
    assert (decision.promoted, decision.alias, decision.champion_version) == (True, "champion", None)
    assert names(decision) == ["bound auc", "bound ece", "baseline"]
    assert champion_of(shop.client, "first") == 1
    assert stored(shop, run, tmp_path) == decision
    expected = {"decision": "promoted", "reason": decision.reason, "run_id": run}
    assert tags(shop, "first", 1) == expected
    of_run = shop.client.get_run(run).data.tags
    assert (of_run["gate.decision"], of_run["gate.reason"]) == ("promoted", decision.reason)
    (move,) = read_moves(shop.client, "first")
    assert (move.version, move.from_version, move.how, move.run_id) == (1, None, "gate", run)


def test_every_check_is_made_and_a_refused_version_is_challenger(shop, decide):
    decide(shop.version("strict"))
    oslo = Slice(
        "city",
        "Oslo",
        50,
        20,
        sensitive=False,
        small=False,
        metrics={"auc": SliceEstimate(0.5, 0.4, 0.6)},
        gaps={},
    )
    gate = Gate(at_least=0.999, slice_at_least=0.9)
    decision = decide(shop.version("strict"), gate=gate, slices=Slices(slices=[oslo]))
    assert names(decision, passed=False) == ["bound auc", "slice city=Oslo", "champion"]
    assert all(bool(check.next) != check.passed for check in decision.checks)
    assert names(decision, passed=True) == ["baseline"]
    assert "also failed: slice city=Oslo, champion; bring more rows" in decision.reason
    assert shop.client.get_registered_model("strict").aliases == {"champion": 1, "challenger": 2}
    assert tags(shop, "strict", 2)["decision"] == "refused"


def test_the_same_model_changes_nothing(shop, decide, tmp_path):
    decide(shop.version("again"))
    run = shop.run()
    decision = decide(shop.version("again"), run_id=run, gate=Gate(at_least=0.999), same=True)
    assert (decision.promoted, decision.alias, names(decision)) == (None, "", ["champion"])
    assert decision.reason == "it is the same model as champion version 1, so nothing changes"
    assert stored(shop, run, tmp_path) == decision
    assert tags(shop, "again", 2)["decision"] == "same as champion"
    assert shop.client.get_registered_model("again").aliases == {"champion": 1}
    assert len(read_moves(shop.client, "again")) == 1


def test_four_positive_cases_make_no_champion(shop, decide):
    positive = shop.scores.index[(shop.scores["part"] == "test") & (shop.scores["label"] == 1)]
    scores = shop.scores.drop(index=positive[4:])
    decision = decide(shop.version("few"), scores=scores)
    assert not decision.promoted
    assert decision.reason.startswith("the model cannot be judged: only 4 of ")
    assert decision.reason.endswith("; bring more positive rows, or enlarge split.test")
    assert champion_of(shop.client, "few") is None


def test_a_model_that_is_boosting_alone_is_held_to_the_linear_baseline(shop, decide):
    scores = shop.scores.assign(logistic_regression=shop.scored(0.1)["model"])
    registration = replace(shop.version("alone"), boosting_weight=1.0)
    decision = decide(registration, scores=scores)
    assert names(decision, passed=False) == ["baseline"]
    assert "below baseline logistic_regression on 100 rows" in decision.reason
    assert decide(replace(registration, boosting_weight=0.8), scores=scores).promoted


def test_a_model_that_scores_like_the_champion_is_not_better(shop, decide):
    """The champion is scored by its own files: it gives the scores that the model gave."""
    decide(shop.version("same"))
    decision = decide(shop.version("same"))
    check = decision.checks[-1]
    assert (check.value, check.low, check.high, check.rows) == (0.0, 0.0, 0.0, 100)
    assert decision.promoted is False
    assert check.next.endswith("compare: kedro champion diff same champion challenger")
    assert champion_of(shop.client, "same") == 1


def test_a_better_model_replaces_the_champion(shop, decide):
    decide(shop.version("better"))
    decision = decide(shop.version("better"), noise=0.5)
    assert decision.promoted
    assert decision.champion_version == 1
    assert decision.checks[-1].low > 0
    assert "above champion version 1 on 100 rows new to both" in decision.reason
    assert [reign.version for reign in history(shop.client, "better")] == [1, 2]


def test_a_run_that_resumes_after_the_alias_moved_stands_by_its_decision(shop, decide):
    one = shop.version("resumed")
    first = decide(one)
    assert decide(one, gate=Gate(at_least=0.999)) == first
    assert len(read_moves(shop.client, "resumed")) == 1


def test_a_version_that_was_promoted_by_hand_stays_champion(shop, decide):
    one = shop.version("forced")
    refused = decide(one, gate=Gate(at_least=0.999))
    promote(shop.client, "forced", 1, "needed tonight")
    again = decide(one, gate=Gate(at_least=0.999))
    assert (again.promoted, again.alias) == (True, "champion")
    assert again.reason == "champion by promote: needed tonight"
    assert again.checks == refused.checks
    assert shop.client.get_registered_model("forced").aliases == {"champion": 1}


def test_a_gate_that_was_killed_before_the_alias_moved_is_gone_through_again(shop, decide, monkeypatch):
    decide(shop.version("killed"))
    two = shop.version("killed")

    def killed(*arguments):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("mlflow.MlflowClient.set_registered_model_alias", killed)
        with pytest.raises(KeyboardInterrupt):
            decide(two, noise=0.5)
    assert champion_of(shop.client, "killed") == 1
    assert [(reign.version, reign.current) for reign in history(shop.client, "killed")] == [(1, True)]
    assert decide(two, noise=0.5).promoted
    assert [reign.version for reign in history(shop.client, "killed")] == [1, 2]


def test_a_champion_that_changes_during_the_comparison_is_not_overwritten(shop, decide, monkeypatch):
    decide(shop.version("raced"))
    two, three = shop.version("raced"), shop.version("raced")
    whole = gate_module.compare_with_champion

    def promoted_meanwhile(*arguments):
        promote(shop.client, "raced", 2, "by hand")
        return whole(*arguments)

    monkeypatch.setattr(gate_module, "compare_with_champion", promoted_meanwhile)
    decision = decide(three, noise=0.5)
    assert names(decision, passed=False) == ["champion unchanged"]
    assert "was version 1 when the comparison began and is version 2 now" in decision.reason
    assert champion_of(shop.client, "raced") == two.version


def test_tags_of_an_earlier_release_do_not_stay(shop, decide):
    one = shop.version("stale")
    shop.client.set_model_version_tag("stale", "1", "gate.difference", "0.1")
    decide(one)
    assert set(tags(shop, "stale", 1)) == {"decision", "reason", "run_id"}


def incomparable(decision, *words):
    check = decision.checks[-1]
    assert (check.name, check.passed, decision.promoted) == ("champion", False, False)
    assert check.text.startswith("it cannot be compared with champion version 1: ")
    for word in words:
        assert word in check.text
    return check.next


def test_a_champion_without_a_record_of_its_rows_cannot_be_compared(shop, decide):
    shop.client.create_registered_model("unrecorded")
    shop.client.create_model_version("unrecorded", shop.base.model_uri, shop.run())
    shop.client.set_registered_model_alias("unrecorded", "champion", "1")
    advice = incomparable(decide(shop.version("unrecorded"), noise=0.1), "no readable record of the rows")
    assert advice == ("to replace it all the same: kedro champion promote unrecorded 2 --force --reason TEXT")


def test_an_altered_champion_cannot_be_compared(shop, decide):
    decide(shop.version("altered"))
    file = next((shop.folder / "mlruns").rglob("artefact/encoder/encoder.json"))
    whole = file.read_bytes()
    try:
        file.write_bytes(whole.replace(b"Oslo", b"Olso"))
        incomparable(decide(shop.version("altered"), noise=0.1), "encoder/encoder.json was altered")
        file.unlink()
        incomparable(decide(shop.version("altered"), noise=0.1), "encoder/encoder.json is missing")
    finally:
        file.write_bytes(whole)
    assert champion_of(shop.client, "altered") == 1


def test_a_champion_whose_inputs_are_gone_cannot_be_compared(shop, decide):
    decide(shop.version("blind"))
    table = shop.table.rename(columns={"city": "town"})
    incomparable(decide(shop.version("blind"), noise=0.1, table=table), "are missing: 'city'")


@pytest.mark.parametrize(("learnt_from", "new", "comparable"), [(60, 60, True), (100, 40, False)])
def test_rows_that_the_champion_has_learnt_from_do_not_count(shop, decide, learnt_from, new, comparable):
    """The test of another split: some of its rows the champion was trained on."""
    name = f"seen_{new}"
    decide(shop.version(name))
    position = np.arange(len(shop.split))
    in_test = (position < learnt_from) | ((position >= 400) & (position < 400 + new))
    moved = shop.split.assign(
        part=np.where(in_test, "test", np.where(position >= 300, "validation", "train"))
    )
    held = moved[moved["part"] != "train"]
    scores = held.assign(model=0.25 + held["label"] / 2, hist_gradient_boosting=0.5)[
        ["part", "label", "model", "hist_gradient_boosting"]
    ]
    dataset = shop.dataset.model_copy(update={"time": None})
    decision = decide(shop.version(name), scores=scores, split=moved, declared=Split(), dataset=dataset)
    check = decision.checks[-1]
    assert check.rows == new
    assert decision.promoted is comparable
    if not comparable:
        advice = incomparable(decision, "only 40 test rows", "it takes 50")
        assert advice.startswith(
            "declare dataset.time if rows of one id are observed again; to replace it all the same"
        )
