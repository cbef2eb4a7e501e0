"""What the sections of a report show beside the results of its run."""

from __future__ import annotations

from functools import partial
from itertools import groupby
from typing import Any

from lepton_pipeline.evaluation.interval_text import quality_warnings
from lepton_pipeline.evaluation.measured_copies import (
    count_copies,
    describe_copies,
    many_repeated,
    more_than_chance,
)
from lepton_pipeline.evaluation.slices import flagged_gaps
from lepton_pipeline.features.column_record import BY_CODE, UNUSED
from lepton_pipeline.model.baseline import LINEAR_ROWS
from lepton_pipeline.parameters import Vertical
from lepton_pipeline.parameters.robustness import PERTURBATIONS
from lepton_pipeline.registry.registration import Registration
from lepton_pipeline.reporting.pictures.curves import (
    draw_cost,
    draw_losses,
    drawn_points,
    effect_chart,
    effect_span,
    span_of,
)
from lepton_pipeline.reporting.pictures.distributions import draw_distribution, mean_title
from lepton_pipeline.reporting.report import columns as uses
from lepton_pipeline.reporting.report import formats
from lepton_pipeline.reporting.report.answer import describe_quality_briefly, next_steps
from lepton_pipeline.reporting.report.evidence import Context, Evidence
from lepton_pipeline.reporting.report.reading import reading_facts, shorten, waiting_facts
from lepton_pipeline.reporting.report.views import view_of
from lepton_pipeline.statistics.metric_table import METRICS, higher_is_better
from lepton_pipeline.tracking.flat import flatten

_CHECKS = {"champion": "Against the champion", "baseline": "Against the baseline", "cases": "Enough cases"}
_DRAWN_BY = {
    "group": ", in which whole groups are drawn",
    "block": ", in which whole blocks of time are drawn, as labels overlap",
}
_CORRECTIONS = {
    "none": "no correction was taken",
    "temperature": "a temperature: one factor for all outputs",
    "line": "a line: a factor and a constant for all outputs",
}
_PACKAGES = ("torch", "scikit-learn", "numpy", "pandas", "kedro", "mlflow", "great-expectations")
_MOST_COLUMNS, _MOST_FILES, _BARS = 25, 8, 15
_TENDENCIES, _LEAST_SCRIPT = 3, 0.001
_MOST_DRIFT, _LEAST_DRIFT, _TOLD_GAPS = 20, 5, 3
_DRAWN = 10
# Value of a full bar.
_FULL_PSI = 0.5


def describe_verdict(evidence: Evidence) -> Context:
    """The gate's decision, how good the model is, what to do next, and the checks."""
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
    return {
        "headline": headline,
        "sentence": sentence,
        "quality": describe_quality_briefly(evidence),
        "steps": next_steps(evidence),
        "checks": checks,
        "tiles": view_of(evidence.task).tiles(evidence),
    }


def describe_data(evidence: Evidence) -> Context:
    """The parts of the table, how it was read, and rows on both sides of the split."""
    copies, task = evidence.copies, evidence.task
    parts = [(title, len(labels)) for title, labels in evidence.labels().items()]
    told = [said for _, said in describe_copies(copies)] if copies else []
    if copies and not more_than_chance(copies) and not many_repeated(copies):
        told.insert(0, count_copies(copies))
    taught = formats.training_plan(evidence.registration)
    used = "Validation rows choose the threshold; test" if task.has_threshold else "Test"
    used += " rows decide nothing."
    return {
        **view_of(task).describe_target(evidence),
        "reading": _describe_reading(evidence),
        "parts": parts,
        "taught": taught,
        "used": used,
        "copies": told,
        **_draw_columns(evidence),
    }


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
    """Metrics of model and baselines, and what the task shows beside them."""
    metrics, view = evidence.metrics, view_of(evidence.task)
    return {
        "sample": view.describe_sample(evidence),
        "weighted": "weight" in evidence.scores,
        "warnings": quality_warnings(metrics),
        "drawn_by": (_DRAWN_BY.get(metrics.evidence.unit, "") if metrics.evidence else "")
        + (f", from a sample of {formats.count(some)} rows" if (some := metrics.resampled_rows) else ""),
        "sampled": _linear_sample(evidence),
        **view.describe_quality(evidence),
    }


