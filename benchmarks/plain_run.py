"""What `kedro run --pipelines finance` does, as a script without Kedro: the same functions in the same order.

Run it in a project's folder. It writes the same files and the same MLflow run. It is as quick as such a script can be:
what one stage returns goes to the next in memory, files are written in place, and nobody cares for what goes wrong.
"""

from __future__ import annotations

import gc
import gzip
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from time import perf_counter
from types import SimpleNamespace
from typing import Any

import pandas as pd
import yaml

from lepton_pipeline.data.contracts.contract import check_contract, enforce_contract
from lepton_pipeline.data.copies import find_copies
from lepton_pipeline.data.fingerprint import identify_test_rows
from lepton_pipeline.data.raw_file import RawFile
from lepton_pipeline.data.rows import Rows, as_frames
from lepton_pipeline.evaluation.alert_budget import measure_alerts
from lepton_pipeline.evaluation.copies import measure_copies
from lepton_pipeline.evaluation.costs import measure_costs
from lepton_pipeline.evaluation.distributions import describe_distributions
from lepton_pipeline.evaluation.doubts import find_doubts
from lepton_pipeline.evaluation.drift import measure_drift
from lepton_pipeline.evaluation.explanation import explain_model
from lepton_pipeline.evaluation.metrics import evaluate, score_outside, score_rows
from lepton_pipeline.evaluation.outcomes import price_outcomes
from lepton_pipeline.evaluation.paired import keep_resamples
from lepton_pipeline.evaluation.resampling import find_units
from lepton_pipeline.evaluation.robustness import measure_robustness
from lepton_pipeline.evaluation.scope import judge_scope
from lepton_pipeline.evaluation.slices import measure_slices, slice_rows
from lepton_pipeline.evaluation.texts import describe_texts
from lepton_pipeline.features.columns import describe_columns
from lepton_pipeline.features.derive import derive_features
from lepton_pipeline.features.encode import encode_rows
from lepton_pipeline.features.leaks import check_features
from lepton_pipeline.model.artefact import assemble_artefact
from lepton_pipeline.model.baseline import score_baselines, score_in_use
from lepton_pipeline.model.networks.shape import Epoch
from lepton_pipeline.model.predictor import Predictor
from lepton_pipeline.model.predictor import train_model as fit_predictor
from lepton_pipeline.operations.monitoring.reference import describe_reference
from lepton_pipeline.parameters import Training, Vertical
from lepton_pipeline.project.declaration import read_vertical
from lepton_pipeline.registry.gate import gate_model
from lepton_pipeline.registry.publish import register_model
from lepton_pipeline.reporting.pictures.curves import draw_explanation
from lepton_pipeline.reporting.pictures.figures import draw_figures
from lepton_pipeline.reporting.report.write import write_report
from lepton_pipeline.system.records import to_json
from lepton_pipeline.tasks.find import Target, find_target
from lepton_pipeline.tasks.ingest import ingest_table
from lepton_pipeline.tasks.split import split_rows
from lepton_pipeline.terminal.progress import show_epochs
from lepton_pipeline.terminal.training import print_summary, summary_markdown
from lepton_pipeline.tracking import lineage
from lepton_pipeline.tracking.artefacts import FILTERED, SECONDS
from lepton_pipeline.tracking.flat import log_epoch
from lepton_pipeline.tracking.runs import RunLog, read_tracking

VERTICAL = "finance"


