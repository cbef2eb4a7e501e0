import pytest

from lepton_pipeline.errors import ConfigurationError
from lepton_pipeline.project.declaration import find_verticals, read_vertical

DATASET = {"target": "y", "positive": 1}


def refusal(**declared) -> str:
    with pytest.raises(ConfigurationError) as error:
        read_vertical("shop", {"dataset": DATASET, **declared})
    assert error.value.exit_code == 2
    return str(error.value)


def test_defaults_are_filled_in():
    assert read_vertical("shop", {"dataset": DATASET}).evaluation.resamples == 1000


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        (
            {"training": {"epohs": 3}},
            "shop.training.epohs: unknown key; did you mean 'epochs'? valid keys are model, net",
        ),
        (
            {"trainning": {}},
            "shop.trainning: unknown key; did you mean 'training'? valid keys are about, dataset",
        ),
        (
            {"training": {"epochs": "ten"}},
            "shop.training.epochs: 'ten' must be a valid integer (most passes over",
        ),
        (
            {"split": {"test": 1.2}},
            "shop.split.test: 1.2 must be less than 1 or a valid list (fraction of all rows kept for the test, or its ",
        ),
        (
            {"split": {"test": 0.5, "validation": 0.5}},
            "shop.split: test + validation is 1, so no training row",
        ),
        (
            {"dataset": {"positive": 1}},
            "shop.dataset.target: required, but not declared; name of the column to predict.",
        ),
        (
            {"dataset": {**DATASET, "id": "y"}},
            "shop.dataset: column 'y' is declared as target and id; keep one",
        ),
        (
            {"contract": {"max_quarantined": -0.1}},
            "shop.contract.max_quarantined: -0.1 must be greater than or equal to 0",
        ),
        (
            {
                "contract": {
                    "expectations": [{"expect": "column_values_to_be_between", "on_failure": "ignore"}]
                }
            },
            "shop.contract.expectations[0].on_failure: 'ignore' must be 'stop', 'quarantine' or 'warn'",
        ),
        (
            {"contract": {"expectations": [{"expect": "column_values_to_be_betwen", "column": "a"}]}},
            "shop.contract.expectations[0].expect",
        ),
        (
            {
                "contract": {
                    "expectations": [
                        {"expect": "column_values_to_be_between", "column": "a", "strict_min": 3}
                    ]
                }
            },
            "shop.contract.expectations[0].strict_min: 3 must be a valid boolean",
        ),
        (
            {"dataset": {"target": "y", "positive": [1]}},
            "shop.dataset.positive: [1] must be a valid boolean or a valid integer or a valid number",
        ),
        ({"dataset": {**DATASET, "exclude": ["a", 3]}}, "shop.dataset.exclude[1]: 3 must be a valid string"),
        (
            {"gate": {"beat": ["today"]}},
            "shop.gate.beat: no baseline 'today'; there are logistic_regression, hist_gradient_boosting. Declare",
        ),
        (
            {"evaluation": {"baselines": {"network": "score"}}},
            "shop.evaluation: baselines.network: take another name, of letters, digits and _.",
        ),
        (
            {"evaluation": {"baselines": {"today": "y"}}},
            "shop.evaluation.baselines: 'y' is the target; name another column",
        ),
        (
            {"gate": {"metric": "accuracy"}},
            "shop.gate.metric: 'accuracy' is none of auc, average_precision, f1, by which binary is decided",
        ),
    ],
)
def test_what_cannot_be_followed_is_said_in_one_line(declared, message):
    found = refusal(**declared)
    assert found.startswith(message)
    assert "\n" not in found


def test_a_column_of_parts_is_no_feature():
    parts = {"strategy": "column", "column": "part", "validation": ["dev"], "test": ["test"]}
    dataset = read_vertical("shop", {"dataset": DATASET, "split": parts}).dataset
    assert dataset.exclude == ["part"]
    assert (
        read_vertical("shop", {"dataset": {**DATASET, "group": "part"}, "split": parts}).dataset.exclude == []
    )


def test_every_problem_is_told_at_once():
    assert len(refusal(training={"epochs": 0, "widht": 3}, gate={"margin": 2.0}).splitlines()) == 3


@pytest.mark.parametrize("declared", [None, [], "x"])
def test_a_vertical_without_keys_is_explained(declared):
    with pytest.raises(ConfigurationError, match=r"vertical 'shop' declares .*expected keys below 'shop:'"):
        read_vertical("shop", declared)


def test_verticals_are_folders_with_a_parameters_file(tmp_path):
    for name in ("b", "a", "no_parameters"):
        (tmp_path / name).mkdir()
    for name in ("a", "b"):
        (tmp_path / name / "parameters.yml").write_text("")
    assert find_verticals(tmp_path) == ["a", "b"]


def test_a_name_that_no_pipeline_can_have_is_refused(tmp_path):
    (tmp_path / "My Shop").mkdir()
    (tmp_path / "My Shop" / "parameters.yml").write_text("")
    with pytest.raises(ConfigurationError, match="use a to z"):
        find_verticals(tmp_path)


def test_no_vertical_at_all_names_the_searched_path(tmp_path):
    with pytest.raises(ConfigurationError, match=str(tmp_path)):
        find_verticals(tmp_path)
