import pytest
from pydantic import ValidationError

from lepton_pipeline.parameters import (
    Contract,
    Dataset,
    Expectation,
    Monitoring,
    Split,
    Training,
    Vertical,
    Window,
)
from lepton_pipeline.parameters.evaluation import Bound


def test_only_the_dataset_must_be_declared():
    vertical = Vertical.model_validate({"dataset": {"target": "y", "positive": 1}})
    assert vertical.split.test == 0.2
    assert vertical.training.device == "auto"
    assert vertical.contract.max_quarantined == 0.05


def test_every_field_says_what_it_is():
    parts = {field.annotation for field in Vertical.model_fields.values()}
    models = {part for part in parts if hasattr(part, "model_fields")}
    assert Split in models
    for model in models | {Vertical, Contract, Expectation, Window}:
        assert [name for name, field in model.model_fields.items() if not field.description] == []


def test_a_column_has_one_role_but_sensitive_columns_may_have_a_type():
    with pytest.raises(ValidationError, match="'age' is declared as exclude and numeric"):
        Dataset(target="y", positive=1, exclude=["age"], numeric=["age"])
    assert Dataset(target="y", positive=1, sensitive=["age"], numeric=["age"]).numeric == ["age"]


def test_fractions_must_leave_rows_to_train_on():
    with pytest.raises(ValidationError, match="no training row is left"):
        Split(test=0.6, validation=0.4)


@pytest.mark.parametrize("value", ["7", 7.5, True])
def test_types_are_not_guessed(value):
    with pytest.raises(ValidationError):
        Training(epochs=value)


def test_the_arguments_of_an_expectation_are_its_own_keys():
    expectation = Expectation(expect="x", column="a", min_value=0, on_failure="warn")
    assert expectation.arguments() == {"column": "a", "min_value": 0}
    assert Expectation(expect="x", column_A="a", column_B="b", column_list=["c"]).columns() == ["a", "b", "c"]


def test_a_dumped_declaration_builds_the_same_one():
    vertical = Vertical.model_validate(
        {
            "dataset": {"target": "y", "positive": True},
            "contract": {"expectations": [{"expect": "x", "column": "a", "min_value": 3}]},
        }
    )
    assert Vertical.model_validate(vertical.model_dump()) == vertical


@pytest.mark.parametrize(
    ("roles", "metric", "measured"),
    [
        ({"classes": "all"}, "ovr_auc", "log_loss, macro_f1, accuracy"),
        ({"task": "regression"}, "r2", "rmse, mae"),
    ],
)
def test_slices_are_held_to_bounds_of_what_measures_them(roles, metric, measured):
    declared = {"dataset": {"target": "y", **roles}, "gate": {"metric": metric, "slice_at_least": 0.5}}
    refused = f"slice_at_least: no slice is measured by {metric}; decide by {measured}"
    with pytest.raises(ValidationError, match=refused):
        Vertical.model_validate(declared)
    first = measured.split(", ")[0]
    held = {**declared, "gate": {"metric": first, "slice_at_most": 0.5}}
    assert Vertical.model_validate(held).gate.slice_at_most == 0.5


@pytest.mark.parametrize(
    ("dataset", "decay", "problem"),
    [
        ({"task": "regression"}, {"at_least": 0.5}, "at_least: rmse is better if lower; declare at_most"),
        ({"positive": 1}, {"at_most": 0.5}, "at_most: auc is better if higher; declare at_least"),
        ({"task": "regression"}, {"at_most": 1500.0}, ""),
        ({"classes": "all"}, {"windows": 1}, ""),
    ],
)
def test_the_bound_of_decay_fits_the_direction_of_the_metric(dataset, decay, problem):
    declared = {"dataset": {"target": "y", **dataset}, "retraining": {"on_decay": decay}}
    if not problem:
        assert Vertical.model_validate(declared).retraining.on_decay is not None
        return
    with pytest.raises(ValidationError, match=f"retraining.on_decay.{problem}"):
        Vertical.model_validate(declared)


