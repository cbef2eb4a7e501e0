"""What the sections on verdict, data, quality, training and lineage say, as their templates take it."""

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
from lepton_pipeline.features.column_record import BY_CODE, UNUSED, read_columns
from lepton_pipeline.parameters import Vertical
from lepton_pipeline.reporting.pictures.curves import draw_losses
from lepton_pipeline.reporting.pictures.quality import draw_quality, drawn_models
from lepton_pipeline.reporting.report import words
from lepton_pipeline.reporting.report.columns import (
    columns_notes,
    count_uses,
    describe_use,
    summarise_columns,
    unused_by_reason,
)
from lepton_pipeline.reporting.report.evidence import Evidence
from lepton_pipeline.reporting.report.reading import reading_facts, shorten, waiting_facts
from lepton_pipeline.system.records import to_plain
from lepton_pipeline.tracking.flat import flatten

_PARTS = {
    "train": "Training",
    "validation": "Validation",
    "test": "Test",
    "gap": "Left out between the parts",
}
_CHECKS = {"champion": "Against the champion", "baseline": "Against the baseline", "cases": "Enough cases"}
_DRAWN_BY = {
    "group": ", in which whole groups are drawn",
    "block": ", in which whole blocks of time are drawn, as labels overlap",
}
_PACKAGES = ("torch", "scikit-learn", "numpy", "pandas", "kedro", "mlflow", "great-expectations")
_MOST_COLUMNS, _MOST_FILES = 25, 8


def describe_verdict(evidence: Evidence) -> dict[str, Any]:
    """Say in a manager's words what was decided, and by which checks."""
    decision = evidence.decision
    version, champion = decision.version, decision.champion_version
    failed = len(decision.failed)
    if decision.promoted is None:
        headline, sentence = (
            "The same model",
            f"Version {version} is the same model as version {champion}, in use.",
        )
    elif decision.promoted:
        # A run that went on after the alias had moved finds its own version there.
        before = {None: ", as the first of its kind", version: ""}.get(
            champion, f", in place of version {champion}"
        )
        headline, sentence = "Accepted", f"Version {version} is used from now on{before}."
        if failed:
            sentence += f" {_checks(failed)} did not hold; see the reason."
    else:
        stays = (
            "no model of this vertical is in use" if champion is None else f"version {champion} stays in use"
        )
        headline, sentence = "Not accepted", f"Version {version} is kept as a challenger; {stays}."
        if failed:
            sentence += f" {_checks(failed)} did not hold."
    return {
        "promoted": decision.promoted,
        "headline": headline,
        "sentence": sentence,
        "reason": decision.reason,
        "checks": [
            {"next": "", **to_plain(check), "title": _check_title(check.name)} for check in decision.checks
        ],
        "tiles": _tiles(evidence),
    }


def describe_data(evidence: Evidence) -> dict[str, Any]:
    """Say which rows the model learnt from and was tested on, and whether they kept their contracts."""
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
        "taught": words.taught(evidence.registration),
        "copies": shared_rows(evidence.copies),
        "findings": [
            {**vars(each), "left_out": each.severity == "noise" and evidence.features.on_noise == "drop"}
            for each in evidence.features.findings
        ],
    }


def describe_columns(evidence: Evidence) -> dict[str, Any]:
    """Say what became of every column, those that are not used first."""
    columns = read_columns(evidence.columns)
    if not columns:
        return {"absent": "This run kept no table of its columns.", "summary": ""}
    unused = (UNUSED, BY_CODE)
    ordered = sorted(columns, key=lambda column: column.used_as not in unused)
    return {
        "folded": len(columns) > _MOST_COLUMNS,
        "number": sum(not column.table for column in columns),
        "counts": count_uses(columns),
        "summary": summarise_columns(columns),
        "unused": unused_by_reason(columns),
        "notes": [text for _, text in columns_notes(columns)],
        "rows": evidence.columns["rows"],
        "columns": [{"column": column, "use": describe_use(column)} for column in ordered],
    }


def shared_rows(copies: dict[str, Any]) -> list[str]:
    """Say which rows lie on both sides of the split; copies always, as far as they were counted."""
    if not copies:
        return []
    told = [said for _, said in describe_copies(copies)]
    return told if more_than_chance(copies) or many_repeated(copies) else [count_copies(copies), *told]


def describe_quality(evidence: Evidence) -> dict[str, Any]:
    """Set the model's figures and curves beside those of the baselines, and say what its decisions come to."""
    return {
        **compare_models(evidence),
        "pictures": draw_quality(evidence.scores, evidence.metrics),
        "drawn": drawn_models(evidence.metrics),
    }


def compare_models(evidence: Evidence) -> dict[str, Any]:
    """The figures of the section on quality, without its curves."""
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
    """Say how long the networks learnt, with their losses by epoch."""
    history = evidence.history
    epochs = history.groupby("network")["epoch"].max()
    held_out = history.dropna(subset="validation_log_loss")
    return {
        "parts": words.parts_of(evidence.registration),
        "networks": len(epochs),
        "shortest": int(epochs.min()),
        "longest": int(epochs.max()),
        "stopped": held_out["network"].nunique(),
        "device": "a CPU" if evidence.registration.device == "cpu" else "a CUDA device",
        "picture": draw_losses(history),
    }


