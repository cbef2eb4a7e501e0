"""Results of a run for its report, and what its sections show beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

import numpy as np
import pandas as pd

from lepton_pipeline.data.contracts.result import ContractResult
from lepton_pipeline.data.reading import IngestionRecord, Reading
from lepton_pipeline.evaluation.costs import Costs
from lepton_pipeline.evaluation.decision import GateDecision
from lepton_pipeline.evaluation.drift import Drift
from lepton_pipeline.evaluation.explanation import Explanation
from lepton_pipeline.evaluation.interval_text import quality_warnings
from lepton_pipeline.evaluation.measured_copies import (
    MeasuredCopies,
    count_copies,
    describe_copies,
    many_repeated,
    more_than_chance,
)
from lepton_pipeline.evaluation.slices import Gap, Slice, Slices
from lepton_pipeline.features.column_record import BY_CODE, UNUSED, Columns
from lepton_pipeline.features.report import FeatureReport
from lepton_pipeline.parameters import About, Vertical
from lepton_pipeline.registry.registration import Registration
from lepton_pipeline.reporting.pictures.curves import (
    draw_cost,
    draw_losses,
    drawn_points,
    effect_chart,
    importance_span,
)
from lepton_pipeline.reporting.pictures.quality import draw_quality, drawn_models
from lepton_pipeline.reporting.report import columns as uses
from lepton_pipeline.reporting.report import formats
from lepton_pipeline.reporting.report.reading import reading_facts, shorten, waiting_facts
from lepton_pipeline.statistics.estimates import Metrics
from lepton_pipeline.statistics.metric_table import METRICS
from lepton_pipeline.tracking.flat import flatten
from lepton_pipeline.tracking.lineage import Lineage

_PARTS = {"train": "Training", "validation": "Validation", "test": "Test", "gap": "Gap between the parts"}
_CHECKS = {"champion": "Against the champion", "baseline": "Against the baseline", "cases": "Enough cases"}
_DRAWN_BY = {
    "group": ", in which whole groups are drawn",
    "block": ", in which whole blocks of time are drawn, as labels overlap",
}
_PACKAGES = ("torch", "scikit-learn", "numpy", "pandas", "kedro", "mlflow", "great-expectations")
_MOST_COLUMNS, _MOST_FILES, _BARS = 25, 8, 15
_SLICE_METRICS = ("auc", "base_rate", "selection_rate", "recall", "false_positive_rate")
_MOST_DRIFT, _LEAST_DRIFT = 20, 5
# Value of a full bar.
_FULL_PSI = 0.5


Context = dict[str, Any]  # what the template of a section reads


@dataclass(frozen=True)
class Evidence:
    """Results of one run as its stages return them; empty ones are left out of the report."""

    about: About
    ingestion_record: IngestionRecord
    contracts: list[ContractResult]  # of raw tables first, that of the table last
    feature_report: FeatureReport
    split: pd.DataFrame  # a row for each example, as in `scores`
    scores: pd.DataFrame
    metrics: Metrics
    history: pd.DataFrame  # losses by network and epoch
    registration: Registration
    decision: GateDecision
    lineage: Lineage
    copies: MeasuredCopies | None = None
    costs: Costs | None = None
    slices: Slices | None = None
    explanation: Explanation | None = None
    drift: Drift | None = None
    columns: Columns = field(default_factory=Columns)
    readings: dict[str, Reading] = field(default_factory=dict)


def describe_verdict(evidence: Evidence) -> Context:
    """The gate's decision and its checks."""
    decision = evidence.decision
    version, champion = decision.version, decision.champion_version
    if decision.promoted is None:
        headline, sentence = "Same model", f"Version {version} equals the champion, version {champion}."
    elif decision.promoted:
        # A resumed run may find its own version as champion.
        replaced = {None: ", the first one", version: ""}.get(champion, f", replacing version {champion}")
        headline, sentence = "Promoted", f"Version {version} is the champion now{replaced}."
    else:
        stays = "there is no champion" if champion is None else f"version {champion} stays champion"
        headline, sentence = "Refused", f"Version {version} is a challenger; {stays}."
    if failed := len(decision.failed):
        sentence += f" {'One check' if failed == 1 else f'{failed} checks'} failed."
    checks = [(_check_title(check.name), check) for check in decision.checks]
    return {"headline": headline, "sentence": sentence, "checks": checks, "tiles": _tiles(evidence)}


def describe_data(evidence: Evidence) -> Context:
    """The parts of the table, how it was read, and rows on both sides of the split."""
    split, copies = evidence.split, evidence.copies
    labels = {title: split.loc[split["part"] == part, "label"] for part, title in _PARTS.items()}
    parts = [(title, len(of_part), int(of_part.sum())) for title, of_part in labels.items() if len(of_part)]
    told = [said for _, said in describe_copies(copies)] if copies else []
    if copies and not more_than_chance(copies) and not many_repeated(copies):
        told.insert(0, count_copies(copies))
    taught = formats.training_plan(evidence.registration)
    return {"reading": _describe_reading(evidence), "parts": parts, "taught": taught, "copies": told}