@pytest.mark.parametrize(
    ("dataset", "key"),
    [({"task": "regression"}, "max_auc"), ({"classes": "all"}, "max_r2"), ({"positive": 1}, "max_r2")],
)
def test_the_bound_of_the_leak_guard_fits_the_task(dataset, key):
    declared = {"dataset": {"target": "y", **dataset}, "leaks": {key: 0.9}}
    with pytest.raises(ValidationError, match=rf"leaks\.{key}: it has no effect in"):
        Vertical.model_validate(declared)
    other = "max_auc" if key == "max_r2" else "max_r2"
    vertical = Vertical.model_validate({**declared, "leaks": {other: 0.9}})
    assert getattr(vertical.leaks, other) == 0.9


def test_two_classes_are_a_matter_of_positive():
    with pytest.raises(
        ValidationError, match=r"classes: \['a', 'b'\] are fewer than three; .* declare positive"
    ):
        Dataset(target="y", classes=["a", "b"])


def test_bounds_that_no_model_passes_are_refused():
    with pytest.raises(
        ValidationError, match=r"at_least 0\.95 is above at_most 0\.85, so that no model passes"
    ):
        Bound(at_least=0.95, at_most=0.85)
    assert Bound(at_least=0.9, at_most=0.9).at_most == 0.9


@pytest.mark.parametrize(
    ("roles", "gate", "key"),
    [
        ({"positive": 1}, {"at_least": 75}, r"at_least: 75\.0"),
        ({"classes": "all"}, {"metric": "accuracy", "at_least": 90}, r"at_least: 90\.0"),
        (
            {"task": "regression"},
            {"bounds": {"coverage": {"at_least": 85}}},
            r"bounds\.coverage\.at_least: 85\.0",
        ),
        ({"positive": 1}, {"bounds": {"ece": {"at_most": -0.1}}}, r"bounds\.ece\.at_most: -0\.1"),
    ],
)
def test_bounds_of_shares_lie_between_nought_and_one(roles, gate, key):
    with pytest.raises(ValidationError, match=rf"gate\.{key} must be between 0 and 1, as "):
        Vertical.model_validate({"dataset": {"target": "y", **roles}, "gate": gate})
    errors = {"dataset": {"target": "y", "task": "regression"}, "gate": {"at_most": 90}}
    assert Vertical.model_validate(errors).gate.at_most == 90


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        ({"gate": {"at_most": -1}}, r"gate\.at_most: -1\.0 must be at least 0, as rmse is"),
        ({"gate": {"at_most": float("nan")}}, r"gate\.at_most: nan must be at least 0"),
        ({"gate": {"slice_at_most": -0.5}}, r"gate\.slice_at_most: -0\.5 must be at least 0"),
        ({"gate": {"metric": "r2", "at_least": 90}}, r"gate\.at_least: 90\.0 must be at most 1, as r2 is"),
        (
            {"gate": {"bounds": {"mape": {"at_most": -5}}}},
            r"gate\.bounds\.mape\.at_most: -5\.0 must be at least",
        ),
        ({"retraining": {"on_decay": {"at_most": -1}}}, r"on_decay\.at_most: -1\.0 must be at least 0"),
    ],
)
def test_a_bound_that_the_metric_cannot_have_is_refused(declared, message):
    dataset = {"target": "y", "task": "regression"}
    with pytest.raises(ValidationError, match=message):
        Vertical.model_validate({"dataset": dataset, **declared})
    free = {"gate": {"metric": "r2", "at_least": -2, "bounds": {"bias": {"at_least": -5}}}}
    assert Vertical.model_validate({"dataset": dataset, **free}).gate.at_least == -2


@pytest.mark.parametrize(
    ("dataset", "index", "problem"),
    [
        ({"classes": "all"}, {}, r"values: declare what classes count, such as \{positive: 1"),
        ({"classes": "all"}, {"values": {"a": 0}}, "values: declare what classes count"),
        ({"classes": ["a", "b", "c"]}, {"values": {"d": 1}}, "values: 'd' is no class; there are a, b, c"),
        ({"classes": [1, 2, 3]}, {"values": {4: 1}}, "values: '4' is no class; there are 1, 2, 3"),
        ({"positive": 1}, {"values": {"1": 1}}, "values: it has no effect in binary; leave it out"),
        ({"task": "regression"}, {"values": {"a": 1}}, "values: it has no effect in regression"),
        ({"positive": 1}, {"every": "week"}, "every: 'week' needs a column of dates"),
        ({"positive": 1}, {"every": "batch", "time": "at"}, "time: 'at' has no effect with every: batch"),
        ({"positive": 1}, {"time": "y"}, "time: 'y' is the target"),
        ({"positive": 1}, {"every": "fortnight"}, "'batch', 'day', 'week', 'month', 'quarter' or 'year'"),
        ({"positive": 1}, {"smallest_change": -1}, "greater than or equal to 0"),
        ({"classes": "all"}, {"values": {"a": float("inf")}}, "finite number"),
    ],
)
def test_an_index_that_cannot_be_had_is_refused(dataset, index, problem):
    declared = {"dataset": {"target": "y", **dataset}, "monitoring": {"index": index}}
    with pytest.raises(ValidationError, match=problem):
        Vertical.model_validate(declared)


