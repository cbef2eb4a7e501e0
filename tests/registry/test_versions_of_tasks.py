"""Versions that tell classes apart or predict a number: registered, compared, and their scorings recorded."""

from __future__ import annotations

import warnings
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import yaml
from conftest import REPOSITORY
from tasks.shops import EVALUATION, house_shop, wine_shop

from lepton_pipeline.model.version import ModelVersion
from lepton_pipeline.parameters import About, Dataset, Gate, Split, Vertical
from lepton_pipeline.registry.diff import HeldRows, compare_versions
from lepton_pipeline.registry.publish import register_model
from lepton_pipeline.registry.versions import load_artefact
from lepton_pipeline.scoring.result import ScoringRecord
from lepton_pipeline.system.records import to_json
from lepton_pipeline.tasks.calibration import Calibration

TYPES = {"wine": "classifier", "house": "regressor"}


@pytest.fixture(scope="module")
def registered():
    """By name: the shop, and its registrations, of the model and of one with smaller outputs."""
    return {}


@pytest.fixture(params=["wine", "house"])
def two(request, registered, shop):
    if request.param not in registered:
        own = {"wine": wine_shop, "house": house_shop}[request.param]()
        weaker = replace(
            own.artefact, predictor=replace(own.artefact.predictor, calibration=Calibration(0.5))
        )
        copies = SimpleNamespace(copies=SimpleNamespace(decide=False))
        with warnings.catch_warnings():
            # MLflow's own, when it looks at our model's type hints.
            warnings.simplefilter("ignore")
            made = [
                register_model(
                    each,
                    own.metrics,
                    own.table,
                    own.split,
                    own.dataset,
                    About(),
                    {},
                    copies,
                    Split(),
                    shop.log.open(request.param, "a run", {}),
                )
                for each in (own.artefact, weaker)
            ]
        registered[request.param] = own, made
    return request.param, *registered[request.param]


def test_a_version_is_of_the_type_and_gives_the_bits_of_its_model(shop, two):
    name, own, made = two
    logged = shop.client.get_logged_model(made[0].model_uri.rpartition("/")[2])
    assert logged.model_type == TYPES[name]
    loaded = load_artefact(shop.client, name, 1)
    assert loaded.task == own.artefact.task
    assert loaded.predict(own.table).equals(own.artefact.predict(own.table))


def test_differences_are_those_of_the_second_version_less_the_first(shop, two):
    name, own, _ = two
    gate = Gate(metric=own.target.task.shown[0], at_least=None, at_most=1e6)
    declared = Vertical(dataset=own.dataset, evaluation=EVALUATION, gate=gate)
    held = HeldRows(own.table, own.split, declared)
    diff = compare_versions(shop.client, name, "1", "2", held)
    assert diff.remark == ""
    assert diff.same_rows.rows == (own.split["part"] == "test").sum()
    values = diff.same_rows.values
    assert set(values) == set(own.metrics.model)
    assert {metric: pair[0] for metric, pair in values.items()} == pytest.approx(
        {metric: figure.value for metric, figure in own.metrics.model.items()}
    )
    assert {"log_loss", "rmse"} & set(diff.same_rows.differences)
    for metric, difference in diff.same_rows.differences.items():
        before, after = values[metric]
        assert difference.value == pytest.approx(after - before, abs=1e-12)
        assert difference.low <= difference.high
    assert {metric for metric, *_ in diff.registered} == set(own.metrics.model)


@pytest.mark.parametrize("two", ["wine"], indirect=True)
def test_rows_count_by_their_weight(shop, two):
    name, own, _ = two
    test = own.split.index[own.split["part"] == "test"]
    weights = np.where(own.split["label"] == 2, 5.0, 1.0)
    gate = Gate(metric="log_loss", at_least=None, at_most=1e6)
    declared = Vertical(dataset=own.dataset, evaluation=EVALUATION, gate=gate)
    held = HeldRows(own.table, own.split.assign(weight=weights), declared)
    found = compare_versions(shop.client, name, "1", "1", held).same_rows
    right = (own.artefact.predict(own.table)["decision"] == own.table["cultivar"])[test]
    expected = np.average(right, weights=weights[own.table.index.get_indexer(test)])
    assert found.values["accuracy"] == pytest.approx((expected, expected))
    assert expected != right.mean()


def test_versions_of_another_task_than_the_declared_one_are_not_scored(shop, two):
    name, own, _ = two
    other = Dataset(target=own.dataset.target, positive_when=f"is_missing({own.dataset.target})")
    diff = compare_versions(
        shop.client, name, "1", "2", HeldRows(own.table, own.split, Vertical(dataset=other))
    )
    assert diff.same_rows is None
    assert "version 1 cannot be scored: it predicts something else: " in diff.remark


@pytest.mark.parametrize(
    ("figures", "logged"),
    [
        (
            {"positives": 1, "share_positive": 0.5, "mean_score": 0.25},
            {"positives": 1, "share_positive": 0.5, "mean_score": 0.25},
        ),
        ({"decided": {"a": 2, "b/c": 0}, "mean_probability": 0.5}, {"mean_probability": 0.5}),
        (
            {"mean_prediction": 3.0, "median_prediction": 2.0, "mean_width": 1.0},
            {"mean_prediction": 3.0, "median_prediction": 2.0, "mean_width": 1.0},
        ),
    ],
)
def test_mlflow_has_the_figures_of_the_task(shop, tmp_path, figures, logged):
    entry = yaml.safe_load((REPOSITORY / "conf/base/catalog.yml").read_text())["{vertical}.scoring_record"]
    version = ModelVersion("shop", 3, "champion", "r", "w")
    record = ScoringRecord(
        model=version, files=[], rows=3, quarantined=1, scored=2, seconds=1.0, remark=None, **figures
    )
    (tmp_path / "record.json").write_text(to_json(record))
    run = shop.run()
    dataset = SimpleNamespace(metadata=entry["metadata"], path=tmp_path / "record.json")
    shop.log.record(run, dataset, record)
    assert shop.client.get_run(run).data.metrics == {"rows": 3, "quarantined": 1} | logged