def describe_columns(evidence: Evidence) -> Context:
    """The use of every column, unused ones first."""
    columns = evidence.columns.columns
    if not columns:
        return {"absent": "This run kept no table of its columns.", "summary": ""}
    ordered = sorted(columns, key=lambda column: column.used_as not in (UNUSED, BY_CODE))
    return {
        "folded": len(columns) > _MOST_COLUMNS,
        "number": sum(not column.table for column in columns),
        "counts": uses.count_uses(columns),
        "summary": uses.summarise_columns(columns),
        "unused": uses.unused_by_reason(columns),
        "notes": [text for _, text in uses.columns_notes(columns)],
        "columns": [(column, uses.describe_use(column)) for column in ordered],
    }


def describe_quality(evidence: Evidence) -> Context:
    """Curves of model and baselines, and the outcomes of its decisions."""
    metrics = evidence.metrics
    return {
        "pictures": draw_quality(evidence.scores, metrics),
        "drawn": drawn_models(metrics),
        "warnings": quality_warnings(metrics),
        "drawn_by": _DRAWN_BY.get(metrics.evidence.unit, "") if metrics.evidence else "",
        "outcomes": count_outcomes(evidence.scores, metrics.cut),
    }


def describe_costs(evidence: Evidence) -> Context:
    """Costs of the decisions, if declared, and effects of other thresholds."""
    costs = evidence.costs
    if costs is None:
        return {"absent": "What other thresholds would do was not computed in this run."}
    if costs.threshold is None or not costs.curve.threshold:
        return {"picture": ""}
    return {"picture": draw_cost(costs.curve, costs.threshold)}


def describe_slices(evidence: Evidence) -> Context:
    """Metrics by slice, and significant gaps."""
    if evidence.slices is None:
        return {"absent": "No groups of cases were measured apart in this run."}
    if not evidence.slices.slices:
        return {
            "absent": "No groups of cases were measured apart: no slices (evaluation.slices) and no sensitive columns "
            "(dataset.sensitive) are declared."
        }
    by_column = groupby(evidence.slices.slices, lambda each: each.column)
    return {
        "metrics": _SLICE_METRICS,
        "gaps": flagged_gaps(evidence.slices.slices),
        "columns": [(column, list(slices)) for column, slices in by_column],
    }


def flagged_gaps(slices: Sequence[Slice]) -> list[tuple[Slice, str, Gap]]:
    """Significant gaps by metric, the widest first, each with its slice."""
    found = [(each, metric, gap) for each in slices for metric, gap in each.gaps.items() if gap.flagged]
    order = list(METRICS)
    return sorted(found, key=lambda of: (order.index(of[1]), -abs(of[2].value)))


def describe_explanation(evidence: Evidence) -> Context:
    """Importance and effects of columns."""
    explanation = evidence.explanation
    if explanation is None:
        return {"absent": "The model was not explained in this run."}
    shown = explanation.importance[:_BARS]
    effects = []
    for effect in explanation.effects:
        drawn = drawn_points(effect)
        picture = effect_chart(drawn).inline() if drawn else ""
        effects.append((effect, picture, [point for point in effect.points if point not in drawn]))
    further, span = explanation.importance[_BARS:], importance_span(shown)
    return {"importance": shown, "further": further, "span": span, "effects": effects}


def describe_drift(evidence: Evidence) -> Context:
    """Drift between training and test rows."""
    if evidence.drift is None:
        return {"absent": "Test and training rows were not compared in this run."}
    ranked = sorted(evidence.drift.columns, key=lambda each: (not each.flagged, -each.psi))
    flagged = [each for each in ranked if each.flagged]
    # Some others for comparison.
    shown = ranked[: max(min(len(flagged) + 3, _MOST_DRIFT), _LEAST_DRIFT)]
    return {"flagged": flagged, "shown": shown, "further": ranked[len(shown) :], "full": _FULL_PSI}


def describe_training(evidence: Evidence) -> Context:
    """Epochs and losses of the networks."""
    history = evidence.history
    epochs = history.groupby("network")["epoch"].max()
    held_out = history.dropna(subset=history.columns[3])
    return {
        "parts": formats.model_parts(evidence.registration),
        "networks": len(epochs),
        "shortest": int(epochs.min()),
        "longest": int(epochs.max()),
        "stopped": held_out["network"].nunique(),
        "device": "a CPU" if evidence.registration.device == "cpu" else "a CUDA device",
        "picture": draw_losses(history),
    }


