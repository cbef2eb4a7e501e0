import json

from lepton_pipeline.tracking.experiment_page import differing_parameters, experiment_tags

SAVED = "mlflow.sharedViewState.overview"


def state(tags):
    return json.loads(json.loads(tags[SAVED])["state"])


def test_parameters_that_are_the_same_or_of_no_run_do_not_differ():
    runs = [{"a": "1", "b": "1"}, {"a": "1", "b": "2", "c": "3"}, {}]
    assert differing_parameters(runs) == {"b": ["1", "2", None], "c": [None, "3", None]}
    assert differing_parameters([{"a": "1"}]) == {}
    assert differing_parameters([]) == {}


def test_the_view_shows_what_differs_and_what_decides():
    differing = ["features.derive", "training.learning_rate", "training.seed"]
    curves = ["validation.auc", "validation.log_loss"]
    view = state(experiment_tags("3", "f1", differing, curves))
    columns = view["selectedColumns"]
    assert columns[:2] == ["tags.`gate.decision`", "metrics.`test.f1`"]
    assert columns.count("metrics.`test.f1`") == 1
    assert columns.index("params.`training.seed`") < columns.index("params.`features.derive`")
    assert (view["orderByKey"], view["orderByAsc"]) == ("metrics.`test.f1`", False)
    parallel, *lines = view["compareRunCharts"]
    assert (parallel["type"], parallel["selectedMetrics"]) == ("PARALLEL", ["test.f1"])
    assert parallel["selectedParams"] == ["training.learning_rate", "training.seed", "features.derive"]
    assert [line["metricKey"] for line in lines] == ["validation.auc", "validation.log_loss", "train.loss"]
    assert len({chart["uuid"] for chart in view["compareRunCharts"]}) == 4


def test_a_loss_is_ordered_from_the_smallest():
    tags = experiment_tags("3", "log_loss", [])
    assert tags["mlflow.experiment.primaryMetric.greaterIsBetter"] == "False"
    assert state(tags)["orderByAsc"] is True


def test_no_more_parameters_than_can_be_read_and_the_usual_ones_where_none_differ():
    many = [f"training.{number}" for number in range(20)]
    assert len(state(experiment_tags("1", "auc", many))["compareRunCharts"][0]["selectedParams"]) == 6
    usual = state(experiment_tags("1", "auc", []))["compareRunCharts"][0]["selectedParams"]
    assert usual == ["training.learning_rate", "training.seed"]


def test_the_note_links_the_view_and_names_the_metric_that_decides():
    note = experiment_tags("42", "auc", [])["mlflow.note.content"]
    assert (
        "(#/experiments/42/runs?workflowType=machine_learning&viewStateShareKey=overview&compareRunsMode=CHART)"
        in note
    )
    assert "`test.auc` decides" in note


def test_tags_fit_into_what_mlflow_takes():
    tags = experiment_tags(
        "1", "average_precision", [f"training.{'x' * 200}{number}" for number in range(50)]
    )
    assert max(map(len, tags.values())) < 20_000
