import pytest

from lepton_pipeline.credentials import without_credentials
from lepton_pipeline.errors import ConfigurationError
from lepton_pipeline.registry.tracking import flat_intervals, flat_metrics, flatten, read_tracking


def test_parameters_are_flat_and_without_the_vertical():
    assert flatten({"a": {"b": 1, "c": {"d": [1, 2]}}, "e": None}) == {"a.b": 1, "a.c.d": [1, 2], "e": None}


def test_figures_of_model_and_baselines_have_names_of_their_own():
    figure = {"value": 0.8, "low": 0.7, "high": 0.9}
    test = {"model": {"auc": figure}, "network": {"auc": figure}, "logistic_regression": {"auc": figure}}
    flat = flat_metrics({"threshold": 0.3, "uncalibrated": {"ece": 0.04}, "test": test})
    assert flat == {
        "threshold": 0.3,
        "test.auc": 0.8,
        "test.auc.low": 0.7,
        "test.auc.high": 0.9,
        "uncalibrated.ece": 0.04,
        "network.auc": 0.8,
        "network.auc.low": 0.7,
        "network.auc.high": 0.9,
        "baseline.logistic_regression.auc": 0.8,
        "baseline.logistic_regression.auc.low": 0.7,
        "baseline.logistic_regression.auc.high": 0.9,
    }


def test_figures_of_policies_are_named_by_policy():
    flat = flat_intervals("cost", {"none": {"value": 3, "low": 2, "high": 4}})
    assert flat == {"cost.none": 3, "cost.none.low": 2, "cost.none.high": 4}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("cannot reach postgresql://me:secret@db/x", "cannot reach postgresql://***@db/x"),
        ("https://token@host and s3://bucket/key", "https://***@host and s3://bucket/key"),
        ("mail me@example.org", "mail me@example.org"),
    ],
)
def test_credentials_in_addresses_are_masked(text, shown):
    assert without_credentials(text) == shown


@pytest.mark.parametrize("declared", [{}, {"tracking_uri": ""}, {"tracking_uri": "x", "uri": "y"}, {"tracking_uri": 1}])
def test_a_wrong_address_file_is_explained(declared):
    with pytest.raises(ConfigurationError, match=r"mlflow\.yml: .*valid keys are tracking_uri, artifact_root"):
        read_tracking(declared)