def describe_lineage(evidence: Evidence) -> Context:
    """Code, data, configuration and environment of the model version."""
    lineage, told = evidence.lineage, evidence.lineage.facts
    dirty = " with changes that are not committed" if told.get("git.dirty") == "true" else ""
    packages = [f"{name} {lineage.packages[name]}" for name in _PACKAGES if name in lineage.packages]
    facts = [
        ("Run", lineage.run_id),
        ("Started", formats.moment(lineage.started)),
        ("Commit", f"{told.get('git.commit', 'unknown')}{dirty}"),
        ("Data (SHA-256)", evidence.ingestion_record.sha256),
        ("Configuration (SHA-256)", told.get("configuration.sha256", "unknown")),
        ("Environment (SHA-256)", told.get("environment.sha256", "unknown")),
        ("Weights (SHA-256)", evidence.registration.weights_sha256),
        ("Device", evidence.registration.device),
        ("Seed", told.get("seed", "unknown")),
        ("Packages", ", ".join(packages)),
    ]
    return {"facts": facts, "changed": changed_parameters(lineage.parameters)}


def changed_parameters(declared: dict[str, Any]) -> list[tuple[str, Any, Any]]:
    """Dotted key, value and default of changed parameters, without texts and contracts."""
    bare = Vertical.model_validate({"dataset": {"target": "", "positive": True}}).model_dump()
    # These two have no default.
    bare["dataset"] |= {"target": None, "positive": None}
    defaults = flatten(bare)
    told_elsewhere = ("about.", "dataset.present", "contract.expectations", "tables", "features.")
    return [
        # Optional parts, such as costs, have no defaults.
        (key, value, defaults.get(key))
        for key, value in flatten(declared).items()
        if not key.startswith(told_elsewhere) and value != defaults.get(key)
    ]


def count_outcomes(scores: pd.DataFrame, threshold: float) -> dict[str, float]:
    """The confusion matrix of the test rows per 1,000 cases, with recall and precision as shares.

    Keys: `found`, `missed`, `false_alarms`, `left_alone`, `recall`, `precision`.
    """
    test = scores[scores["part"] == "test"]
    positive, acted = test["label"].to_numpy() == 1, test["model"].to_numpy() >= threshold
    cases = (positive & acted, positive & ~acted, ~positive & acted)
    found, missed, alarms = (int(np.count_nonzero(case)) for case in cases)
    each = 1000 / len(test)
    return {
        "found": found * each,
        "missed": missed * each,
        "false_alarms": alarms * each,
        "left_alone": (len(test) - found - missed - alarms) * each,
        "recall": found / (found + missed),
        "precision": found / max(found + alarms, 1),
    }


def _tiles(evidence: Evidence) -> list[tuple[str, str, str]]:
    """Label, value and note of the headline figures."""
    auc = evidence.metrics.model["auc"]
    outcomes = count_outcomes(evidence.scores, evidence.metrics.cut)
    recall, precision = (formats.percent(outcomes[name], 0) for name in ("recall", "precision"))
    found, missed, false_alarms = (outcomes[name] for name in ("found", "missed", "false_alarms"))
    hits, positive, alarms = map(formats.count, (found, found + missed, found + false_alarms))
    tiles = [
        ("AUC", formats.metric("auc", auc.value), f"{formats.interval('auc', auc)}; chance 0.5"),
        ("Recall", recall, f"{hits} of {positive} positive cases in 1,000"),
        ("Precision", precision, f"{hits} of {alarms} alarms in 1,000 cases"),
    ]
    if evidence.costs and (saving := evidence.costs.saving):
        # The alternative is to decide without a model.
        simple = {name: saving[name] for name in ("all", "none") if name in saving} or saving
        name, figure = min(simple.items(), key=lambda item: item[1].value)
        unit = evidence.costs.unit
        note = f"{formats.amounts(figure, unit)}; against: {formats.policy_name(name).lower()}"
        tiles.append(("Saved per 1,000 cases", formats.amount(figure.value, unit), note))
    return tiles


def _describe_reading(evidence: Evidence) -> list[tuple[str, str]]:
    record, facts = evidence.ingestion_record, []
    for table, reading in evidence.readings.items():
        facts += reading_facts(reading, None, table)
    facts += reading_facts(record.reading, None)
    facts += waiting_facts(evidence.contracts[-1], len(evidence.split), record.present, record.since)
    files = record.files
    return facts or ([("read", shorten(files, _MOST_FILES, " files"))] if files else [])


def _check_title(name: str) -> str:
    kind, _, rest = name.partition(" ")
    if kind == "bound":
        return f"Bound of {formats.metric_name(rest)}"
    # The name of a slice may follow.
    return _CHECKS.get(name, name[:1].upper() + name[1:])