@pytest.mark.parametrize(
    ("dataset", "index"),
    [
        ({"classes": [1, 2, 3]}, {"values": {1: 1, 3: -1}, "time": "at", "every": "week"}),
        ({"positive": 1, "time": "at"}, {"every": "day"}),
        ({"task": "regression"}, {}),
    ],
)
def test_an_index_needs_few_words(dataset, index):
    declared = {"dataset": {"target": "y", **dataset}, "monitoring": {"index": index}}
    assert Vertical.model_validate(declared).monitoring.index is not None
    assert "index" not in Monitoring().model_dump()


def test_the_age_of_a_series_stays_a_number():
    # As a category, an age that no training row has reached would be unknown.
    roles = {"target": "units", "time": "week"}
    forecast = {"series": ["product"], "frequency": "W", "horizon": 4}
    vertical = Vertical.model_validate({"dataset": roles, "forecast": forecast})
    assert vertical.dataset.numeric == ["age"]


@pytest.mark.parametrize(
    ("declared", "words"),
    [
        ({"ranks": {"processes": 2}}, "declare one, or leave ranks out"),
        ({"launcher": "torchrun", "ranks": {"machines": 3}}, "3 machines need ranks.address"),
        ({"launcher": "ray"}, "launcher ray needs ranks.processes"),
        (
            {"launcher": "torchrun", "ranks": {"address": "10.0.0.5"}},
            "'10.0.0.5' is no address; write HOST:PORT",
        ),
    ],
)
def test_a_launcher_has_what_it_needs(declared, words):
    with pytest.raises(ValidationError, match=words):
        Training(**declared)


def test_a_declaration_without_ranks_is_recorded_as_before():
    assert not {"launcher", "ranks"} & Training().model_dump().keys()
    two = Training(launcher="torchrun", ranks={"processes": 2, "machines": 2, "address": "10.0.0.5:29400"})
    assert Training(**two.model_dump()) == two


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        (
            {"gate": {"robustness": {"noise_10": 0.02}}},
            "gate.robustness: nothing is perturbed; declare evaluation.robustness",
        ),
        (
            {"evaluation": {"robustness": {}}, "gate": {"robustness": {"noise_15": 0.02}}},
            "no perturbation 'noise_15'; there are noise_5, noise_10",
        ),
        (
            {
                "dataset": {"target": "y", "time": "day", "task": "forecast"},
                "forecast": {"series": ["shop"], "frequency": "W", "horizon": 4},
                "evaluation": {"robustness": {}},
            },
            "evaluation.robustness: all columns are made of one history",
        ),
        (
            {"evaluation": {"alert_budget": {"alerts": 5}}},
            "evaluation.alert_budget: with split.strategy 'stratified' only some cases of a span are test rows",
        ),
        (
            {
                "dataset": {"target": "y", "positive": 1, "time": "day"},
                "split": {"strategy": "time"},
                "evaluation": {"alert_budget": {"alerts": 5, "every": 0}},
            },
            "evaluation.alert_budget.every: 0 is no span of time",
        ),
        ({"gate": {"alerts_at_least": 0.1}}, "gate.alerts_at_least: there are no alerts"),
        (
            {
                "dataset": {"target": "y", "task": "regression", "time": "day"},
                "split": {"strategy": "time"},
                "evaluation": {"alert_budget": {"alerts": 5}},
            },
            "evaluation.alert_budget: it has no effect in regression",
        ),
    ],
)
def test_what_cannot_be_perturbed_or_alerted_is_refused(declared, message):
    with pytest.raises(ValidationError, match=message):
        Vertical.model_validate({"dataset": {"target": "y", "positive": 1}, **declared})
