"""The pipelines and stages that `kedro run` is asked for; a wrong name is refused with what may have been meant."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from kedro.framework.project import pipelines
from kedro.utils import load_obj

from lepton_pipeline.errors import ConfigurationError, did_you_mean
from lepton_pipeline.parameters.jobs import TRAINING, Job

_OF_NODES, _OF_DATASETS = ("node_names", "from_nodes", "to_nodes"), ("from_inputs", "to_outputs")
_NAMED = (*_OF_NODES, *_OF_DATASETS)
_FILTERS = (*_NAMED, "tags", "namespaces")
_FLAGS = {"node_names": "--nodes"}


def selected_pipelines(options: Mapping[str, Any]) -> list[str]:
    """Names of the pipelines to run, by the options of `kedro run`.

    Raises ConfigurationError for unknown names, and for options that cannot be had.
    """
    known = [name for name in pipelines if name != "__default__"]
    training = [name for name in known if Job.named(name).purpose == TRAINING]
    asked = [options["pipeline"]] if options["pipeline"] else list(dict.fromkeys(options["pipelines"]))
    unknown = [name for name in asked if name not in pipelines]
    if unknown:
        hint = did_you_mean(unknown[0], known)
        raise ConfigurationError(
            f"--pipelines: no pipeline {unknown[0]!r}; {hint}there are {', '.join(training)}, "
            "each also with _scoring and _monitoring."
        )
    _check_runner(str(options["runner"] or "SequentialRunner"))
    if options["load_versions"]:
        raise ConfigurationError(
            "--load-versions: no data set of this project has versions; models do: kedro champion list, and runs do: "
            "kedro compare VERTICAL."
        )
    if asked and "__default__" not in asked:
        return asked
    # The names that Kedro suggests to resume from say which pipeline they belong to.
    named = [name for option in _NAMED for name in options[option]]
    holding = [name for name in known if not _names_in(name).isdisjoint(named)]
    verticals = {each.partition(".")[0] for each in (*named, *options["namespaces"])}
    found = holding or [name for name in training if name in verticals]
    if named and not found:
        option = next(option for option in _NAMED if options[option])
        raise ConfigurationError(
            f"{_flag(option)}: no pipeline has {named[0]!r}; names begin with the vertical, such as "
            f"{training[0]}.{'train_model' if option in _OF_NODES else 'scores'}."
        )
    return found or training


def check_stages(pipeline: str, options: Mapping[str, Any]) -> None:
    """Raise ConfigurationError if an option names what the pipeline does not have, or all leave no stage of it."""
    whole = pipelines[pipeline]
    nodes, datasets = {node.name for node in whole.nodes}, whole.datasets()
    for option in _OF_NODES:
        _require(pipeline, option, options, nodes, f"stage; kedro registry describe {pipeline} lists them")
    for option in _OF_DATASETS:
        listed = f"data set; kedro catalog describe-datasets --pipeline {pipeline} lists them"
        _require(pipeline, option, options, datasets, listed)
    tags = {tag for node in whole.nodes for tag in node.tags}
    _require(pipeline, "tags", options, tags, f"tag; there are {', '.join(sorted(tags))}")
    spaces = {node.namespace for node in whole.nodes if node.namespace}
    parts = {
        ".".join(each.split(".")[: depth + 1]) for each in spaces for depth in range(each.count(".") + 1)
    }
    _require(pipeline, "namespaces", options, parts, f"namespace; there are {', '.join(sorted(parts))}")
    try:
        whole.filter(
            tags=options["tags"],
            node_namespaces=options["namespaces"],
            **{option: options[option] for option in _NAMED},
        )
    except ValueError as error:
        given = " ".join(f"{_flag(each)} {','.join(options[each])}" for each in _FILTERS if options[each])
        raise ConfigurationError(
            f"{pipeline}: no stage is left by {given}; give fewer of these options."
        ) from error


def _require(
    pipeline: str, option: str, options: Mapping[str, Any], known: Collection[str], what: str
) -> None:
    unknown = next((name for name in options[option] if name not in known), None)
    if unknown is not None:
        kind, _, listed = what.partition("; ")
        hint = did_you_mean(unknown, [name for name in known if not name.startswith("params:")])
        raise ConfigurationError(f"{_flag(option)}: {pipeline} has no {kind} {unknown!r}; {hint}{listed}.")


def _check_runner(name: str) -> None:
    if name.endswith("ParallelRunner"):
        raise ConfigurationError(
            "--runner: ParallelRunner bypasses hooks, so nothing would be recorded in MLflow; omit the option, "
            "and run verticals in separate processes."
        )
    try:
        load_obj(name, "kedro.runner")
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigurationError(
            f"--runner: no class {name!r}; use SequentialRunner, ThreadRunner, or the whole name of one of your own."
        ) from error


def _flag(option: str) -> str:
    return _FLAGS.get(option, f"--{option.replace('_', '-')}")


def _names_in(pipeline: str) -> set[str]:
    datasets = {name for name in pipelines[pipeline].datasets() if not name.startswith("params:")}
    return datasets | {node.name for node in pipelines[pipeline].nodes}
