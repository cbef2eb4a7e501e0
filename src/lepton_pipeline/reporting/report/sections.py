"""Contents of the sections on verdict, data, quality, training and lineage, for their templates."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from lepton_pipeline.data.contracts.result import ContractResult
from lepton_pipeline.evaluation.copies_text import (
    count_copies,
    describe_copies,
    many_repeated,
    more_than_chance,
)
from lepton_pipeline.evaluation.interval_text import evidence_note, threshold_warning
from lepton_pipeline.evaluation.metrics import OWN
from lepton_pipeline.features.column_record import BY_CODE, UNUSED
from lepton_pipeline.parameters import Vertical
from lepton_pipeline.reporting.pictures.curves import draw_losses
from lepton_pipeline.reporting.pictures.quality import draw_quality, drawn_models
from lepton_pipeline.reporting.report import columns as uses
from lepton_pipeline.reporting.report import formats
from lepton_pipeline.reporting.report.evidence import Evidence
from lepton_pipeline.reporting.report.reading import reading_facts, shorten, waiting_facts
from lepton_pipeline.system.records import to_plain
from lepton_pipeline.tracking.flat import flatten

_PARTS = {"train": "Training", "validation": "Validation", "test": "Test", "gap": "Gap between the parts"}
_CHECKS = {"champion": "Against the champion", "baseline": "Against the baseline", "cases": "Enough cases"}
_DRAWN_BY = {
    "group": ", in which whole groups are drawn",
    "block": ", in which whole blocks of time are drawn, as labels overlap",
}
_PACKAGES = ("torch", "scikit-learn", "numpy", "pandas", "kedro", "mlflow", "great-expectations")
_MOST_COLUMNS, _MOST_FILES = 25, 8


def describe_verdict(evidence: Evidence) -> dict[str, Any]:
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
    checks = [{**to_plain(check), "title": _check_title(check.name)} for check in decision.checks]
    return {
        "promoted": decision.promoted,
        "headline": headline,
        "sentence": sentence,
        "reason": decision.reason,
        "checks": [{"next": "", **check} for check in checks],
        "tiles": _tiles(evidence),
    }


def describe_data(evidence: Evidence) -> dict[str, Any]:
    """The parts of the table, and whether they met their contracts."""
    ingestion, split = evidence.ingestion, evidence.split
    parts = [
        {"title": title, "rows": len(labels), "positives": int(labels.sum())}
        for part, title in _PARTS.items()
        if len(labels := split.loc[split["part"] == part, "label"])
    ]
    return {
        "reading": _describe_reading(evidence),
        "rows": ingestion.rows,
        "columns": len(ingestion.columns),
        "base_rate": ingestion.base_rate,
        "parts": parts,
        "contracts": [_describe_contract(contract) for contract in evidence.contracts],
        "taught": formats.training_plan(evidence.registration),
        "copies": shared_rows(evidence.copies),
        "findings": [
            {**vars(each), "left_out": each.severity == "noise" and evidence.features.on_noise == "drop"}
            for each in evidence.features.findings
        ],
    }


def describe_columns(evidence: Evidence) -> dict[str, Any]:
    """The use of every column, unused ones first."""
    columns = evidence.columns.columns
    if not columns:
        return {"absent": "This run kept no table of its columns.", "summary": ""}
    unused = (UNUSED, BY_CODE)
    ordered = sorted(columns, key=lambda column: column.used_as not in unused)
    return {
        "folded": len(columns) > _MOST_COLUMNS,
        "number": sum(not column.table for column in columns),
        "counts": uses.count_uses(columns),
        "summary": uses.summarise_columns(columns),
        "unused": uses.unused_by_reason(columns),
        "notes": [text for _, text in uses.columns_notes(columns)],
        "rows": evidence.columns.rows,
        "columns": [{"column": column, "use": uses.describe_use(column)} for column in ordered],
    }


def shared_rows(copies: dict[str, Any]) -> list[str]:
    """Rows on both sides of the split; copies always, if they were counted."""
    if not copies:
        return []
    told = [said for _, said in describe_copies(copies)]
    return told if more_than_chance(copies) or many_repeated(copies) else [count_copies(copies), *told]


def describe_quality(evidence: Evidence) -> dict[str, Any]:
    """Metrics and curves of model and baselines, and the outcomes of its decisions."""
    pictures, drawn = draw_quality(evidence.scores, evidence.metrics), drawn_models(evidence.metrics)
    return {**compare_models(evidence), "pictures": pictures, "drawn": drawn}


def compare_models(evidence: Evidence) -> dict[str, Any]:
    """The section on quality without its curves."""
    metrics = evidence.metrics
    return {
        "models": list(metrics.test),
        "baselines": [name for name in metrics.test if name not in OWN],
        "metrics": list(metrics.model),
        "test": metrics.test,
        "rows": metrics.rows["test"],
        "resamples": metrics.resamples,
        "threshold": metrics.threshold,
        "threshold_rule": metrics.threshold_rule,
        "uncalibrated": metrics.uncalibrated,
        "warnings": [said for said in (evidence_note(metrics), threshold_warning(metrics)) if said],
        "drawn_by": _DRAWN_BY.get(metrics.evidence.unit, "") if metrics.evidence else "",
        "champion": evidence.decision.against_champion,
        "outcomes": count_outcomes(evidence.scores, metrics.threshold),
    }


def describe_training(evidence: Evidence) -> dict[str, Any]:
    """Epochs and losses of the networks."""
    history = evidence.history
    epochs = history.groupby("network")["epoch"].max()
    held_out = history.dropna(subset="validation_log_loss")
    return {
        "parts": formats.model_parts(evidence.registration),
        "networks": len(epochs),
        "shortest": int(epochs.min()),
        "longest": int(epochs.max()),
        "stopped": held_out["network"].nunique(),
        "device": "a CPU" if evidence.registration.device == "cpu" else "a CUDA device",
        "picture": draw_losses(history),
    }


def describe_lineage(evidence: Evidence) -> dict[str, Any]:
    """Code, data, configuration and environment of the model version."""
    lineage, tags = evidence.lineage, evidence.lineage.tags
    dirty = " with changes that are not committed" if tags.get("git.dirty") == "true" else ""
    packages = [f"{name} {lineage.packages[name]}" for name in _PACKAGES if name in lineage.packages]
    facts = [
        ("Run", lineage.run_id),
        ("Started", formats.moment(lineage.started)),
        ("Commit", f"{tags.get('git.commit', 'unknown')}{dirty}"),
        ("Data (SHA-256)", evidence.ingestion.sha256),
        ("Configuration (SHA-256)", tags.get("configuration.sha256", "unknown")),
        ("Environment (SHA-256)", tags.get("environment.sha256", "unknown")),
        ("Weights (SHA-256)", evidence.registration.weights_sha256),
        ("Device", evidence.registration.device),
        ("Seed", tags.get("seed", "unknown")),
        ("Packages", ", ".join(packages)),
    ]
    return {"facts": facts, "changed": changed_parameters(lineage.parameters)}


def changed_parameters(declared: dict[str, Any]) -> list[dict[str, Any]]:
    """`key` (dotted), `value` and `default` of changed parameters, without texts and contracts."""
    bare = Vertical.model_validate({"dataset": {"target": "", "positive": True}}).model_dump()
    # These two have no default.
    bare["dataset"] |= {"target": None, "positive": None}
    defaults = flatten(bare)
    told_elsewhere = ("about.", "dataset.present", "contract.expectations", "tables", "features.")
    return [
        # Optional parts, such as costs, have no defaults.
        {"key": key, "value": value, "default": defaults.get(key)}
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
    counts = {"found": found, "missed": missed, "false_alarms": alarms}
    counts["left_alone"] = len(test) - found - missed - alarms
    rates = {"recall": found / (found + missed), "precision": found / max(found + alarms, 1)}
    return {**{name: count * each for name, count in counts.items()}, **rates}


def _tiles(evidence: Evidence) -> list[dict[str, str]]:
    """The headline figures."""
    auc = evidence.metrics.model["auc"]
    outcomes = count_outcomes(evidence.scores, evidence.metrics.threshold)
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
    return [{"label": label, "value": value, "note": note} for label, value, note in tiles]


def _describe_reading(evidence: Evidence) -> list[tuple[str, str]]:
    record, facts = evidence.ingestion, []
    for table, reading in evidence.readings.items():
        facts += reading_facts(reading, None, table)
    facts += reading_facts(record.reading, None)
    facts += waiting_facts(evidence.contracts[-1], len(evidence.split), record.present, record.since)
    files = record.files
    return facts or ([("read", shorten(files, _MOST_FILES, " files"))] if files else [])


def _describe_contract(contract: ContractResult) -> dict[str, Any]:
    table, expectations = contract.contract.partition(".")[2], contract.expectations
    failed = [each for each in expectations if not each.success]
    counts = {"rows": contract.rows, "quarantined": contract.quarantined, "expectations": len(expectations)}
    return {"table": table, **counts, "failed": failed}


def _check_title(name: str) -> str:
    kind, _, rest = name.partition(" ")
    if kind == "bound":
        return f"Bound of {formats.metric_name(rest)}"
    # The name of a slice may follow.
    return _CHECKS.get(name, name[:1].upper() + name[1:])