def describe_lineage(evidence: Evidence) -> dict[str, Any]:
    """Say from which code, data, configuration and environment the model version comes."""
    lineage, tags = evidence.lineage, evidence.lineage["tags"]
    dirty = " with changes that are not committed" if tags.get("git.dirty") == "true" else ""
    packages = [f"{name} {lineage['packages'][name]}" for name in _PACKAGES if name in lineage["packages"]]
    facts = [
        ("Run", lineage["run_id"]),
        ("Started", words.moment(lineage["started"])),
        ("Commit", f"{tags.get('git.commit', 'unknown')}{dirty}"),
        ("Data (SHA-256)", evidence.ingestion.sha256),
        ("Configuration (SHA-256)", tags.get("configuration.sha256", "unknown")),
        ("Environment (SHA-256)", tags.get("environment.sha256", "unknown")),
        ("Weights (SHA-256)", evidence.registration.weights_sha256),
        ("Device", evidence.registration.device),
        ("Seed", tags.get("seed", "unknown")),
        ("Packages", ", ".join(packages)),
    ]
    return {"facts": facts, "changed": changed_parameters(lineage["parameters"])}


def changed_parameters(declared: dict[str, Any]) -> list[dict[str, Any]]:
    """What a declaration changes of the defaults, but for its words (`about`), contracts and expressions.

    Args:
        declared: a whole declaration, defaults filled in.

    Returns:
        `key` (dotted), `value` and `default` of each, in the order of the declaration.
    """
    bare = Vertical.model_validate({"dataset": {"target": "", "positive": True}}).model_dump()
    # These two have no default.
    bare["dataset"] |= {"target": None, "positive": None}
    defaults = flatten(bare)
    told_elsewhere = ("about.", "dataset.present", "contract.expectations", "tables", "features.")
    return [
        # A part that is absent by default, costs say, has keys that the defaults lack.
        {"key": key, "value": value, "default": defaults.get(key)}
        for key, value in flatten(declared).items()
        if not key.startswith(told_elsewhere) and value != defaults.get(key)
    ]


def count_outcomes(scores: pd.DataFrame, threshold: float) -> dict[str, float]:
    """How the model's decisions on the test rows turned out, per 1,000 cases.

    Returns:
        `found`, `missed`, `false_alarms` and `left_alone` per 1,000; `recall` and `precision` as shares.
    """
    test = scores[scores["part"] == "test"]
    positive, acted = test["label"].to_numpy() == 1, test["model"].to_numpy() >= threshold
    found, missed, alarms = (
        int(np.count_nonzero(cases)) for cases in (positive & acted, positive & ~acted, ~positive & acted)
    )
    each = 1000 / len(test)
    return {
        "found": found * each,
        "missed": missed * each,
        "false_alarms": alarms * each,
        "left_alone": (len(test) - found - missed - alarms) * each,
        "recall": found / (found + missed),
        "precision": found / max(found + alarms, 1),
    }


def _tiles(evidence: Evidence) -> list[dict[str, str]]:
    """The few figures to remember."""
    auc = evidence.metrics.model["auc"]
    outcomes = count_outcomes(evidence.scores, evidence.metrics.threshold)
    tiles = [
        {
            "label": "AUC",
            "value": words.metric("auc", auc.value),
            "note": f"{words.interval('auc', auc)}; chance 0.5",
        },
        {
            "label": "Recall",
            "value": words.percent(outcomes["recall"], 0),
            "note": f"{words.count(outcomes['found'])} of {words.count(outcomes['found'] + outcomes['missed'])}"
            " positive cases in 1,000",
        },
        {
            "label": "Precision",
            "value": words.percent(outcomes["precision"], 0),
            "note": f"{words.count(outcomes['found'])} of {words.count(outcomes['found'] + outcomes['false_alarms'])}"
            " alarms in 1,000 cases",
        },
    ]
    if evidence.costs and (saving := evidence.costs.saving):
        # What one would do without any model is what a manager compares with.
        simple = {name: saving[name] for name in ("all", "none") if name in saving} or saving
        name, figure = min(simple.items(), key=lambda item: item[1].value)
        unit = evidence.costs.unit
        tiles.append(
            {
                "label": "Saved per 1,000 cases",
                "value": words.amount(figure.value, unit),
                "note": f"{words.amounts(figure, unit)}; against: {words.policy_name(name).lower()}",
            }
        )
    return tiles


def _describe_reading(evidence: Evidence) -> list[tuple[str, str]]:
    facts = [
        fact for table, record in evidence.readings.items() for fact in reading_facts(record, None, table)
    ]
    record = evidence.ingestion
    facts += reading_facts(record.reading, None)
    facts += waiting_facts(evidence.contracts[-1], len(evidence.split), record.present, record.since)
    files = record.files
    return facts or ([("read", shorten(files, _MOST_FILES, " files"))] if files else [])


def _describe_contract(contract: ContractResult) -> dict[str, Any]:
    table = contract.contract.partition(".")[2]
    failed = [each for each in contract.expectations if not each.success]
    return {
        "table": table,
        "rows": contract.rows,
        "quarantined": contract.quarantined,
        "expectations": len(contract.expectations),
        "failed": failed,
    }


def _checks(number: int) -> str:
    return "One check" if number == 1 else f"{number} checks"


def _check_title(name: str) -> str:
    kind, _, rest = name.partition(" ")
    if kind == "bound":
        return f"Bound of {words.metric_name(rest)}"
    # The rest is what the user calls a slice, or nothing.
    return _CHECKS.get(name, name[:1].upper() + name[1:])