def _linear_sample(evidence: Evidence) -> str:
    """How many of many rows the linear baseline learnt from; nothing where it learnt from all."""
    learnt = int(evidence.split["part"].isin(["train", "validation"]).sum())
    if learnt <= LINEAR_ROWS:
        return ""
    return f" (the linear one from at most {formats.count(LINEAR_ROWS)} of these {formats.count(learnt)})"


def describe_costs(evidence: Evidence) -> Context:
    """Costs of the decisions, if declared, and effects of other thresholds."""
    costs = evidence.costs
    if costs is None:
        return {"absent": "What other thresholds would do was not computed in this run."}
    decided = view_of(evidence.task).describe_decisions(evidence)
    if costs.threshold is None or not costs.curve.threshold:
        return {"decided": decided, "picture": ""}
    return {"decided": decided, "picture": draw_cost(costs.curve, costs.threshold)}


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
        "metrics": view_of(evidence.task).sliced,
        "gaps": flagged_gaps(evidence.slices.slices),
        "told": _TOLD_GAPS,
        "columns": [(column, list(slices)) for column, slices in by_column],
    }


def describe_explanation(evidence: Evidence) -> Context:
    """Importance and effects of columns."""
    explanation = evidence.explanation
    if explanation is None:
        return {"absent": "The model was not explained in this run."}
    shown = explanation.importance[:_BARS]
    effects = []
    for effect in explanation.effects:
        drawn = drawn_points(effect)
        picture = effect_chart(drawn, evidence.task).inline() if drawn else ""
        others = [point for point in effect.points if point not in drawn]
        effects.append((effect, picture, others, effect_span(effect)))
    task, view = evidence.task, view_of(evidence.task)
    return {
        "importance": shown,
        "further": explanation.importance[_BARS:],
        "span": span_of(shown),
        "worse": "fall" if higher_is_better(explanation.metric) else "rise",
        "digits": formats.quantity
        if METRICS[explanation.metric].in_unit
        else partial(formats.decimals, digits=4),
        "effects": effects,
        # Long numbers, or more text above than beside others.
        "compact": not task.explains_probability or any(effect.of for effect in explanation.effects),
        "words": view.words,
        "written": formats.percent if task.explains_probability else formats.quantity,
        "effect": partial(formats.decimals, digits=2, signed=True)
        if task.explains_probability
        else partial(formats.quantity, signed=True),
        "cases": [(*view.describe_case(case), case.reasons) for case in explanation.examples],
    }


def describe_texts(evidence: Evidence) -> Context:
    """Lengths, scripts and telling words of the columns of texts."""
    columns = []
    for text in evidence.texts.columns:
        weights = [abs(word.weight) for each in text.tendencies for word in each.words]
        # More than one row of tables would fill the page.
        columns.append((text, max(weights, default=1.0), len(text.tendencies) > _TENDENCIES))
    return {"columns": columns, "least_share": _LEAST_SCRIPT}


def describe_drift(evidence: Evidence) -> Context:
    """Drift between training and test rows."""
    if evidence.drift is None:
        return {"absent": "Test and training rows were not compared in this run."}
    ranked = sorted(evidence.drift.columns, key=lambda each: (not each.flagged, -each.psi))
    flagged = [each for each in ranked if each.flagged]
    # Some others for comparison.
    shown = ranked[: max(min(len(flagged) + 3, _MOST_DRIFT), _LEAST_DRIFT)]
    return {"flagged": flagged, "shown": shown, "further": ranked[len(shown) :], "full": _FULL_PSI}


def describe_doubts(evidence: Evidence) -> Context:
    """Labels that contradict the model, the least certain rows, and where both are listed."""
    shown = evidence.doubts.shown if evidence.doubts else []
    folds = evidence.registration.plan == "folds"
    written = formats.percent if evidence.task.explains_probability else formats.quantity
    return {
        "held_out": "training and validation rows" if folds else "validation rows",
        "words": view_of(evidence.task).words,
        "folder": f"data/08_reporting/{evidence.registration.name}",
        "heads": [
            (name.replace("_", " ").capitalize(), isinstance(value, float))
            for each in shown[:1]
            for name, value in each.facing.items()
        ],
        "rows": [
            (each, [value if isinstance(value, str) else written(value) for value in each.facing.values()])
            for each in shown
        ],
    }


