"""Pages of the MLflow UI: their addresses, and that of an experiment with a note and a saved view of its runs.

The UI keeps a saved view as a tag of the experiment, with columns, order and charts as JSON.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from lepton_pipeline.parameters.jobs import is_partial
from lepton_pipeline.statistics.metric_table import headline_first, higher_is_better, table_of
from lepton_pipeline.system.credentials import masked

PRESENT = "dataset.present"
_WORKFLOW = "workflowType=machine_learning"
# Lets the UI open on the pages of model training.
EXPERIMENT = {"mlflow.experimentKind": "custom_model_development"}
VIEW = "overview"
_VIEW_TAG = f"mlflow.sharedViewState.{VIEW}"
# When this view was written, in milliseconds since 1970: fixed, so that the tag does not change.
_MADE = 1_790_000_000_000
_BY_EPOCH, _TRAINING_LOSS = "validation.", "train.loss"
_BASELINE = "baseline.hist_gradient_boosting"
# More axes, or columns, than these cannot be read at once.
_MOST_PARAMETERS = 6
# Latest runs that decide what the view shows.
_SHOWN_RUNS = 50
# Shown where runs do not differ yet.
_USUAL = ("training.learning_rate", "training.seed")
_RUN_NAME, _CREATED = "attributes.`Run Name`", "attributes.`Created`"
# Pixels around the name of a column, and of each of its letters.
_BORDER, _LETTER = 36, 7.5
_NOTE = """Runs that train the vertical's model. [Table of runs]({runs}) and [charts]({charts}) \
with what matters and what the latest runs differ in.

- `test.*`: the model on test rows. `{metric}` decides at the gate; `.low` and `.high` are the ends of its interval.
- `{baseline}.*`: gradient boosting on the same rows, which the model should exceed.
- `validation.*` and `train.loss`: by epoch, of the first network.
- `gate.decision`, and `gate.reason`: whether the version became champion, and why.
- Test figures compare only where `rows.sha256`, of the test rows, is the same.
- All other figures, with their intervals: `evaluation/metrics.json` of a run; where it comes from: `lineage.json`.
- `kedro compare` shows the same in a terminal, `kedro reproduce RUN_ID` makes a run again."""


def present_experiment(client: Any, run_id: str, metric: str) -> None:
    """Write note and view of a run's experiment; the view shows what its latest runs differ in."""
    run = client.get_run(run_id)
    experiment = client.get_experiment(run.info.experiment_id)
    ended = "attributes.status = 'FINISHED'"
    latest = client.search_runs([experiment.experiment_id], ended, max_results=_SHOWN_RUNS)
    differing = differing_parameters([run.data.params for run in latest if not is_partial(run.data.tags)])
    by_epoch = sorted(name for name in run.data.metrics if name.startswith(_BY_EPOCH))
    for key, value in experiment_tags(experiment.experiment_id, metric, list(differing), by_epoch).items():
        if experiment.tags.get(key) != value:
            client.set_experiment_tag(experiment.experiment_id, key, value)


def differing_parameters(runs: Sequence[Mapping[str, str]]) -> dict[str, list[str | None]]:
    """Parameters that differ between runs, sorted by name, each with its value in every run (None if absent).

    Runs without parameters do not count, nor does `dataset.present`, which is specific to each run.
    """
    known = [run for run in runs if run]
    names = sorted({name for run in known for name in run} - {PRESENT})
    differing = [name for name in names if len({run.get(name) for run in known}) > 1]
    return {name: [run.get(name) for run in runs] for name in differing}


def experiment_tags(
    experiment_id: str, metric: str, differing: Sequence[str], by_epoch: Sequence[str] = ()
) -> dict[str, str]:
    """Note and view of an experiment as tags; `differing` parameters are shown in the order given.

    `by_epoch` are logged metrics of every epoch, drawn beside the loss of the training rows.
    """
    decisive = f"test.{metric}"
    chosen = [name for name in differing if not name.startswith("about.")]
    chosen.sort(key=lambda name: not name.startswith("training."))
    runs = f"#/experiments/{experiment_id}/runs?{_WORKFLOW}&viewStateShareKey={VIEW}"
    charts = f"{runs}&compareRunsMode=CHART"
    note = _NOTE.format(runs=runs, charts=charts, metric=decisive, baseline=_BASELINE)
    state = json.dumps(_state(metric, chosen[:_MOST_PARAMETERS] or list(_USUAL), by_epoch))
    view = {"name": "Overview", "createdAt": _MADE, "updatedAt": _MADE, "state": state}
    return {
        **EXPERIMENT,
        "mlflow.experiment.primaryMetric.name": decisive,
        "mlflow.experiment.primaryMetric.greaterIsBetter": str(higher_is_better(metric)),
        "mlflow.note.content": note,
        _VIEW_TAG: json.dumps(view),
    }


def _state(metric: str, parameters: Sequence[str], by_epoch: Sequence[str]) -> dict[str, Any]:
    """Columns, order and charts, in the UI's own terms."""
    decisive, against = f"test.{metric}", f"{_BASELINE}.{metric}"
    _, *others = [f"test.{name}" for name in headline_first(metric, table_of(metric))]
    columns = [
        "tags.`gate.decision`",
        *(f"metrics.`{name}`" for name in (decisive, f"{decisive}.low", f"{decisive}.high")),
        *(f"params.`{name}`" for name in parameters),
        *(f"metrics.`{name}`" for name in (*others, against)),
    ]
    charts = [
        _chart("PARALLEL", selectedParams=list(parameters), selectedMetrics=[decisive], showAllRuns=True),
        *(
            _chart("LINE", metricKey=name, selectedMetricKeys=[name], xAxisKey="step")
            for name in (*by_epoch, _TRAINING_LOSS)
        ),
    ]
    flags = {"isReordered": True, "deleted": False, "isGenerated": False}
    sections = ((VIEW, "Overview", True), ("Model metrics", "Model metrics", False))
    return {
        "orderByKey": f"metrics.`{decisive}`",
        "orderByAsc": not higher_is_better(metric),
        "selectedColumns": columns,
        "columnOrder": [_RUN_NAME, _CREATED, *columns],
        "columnWidths": {_RUN_NAME: 240, **{each: _BORDER + _LETTER * (len(each) - 10) for each in columns}},
        "compareRunCharts": charts,
        "compareRunSections": [
            {"uuid": uuid, "name": name, "display": shown, "columns": 2, **flags}
            for uuid, name, shown in sections
        ],
        "isAccordionReordered": True,
    }


def _chart(kind: str, **fields: Any) -> dict[str, Any]:
    name = fields.get("metricKey", "parameters")
    common = {"uuid": f"{VIEW}-{kind}-{name}".lower(), "metricSectionId": VIEW, "runsCountToCompare": 10}
    return {**common, "type": kind, "deleted": False, "isGenerated": False, **fields}


def run_page(info: Any, artefact: str = "") -> str:
    """Page of a run or of one of its artefacts; `info` is MLflow's."""
    shown = f"/artifacts/{artefact}" if artefact else ""
    return f"#/experiments/{info.experiment_id}/runs/{info.run_id}{shown}?{_WORKFLOW}"


def run_link(uri: str, info: Any) -> str | None:
    """Address of a run's page on the server at `uri`, without credentials; None if the store is no server."""
    return f"{masked(uri).rstrip('/')}/{run_page(info)}" if uri.startswith("http") else None
