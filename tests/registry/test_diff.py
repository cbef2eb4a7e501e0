import re
from uuid import uuid4

import numpy as np
import pytest
from small_shop import EVALUATION

from lepton_pipeline.errors import ConfigurationError
from lepton_pipeline.parameters import Split, Vertical
from lepton_pipeline.registry.champion import history, move_champion
from lepton_pipeline.registry.diff import HeldRows, SameRows, VersionDiff, compare_versions
from lepton_pipeline.statistics.estimates import Estimate, Metrics
from lepton_pipeline.system.records import to_json
from lepton_pipeline.terminal.champions import print_diff, print_history


@pytest.fixture
def held(shop):
    declared = Vertical(dataset=shop.dataset, split=Split(strategy="time"), evaluation=EVALUATION)
    return HeldRows(shop.table, shop.split, declared)


@pytest.fixture
def two(shop):
    name = f"model_{uuid4().hex}"
    shop.version(name)
    shop.version(name)
    shop.client.set_model_version_tag(name, "2", "data.sha256", "cd" * 32)
    shop.client.set_model_version_tag(name, "2", "test.auc", "many")
    return name


def test_both_are_scored_on_the_rows_that_are_new_to_both(shop, two, held):
    diff = compare_versions(shop.client, two, "1", "2", held)
    assert diff.same_rows.rows == 100
    test = shop.scores[shop.scores["part"] == "test"]
    brier = float(np.mean((test["model"] - test["label"]) ** 2))
    assert diff.same_rows.values["brier"] == (pytest.approx(brier), pytest.approx(brier))
    assert diff.same_rows.differences["auc"] == Estimate(0.0, 0.0, 0.0, approximate=True)
    assert diff.remark == ""


def test_data_parameters_and_registered_figures_stand_side_by_side(shop, two, held):
    shop.client.set_registered_model_alias(two, "challenger", "2")
    diff = compare_versions(shop.client, two, "1", "challenger", None)
    assert ("data.sha256", "ab" * 32, "cd" * 32) in diff.facts
    assert diff.versions == (1, 2)
    assert diff.parameters == []
    (_, one, other) = diff.registered[0]
    assert one.startswith("0.")
    assert other == "–"
    assert "no test rows on disk" in diff.remark
    with pytest.raises(ConfigurationError, match="has no version 7; there are 1, 2"):
        compare_versions(shop.client, two, "1", "7", None)


def test_figures_and_origin_are_those_of_the_run_else_those_of_the_tags(shop, two):
    run = shop.run()
    shop.log.lineage(run, {"environment.sha256": "ef" * 32, "device": "cuda"})
    rmse = Estimate(127379.7323, 117285.7, 139023.689)
    auc = Estimate(0.75, 0.5, 1.0)
    measured = Metrics(0.3, {}, {}, 100, {"model": {"auc": auc, "f1": Estimate(0.5), "rmse": rmse}})
    shop.client.log_text(run, to_json(measured), "evaluation/metrics.json")
    # As an earlier release registered it.
    shop.client.set_model_version_tag(two, "1", "environment.sha256", "cd" * 32)
    shop.client.set_model_version_tag(two, "1", "test.f1", "0.25")
    shop.client.set_model_version_tag(two, "1", "test.f1.low", "0.125")
    shop.client.set_model_version_tag(two, "1", "test.f1.high", "0.5")
    shop.client.create_model_version(two, shop.base.model_uri, run)
    diff = compare_versions(shop.client, two, "1", "3", None)
    figures = {metric: both for metric, *both in diff.registered}
    assert figures["f1"][1] == "0.5000 [cannot be judged]"
    assert figures["f1"][0].endswith("[0.1250, 0.5000]")
    assert figures["auc"][1] == "0.7500 [0.5000, 1.0000]"
    assert figures["brier"][1] == "–"
    assert figures["rmse"][1] == "127,380 [117,286, 139,024]"
    assert ("environment.sha256", "cd" * 32, "ef" * 32) in diff.facts
    assert ("device", "–", "cuda") in diff.facts


def test_parameters_that_differ_are_those_of_the_runs(shop, two):
    run = shop.run()
    shop.log.parameters(run, {"training": {"epochs": 7}})
    shop.client.create_model_version(two, shop.base.model_uri, run)
    diff = compare_versions(shop.client, two, "1", "3", None)
    assert diff.parameters == [("training.epochs", "–", "7")]


def test_a_version_that_cannot_be_scored_is_named(shop, two, held):
    shop.client.create_model_version(two, shop.base.model_uri, shop.run())
    diff = compare_versions(shop.client, two, "1", "3", held)
    assert diff.same_rows is None
    assert "version 3 cannot be scored: its run has no readable record of the rows" in diff.remark


def test_figures_in_the_unit_of_a_target_are_written_for_readers(capsys):
    same = SameRows(60, {"mae": (72278.4826, 77267.8296)}, {"mae": Estimate(4989.347, 4384.1294, 5618.8976)})
    print_diff(VersionDiff("houses", (1, 2), [], [], [], same))
    row = next(line for line in capsys.readouterr().out.splitlines() if "mae" in line)
    assert row.split(maxsplit=3)[1:3] == ["72,278", "77,268"]
    assert row.rstrip().endswith("+4,989.35 [+4,384.13, +5,618.90]")


@pytest.mark.parametrize("width", [110, 130])
def test_the_tables_fit_the_width_they_are_given(shop, two, held, capsys, monkeypatch, width):
    monkeypatch.setattr("lepton_pipeline.terminal.console._WIDTH_OF_A_LOG", width)
    move_champion(
        shop.client, two, 1, "gate", "auc 0.8 [0.7, 0.9] " + "is long " * 20, run_id="0123456789abcdef"
    )
    print_history("shop", history(shop.client, two))
    print_history("mill", [])
    print_diff(compare_versions(shop.client, two, "1", "2", held))
    printed = capsys.readouterr().out
    assert max(map(len, printed.splitlines())) <= width
    for text in (
        "auc 0.8 [0.7, 0.9] is long",
        "run 01234567",
        "now",
        "mill: no champion yet",
        "on the same 100 rows, new to both",
        "+0.0000 ≈[+0.0000, +0.0000]",
        "parameters: the same",
    ):
        assert text in printed
    assert re.search(r"data\.sha256 +abababababab +cdcdcdcdcdcd +\n", printed)
