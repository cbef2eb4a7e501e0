"""What `kedro run` refuses, and how it helps: one message, with what may have been meant."""

from __future__ import annotations

import click
import pytest
from kedro.pipeline import Node, Pipeline

from lepton_pipeline.cli import selection
from lepton_pipeline.cli.run import run_command
from lepton_pipeline.errors import ConfigurationError

NOTHING = {
    "pipeline": None,
    "pipelines": [],
    "runner": None,
    "load_versions": {},
    "node_names": [],
    "from_nodes": [],
    "to_nodes": [],
    "from_inputs": [],
    "to_outputs": [],
    "tags": [],
    "namespaces": [],
}


def shop(name, purpose=""):
    nodes = [
        Node(len, "params:split", "table", name="read_table", tags="data"),
        Node(len, "table", "model", name="train_model", tags="training"),
    ]
    return Pipeline(
        nodes,
        namespace=name,
        parameters={"params:split": f"params:{name}.split"},
        tags=[purpose] if purpose else None,
    )


@pytest.fixture(autouse=True)
def pipelines(monkeypatch):
    made = {"shop": shop("shop"), "town": shop("town"), "shop_scoring": shop("shop", "scoring")}
    monkeypatch.setattr(selection, "pipelines", {**made, "__default__": made["shop"] + made["town"]})


def asked(**given):
    return NOTHING | given


def check(options):
    for name in selection.selected_pipelines(options):
        selection.check_stages(name, options)


def refusal(**given):
    with pytest.raises(ConfigurationError) as refused:
        check(asked(**given))
    return str(refused.value)


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ({}, ["shop", "town"]),
        ({"pipelines": ["town", "shop_scoring", "town"]}, ["town", "shop_scoring"]),
        ({"pipeline": "shop"}, ["shop"]),
        ({"pipelines": ["__default__"]}, ["shop", "town"]),
        ({"from_nodes": ["town.train_model"]}, ["town"]),
        ({"to_outputs": ["town.table"]}, ["town"]),
        ({"namespaces": ["town"]}, ["town"]),
        ({"runner": "ThreadRunner"}, ["shop", "town"]),
    ],
)
def test_pipelines_follow_from_what_is_named(given, names):
    assert selection.selected_pipelines(asked(**given)) == names
    for name in names:
        selection.check_stages(name, asked(**given))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (
            {"pipelines": ["shpo"]},
            "--pipelines: no pipeline 'shpo'; did you mean 'shop'? there are shop, town, each also with _scoring and "
            "_monitoring.",
        ),
        (
            {"node_names": ["train_model"]},
            "--nodes: no pipeline has 'train_model'; names begin with the vertical, such as shop.train_model.",
        ),
        (
            {"to_outputs": ["model"]},
            "--to-outputs: no pipeline has 'model'; names begin with the vertical, such as shop.scores.",
        ),
        (
            {"from_nodes": ["shop.train_mdoel"]},
            "--from-nodes: shop has no stage 'shop.train_mdoel'; did you mean 'shop.train_model'? kedro registry "
            "describe shop lists them.",
        ),
        (
            {"pipelines": ["shop"], "from_inputs": ["shop.tabel"]},
            "--from-inputs: shop has no data set 'shop.tabel'; did you mean 'shop.table'? kedro catalog "
            "describe-datasets --pipeline shop lists them.",
        ),
        (
            {"pipelines": ["shop"], "tags": ["trainign"]},
            "--tags: shop has no tag 'trainign'; did you mean 'training'? there are data, training.",
        ),
        (
            {"pipelines": ["shop"], "namespaces": ["other"]},
            "--namespaces: shop has no namespace 'other'; there are shop.",
        ),
        (
            {"from_nodes": ["shop.train_model"], "to_nodes": ["shop.read_table"]},
            "shop: no stage is left by --from-nodes shop.train_model --to-nodes shop.read_table; give fewer of these "
            "options.",
        ),
        (
            {"runner": "QuickRunner"},
            "--runner: no class 'QuickRunner'; use SequentialRunner, ThreadRunner, or the whole name of one of your "
            "own.",
        ),
        ({"runner": "no.such.Runner"}, "--runner: no class 'no.such.Runner'; use"),
    ],
)
def test_a_wrong_name_is_one_message_that_helps(given, said):
    assert refusal(**given).startswith(said)


def test_versions_of_data_sets_are_refused_with_what_has_versions():
    said = refusal(load_versions={"shop.table": "2026"})
    assert said.startswith(
        "--load-versions: no data set of this project has versions; models do: kedro champion list"
    )


def test_a_pipeline_without_its_option_is_shown_how():
    with pytest.raises(
        click.UsageError, match=r"unexpected extra argument \(finance\); pipelines are named by an option"
    ):
        run_command.make_context("run", ["finance"])
    with pytest.raises(click.UsageError) as other:
        run_command.make_context("run", ["--nope"])
    assert "--pipelines finance" not in other.value.message