def describe_model(evidence: Evidence) -> Context:
    """The parts of the model, what it cost to train and costs to run, and the losses of its networks."""
    history, registration = evidence.history, evidence.registration
    epochs = history.groupby("network")["epoch"].max()
    held_out = history.dropna(subset=history.columns[3])
    return {
        "summary": formats.model_parts(registration, evidence.task),
        "parts": describe_parts(registration),
        "costs": _describe_effort(evidence),
        "networks": len(epochs),
        "shortest": int(epochs.min()),
        "longest": int(epochs.max()),
        "stopped": held_out["network"].nunique(),
        "device": "a CPU" if registration.device == "cpu" else "a CUDA device",
        "picture": draw_losses(history, evidence.task.loss).inline(),
    }


def describe_parts(registration: Registration) -> list[tuple[str, str, str]]:
    """Each part of a model: its name, what it is made of, and its weight in the mean; empty if not recorded."""
    made = registration.composition
    if made is None:
        return []
    weight = registration.boosting_weight or 0.0
    columns = [
        formats.counted(made.numbers, "number"),
        formats.counted(made.categories, "category", "categories"),
    ]
    several = f", each of {made.members} members" * (made.members > 1)
    networks = formats.counted(made.networks, "network") + several
    parts = [
        ("Encoder", f"turns the columns into {' and '.join(columns)}", ""),
        ("Networks", f"{networks}; {made.weights:,} numbers", formats.percent(1 - weight, 0)),
    ]
    if made.trees:
        trees = f"{formats.counted(made.trees, 'tree')}; {made.leaves:,} leaves"
        parts.append(("Gradient boosting", trees, formats.percent(weight, 0)))
    return [*parts, ("Calibration", _CORRECTIONS[made.correction], "")]


def _describe_effort(evidence: Evidence) -> list[tuple[str, str]]:
    """What the model has learnt from, what that took, and what it costs to run."""
    made, seconds = evidence.registration.composition, evidence.lineage.training_seconds
    facts = []
    if made is not None:
        facts.append(("Learnt from", formats.counted(made.rows, "row")))
    if seconds is not None:
        facts.append(("Trained in", f"{formats.amount(seconds)} seconds"))
    if made is not None:
        many = formats.amount(10_000 * made.row_seconds)
        facts.append(("Size", formats.amount(made.bytes / 1e6, "MB")))
        facts.append(("To run", f"{many} seconds of one processor for 10,000 rows, without reasons"))
    return facts


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
    # What the task follows from has no default, and some defaults follow from the task.
    ways = {key: declared["dataset"].get(key) for key in ("positive", "positive_when", "classes", "task")}
    ways = {key: value for key, value in ways.items() if value is not None}
    whole: dict[str, object] = {"dataset": {"target": "", **ways}}
    if (forecast := declared.get("forecast")) is not None:
        whole = {"dataset": {"target": "", "time": declared["dataset"]["time"]}, "forecast": forecast}
    bare = Vertical.model_validate(whole).model_dump()
    bare["dataset"] |= {**dict.fromkeys(("target", *ways)), "task": "binary"}
    defaults = flatten(bare)
    told_elsewhere = ("about.", "dataset.present", "contract.expectations", "tables", "features.")
    return [
        # Optional parts, such as costs, have no defaults.
        (key, value, defaults.get(key))
        for key, value in flatten(declared).items()
        if not key.startswith(told_elsewhere) and value != defaults.get(key)
    ]


def _draw_columns(evidence: Evidence) -> Context:
    """Pictures of the columns that matter, ten of them and the rest."""
    seen, task = evidence.distributions, evidence.task
    rate = task.explains_probability
    charts = {
        each.column: (each.missing, draw_distribution(each, seen.mean, mean_title(rate), rate))
        for each in seen.columns
        if each.parts
    }
    drawn = [
        (column, missing, "".join(chart.inline() for chart in drawn))
        for column, (missing, drawn) in charts.items()
    ]
    return {"drawn": drawn[:_DRAWN], "folded": drawn[_DRAWN:]}


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
    if kind == "robustness":
        return f"Robustness: {PERTURBATIONS[rest]}"
    # The name of a slice may follow.
    return _CHECKS.get(name, name[:1].upper() + name[1:])