class PlainRun:
    """One MLflow run, and the files that go with it."""

    def __init__(self, project: Path, vertical: Vertical):
        self._project = project
        self._catalog = _read(project / "conf/base/catalog.yml")
        self._results: dict[str, Any] = {}
        self._seconds: dict[str, float] = {}
        declared, installed = vertical.model_dump(), lineage.environment()
        facts = {
            **lineage.code_facts(project),
            "configuration.sha256": lineage.sha256(declared),
            "environment.sha256": lineage.sha256(installed),
            "seed": str(vertical.training.seed),
        }
        tags = {name: facts[name] for name in FILTERED if name in facts}
        tags["mlflow.source.name"] = Path(sys.argv[0]).name
        self.log = RunLog(read_tracking(_read(project / "conf/base/mlflow.yml")), project)
        self.id = self.log.open(VERTICAL, name=datetime.now(UTC).isoformat(), tags=tags)
        self.log.lineage(self.id, facts)
        self.log.parameters(self.id, declared)
        self.log.client.log_text(self.id, installed, "environment.txt")

    def stage(self, function: Callable[..., Any], outputs: list[str], *inputs: Any, **named: Any) -> Any:
        """Call a stage's function, write what it returns and record it as the catalog says."""
        started = perf_counter()
        returned = function(*inputs, **named)
        for name, data in zip(outputs, returned if len(outputs) > 1 else [returned], strict=True):
            entry = self._catalog[f"{{vertical}}.{name}"]
            path = self._project / entry["filepath"].format(vertical=VERTICAL)
            save(data, path)
            self.log.record(self.id, SimpleNamespace(path=path, metadata=entry.get("metadata")), data)
            self._results[name] = data
        self._seconds[function.__name__] = perf_counter() - started
        return returned

    def close(self) -> None:
        """End the MLflow run and print the summary."""
        self.log.describe(self.id, summary_markdown(self._results))
        self.log.client.log_dict(self.id, self._seconds, SECONDS)
        self.log.close(self.id, "FINISHED")
        print_summary(VERTICAL, self._results, self._seconds, self.log.where(self.id))


def main() -> None:
    """Run every stage."""
    project = Path.cwd()
    vertical = read_vertical(VERTICAL, _read(project / f"conf/base/{VERTICAL}/parameters.yml")[VERTICAL])
    dataset, contract = vertical.dataset, vertical.contract
    files = sorted((project / "data/01_raw" / VERTICAL).glob("*.csv.gz"))
    raw = [RawFile(file.name, partial(gzip.open, file)) for file in files]  # type: ignore[arg-type]  # "rb" is its default

    run = PlainRun(project, vertical)
    table, record = run.stage(
        ingest_table,
        ["table", "ingestion_record"],
        raw,
        dataset,
        vertical.ingestion,
        contract,
        vertical.features,
    )
    result, quarantine, _ = run.stage(
        check_contract,
        ["contract_result", "quarantine", "data_docs"],
        table,
        dataset,
        contract,
        vertical.features,
    )
    clean = run.stage(enforce_contract, ["clean_table"], table, quarantine, result, contract)
    whole = as_frames({"clean_table": clean})["clean_table"]
    featured = run.stage(derive_features, ["feature_table"], whole, dataset, vertical.features)
    asked = (vertical.training, vertical.evaluation, vertical.monitoring)
    target = run.stage(find_target, ["target"], featured, dataset, *asked)
    split = run.stage(split_rows, ["split"], featured, target, dataset, vertical.split)
    guarded = (target, dataset, vertical.leaks, vertical.features)
    report = run.stage(check_features, ["feature_report"], featured, split, *guarded)
    told = (target, dataset, vertical.features, vertical.split)
    marks, found = run.stage(find_copies, ["copy_marks", "copies_found"], featured, split, *told)
    units = run.stage(find_units, ["units"], featured, split, dataset)
    run.stage(identify_test_rows, ["test_rows"], featured, split, vertical.features)
    priced = run.stage(price_outcomes, ["outcome_costs"], featured, split, vertical.evaluation)
    in_use = run.stage(score_in_use, ["scores_in_use"], featured, split, target, vertical.evaluation)
    sliced = run.stage(slice_rows, ["slice_labels"], featured, split, dataset, vertical.evaluation)
    encoder, encoded = run.stage(
        encode_rows,
        ["encoder", "encoded"],
        *(featured, split, target, dataset, report, vertical.leaks, vertical.features, vertical.training),
    )
    declared = (dataset, vertical.features)
    columns = run.stage(describe_columns, ["columns"], featured, record, encoder, *declared, report)
    texts = run.stage(describe_texts, ["texts"], featured, split, encoder, target)
    drift = run.stage(measure_drift, ["drift"], featured, split, encoder)
    baseline_scores = run.stage(
        score_baselines, ["baseline_scores"], encoded, split, target, vertical.training
    )
    model, history, held_out = run.stage(
        train_model, ["model", "history", "held_out"], encoded, split, target, vertical.training, run.id
    )
    parts = (model, encoded, split, held_out, baseline_scores, in_use)
    outside = run.stage(score_outside, ["scores_outside"], model, encoded, split)
    scores = run.stage(score_rows, ["scores"], *parts)
    reference = run.stage(
        describe_reference, ["reference"], featured, split, scores, model, encoder, dataset, outside
    )
    metrics = run.stage(evaluate, ["metrics"], scores, target, vertical.evaluation, priced, units)
    scope = run.stage(judge_scope, ["scope"], model, scores, outside, units)
    alert_figures = run.stage(
        measure_alerts,
        ["alert_figures"],
        *(scores, featured, split, priced, dataset, vertical.evaluation, units),
    )
    made = (vertical.features, vertical.ingestion, dataset)
    artefact = run.stage(assemble_artefact, ["artefact"], encoder, model, metrics, featured, split, *made)
    run.stage(draw_figures, ["figures"], scores, target, metrics, vertical.about)
    doubts, _, _ = run.stage(
        find_doubts,
        ["doubts", "doubtful_labels", "least_certain"],
        featured,
        split,
        held_out,
        target,
        metrics,
        dataset,
    )
    measured = (scores, target, metrics)
    run.stage(keep_resamples, ["resamples"], *measured, vertical.evaluation, vertical.gate, units)
    copies = run.stage(measure_copies, ["copies"], marks, found, *measured, vertical.evaluation, units)
    costs = run.stage(
        measure_costs, ["costs"], scores, model, metrics, priced, vertical.evaluation, units, outside
    )
    slices = run.stage(measure_slices, ["slices"], *measured, sliced, dataset, vertical.evaluation, units)
    explanation = run.stage(
        explain_model, ["explanation"], artefact, featured, split, vertical.evaluation, units
    )
    kept = (vertical.about, reference, copies, vertical.split, run.id)
    registration = run.stage(
        register_model, ["registration"], artefact, metrics, featured, split, dataset, *kept
    )
    seen = run.stage(describe_distributions, ["distributions"], featured, split, target, explanation, dataset)
    run.stage(draw_explanation, ["explanation_figure"], explanation, target, vertical.about)
    asked_of = (vertical.evaluation, vertical.gate, units)
    robustness = run.stage(
        measure_robustness, ["robustness"], artefact, explanation, featured, split, *asked_of
    )
    judged = (vertical.split, vertical.evaluation, vertical.gate)
    decision = run.stage(
        gate_model,
        ["decision"],
        registration,
        target,
        metrics,
        slices,
        robustness,
        alert_figures,
        scores,
        featured,
        split,
        dataset,
        *judged,
        run.id,
    )
    run.stage(
        write_report,
        ["report"],
        vertical.about,
        registration,
        ingestion_record=record,
        contract_result=result,
        columns=columns,
        feature_report=report,
        target=target,
        split=split,
        scores=scores,
        metrics=metrics,
        copies=copies,
        costs=costs,
        slices=slices,
        explanation=explanation,
        texts=texts,
        history=history,
        decision=decision,
        drift=drift,
        doubts=doubts,
        scope=scope,
        distributions=seen,
        robustness=robustness,
        alert_figures=alert_figures,
    )
    run.close()
    # As `kedro run` of this project does: the interpreter's end is quicker by seconds.
    gc.freeze()


def train_model(
    encoded: pd.DataFrame, split: pd.DataFrame, target: Target, training: Training, run_id: str
) -> tuple[Predictor, pd.DataFrame, pd.DataFrame]:
    """Train with every epoch shown and logged; the pipeline's own function stands beside its imports of Kedro."""
    curves = target.task.curves
    with show_epochs(curves) as show:

        def report(epoch: Epoch) -> None:
            show(epoch)
            measured = epoch.train_loss, epoch.validation_loss, epoch.validation_figure
            log_epoch(run_id, epoch.network, epoch.number, measured, curves)

        return fit_predictor(encoded, split, target, training, report)


def save(data: Any, path: Path) -> None:
    """Write `data` in the format that the catalog gives it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(data, Rows):
        data.save(path)
    elif path.suffix == ".parquet":
        data.to_parquet(path)
    elif path.suffix == ".csv":
        data.to_csv(path, index=False)
    elif path.suffix == ".json":
        path.write_text(to_json(data))
    else:
        path.mkdir()
        if not isinstance(data, dict):
            data.save(path)
            return
        for name, content in data.items():
            (path / name).parent.mkdir(parents=True, exist_ok=True)
            (path / name).write_bytes(content)


def _read(file: Path) -> Any:
    return yaml.safe_load(file.read_text())


if __name__ == "__main__":
    main()
