"""The summary of a training run: its rows, its metrics, where to look."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from lepton_pipeline.data.contracts.result import ContractResult
from lepton_pipeline.data.labels import OUTSIDE
from lepton_pipeline.data.reading import IngestionRecord, Reading
from lepton_pipeline.evaluation.alert_budget import AlertFigures
from lepton_pipeline.evaluation.costs import Costs
from lepton_pipeline.evaluation.decision import SAME, GateDecision, verdict
from lepton_pipeline.evaluation.interval_text import bracket, quality_warnings
from lepton_pipeline.evaluation.measured_copies import describe_copies
from lepton_pipeline.evaluation.robustness import MeasuredRobustness
from lepton_pipeline.evaluation.scope import Scope
from lepton_pipeline.evaluation.slices import Slices, flagged_gaps
from lepton_pipeline.features.column_record import Columns
from lepton_pipeline.features.report import FeatureReport
from lepton_pipeline.reporting.report.alert_budget import summarise_alerts
from lepton_pipeline.reporting.report.columns import columns_notes, summarise_columns
from lepton_pipeline.reporting.report.formats import (
    difference,
    exact,
    lower_first,
    metric_name,
    model_parts,
    policy_name,
    training_plan,
)
from lepton_pipeline.reporting.report.ranking import summarise_ranking
from lepton_pipeline.reporting.report.reading import note_facts, reading_facts, waiting_facts
from lepton_pipeline.reporting.report.robustness import summarise_robustness
from lepton_pipeline.statistics.estimates import Estimate, Metrics
from lepton_pipeline.system.markdown import fact_list
from lepton_pipeline.terminal.columns import show_columns
from lepton_pipeline.terminal.console import Text, console, facts_grid, table

_NAMES = {
    "model": "model",
    "network": "network alone",
    "logistic_regression": "logistic regression",
    "ridge_regression": "ridge regression",
    "hist_gradient_boosting": "gradient boosting",
}
_POLICIES = {"none": "if none is acted on", "all": "if all are"}
_SCOPE = {
    "answered": "of the test rows in scope are decided on",
    "right": "of these rightly",
    "caught": "of those out of scope are handed over",
}
_STAGES = 5


def print_summary(name: str, results: Mapping[str, Any], seconds: Mapping[str, float], where: str) -> None:
    """Print a run's results: contents of its data sets by name, `tables` and `readings` by raw table."""
    decision: GateDecision | None = results.get("decision")
    version = "no model registered"
    if decision:
        version = f"version {decision.version}, {'alias ' * bool(decision.alias)}{decision.alias or SAME}"
    shown, columns = show_columns(results.get("columns", Columns()).columns)
    longest = sorted(seconds, key=lambda stage: -seconds[stage])[:_STAGES]
    stages = ", ".join(f"{stage} {seconds[stage]:.1f}" for stage in longest)
    facts = _facts(results, columns)
    facts += [("seconds", f"{sum(seconds.values()):.1f}, the longest: {stages}"), ("see it", where)]
    out = console()
    out.print()
    out.print(Text(f"{name}: {version}", style="bold"))
    if metrics := results.get("metrics"):
        shown_metrics = results["target"].task.shown
        quality = table("test rows", *(f"{metric_name(name)}  [95 % interval]" for name in shown_metrics))
        for model, *cells in _quality(metrics, shown_metrics):
            quality.add_row(model, *cells, style="bold" if model == "model" else None)
        out.print(quality)
    if shown is not None:
        out.print(shown)
    out.print(facts_grid(facts))


def summary_markdown(results: Mapping[str, Any]) -> str:
    """The results as Markdown, for the note on the run's page in MLflow."""
    lines = []
    if metrics := results.get("metrics"):
        shown = results["target"].task.shown
        heads = [f"{metric_name(name)} [95 % interval]" for name in shown]
        lines += [f"| test rows | {' | '.join(heads)} |", "|---" * (1 + len(heads)) + "|"]
        for cells in _quality(metrics, shown):
            # MLflow's page leaves no space between the columns of a table.
            lines.append("| " + " | ".join(f"{cell}&emsp;" for cell in cells) + " |")
        lines.append("")
    columns = results.get("columns", Columns()).columns
    summarised = [("columns", summarise_columns(columns)), *columns_notes(columns)] if columns else []
    lines += fact_list((name or "rows", text) for name, text in _facts(results, summarised))
    return "\n".join(lines)


def _quality(metrics: Metrics, shown: Sequence[str]) -> Iterator[tuple[str, ...]]:
    for model, figures in metrics.test.items():
        cells = (_figure(metric, figures[metric]) for metric in shown)
        yield _NAMES.get(model, model), *cells


def _figure(metric: str, figure: Estimate) -> str:
    shown = partial(exact, metric, of=figure)
    return f"{shown(figure.value)}  {bracket(figure, shown)}"


def _facts(results: Mapping[str, Any], columns: list[tuple[str, str]]) -> list[tuple[str, str]]:
    facts = []
    if caution := results.get("about", {}).get("caution"):
        facts.append(("caution", caution))
    facts += _rows(results)
    facts += columns
    report: FeatureReport | None = results.get("feature_report")
    if report:
        for each in report.findings:
            # Dropped columns are in the table of columns.
            if each.severity != "noise" or report.on_noise != "drop":
                advice = "" if each.severity == "noise" else f". {each.advice}"
                facts.append(("warning", f"{each.feature}: {each.finding}: {each.evidence}{advice}"))
    if metrics := results.get("metrics"):
        if before := metrics.uncalibrated:
            after = metrics.model["ece"].value
            facts.append(("calibration", f"error {before['ece']:.4f} before, {after:.4f} after"))
        if registration := results.get("registration"):
            parts = [
                model_parts(registration, results["target"].task),
                lower_first(training_plan(registration)),
            ]
            facts.append(("model", "; ".join(filter(None, parts))))
        if metrics.threshold is not None:
            rule = "least cost" if metrics.threshold_rule == "cost" else "best F1"
            facts.append(("threshold", f"{metrics.threshold:.3f} ({rule} on the validation rows)"))
        facts += [("warning", said) for said in quality_warnings(metrics)]
    if copies := results.get("copies"):
        facts.extend(describe_copies(copies))
    if (costs := results.get("costs")) and costs.declared:
        facts.append(("cost", _cost(costs)))
    alerts: AlertFigures = results.get("alert_figures", AlertFigures())
    if alerts.spans:
        facts += summarise_alerts(alerts)
    if ranking := results.get("ranking"):
        facts.append(("offers", summarise_ranking(ranking)))
    scope: Scope = results.get("scope", Scope())
    if scope.outside:
        share = "{:.1%}".format
        told = (
            f"{share(figure.value)} {bracket(figure, share)} {_SCOPE[name]}"
            for name, figure in scope.figures.items()
            if name in _SCOPE
        )
        facts.append(("scope", f"{', '.join(told)}; decided on from a probability of {scope.threshold:.3f}"))
    if (slices := results.get("slices")) and (gaps := _gaps(slices)):
        facts.append(("slices", gaps))
    measured: MeasuredRobustness = results.get("robustness", MeasuredRobustness())
    if measured.metric:
        facts.append(("robustness", summarise_robustness(measured)))
    decision: GateDecision | None = results.get("decision")
    if decision:
        facts.append(("gate", f"{verdict(decision.promoted)}: {decision.reason}"))
    return facts


def _rows(results: Mapping[str, Any]) -> list[tuple[str, str]]:
    facts: list[tuple[str, str]] = []
    tables: Mapping[str, ContractResult] = results.get("tables", {})
    readings: Mapping[str, Reading] = results.get("readings", {})
    for raw in {**readings, **tables}:
        facts += reading_facts(readings.get(raw), tables.get(raw), raw)
        warnings = tables[raw].warnings if raw in tables else []
        facts.extend(("warning", f"{raw}: {message}") for message in warnings)
    contract: ContractResult | None = results.get("contract_result")
    record: IngestionRecord | None = results.get("ingestion_record")
    reading = None if record is None else record.reading
    facts += reading_facts(reading, contract)
    if contract and "split" in results:
        if record is not None:
            facts += waiting_facts(contract, len(results["split"]), record.present, record.since)
        counts = results["split"]["part"].value_counts()
        held = f"{counts['validation']:,} for validation, {counts['test']:,} for the test"
        left_out = f", {counts['gap']:,} left out between them" if "gap" in counts else ""
        facts.append(("", f"{counts['train']:,} for training, {held}{left_out}"))
        outside = {part: int(counts.get(name, 0)) for part, name in OUTSIDE.items()}
        if any(outside.values()):
            told = f"{outside['validation']:,} to choose when to hand over, {outside['test']:,} for the test"
            facts.append(("", f"out of scope: {told}"))
    if contract:
        facts.extend(("warning", message) for message in contract.warnings)
    if "columns" not in results:
        for table, read in readings.items():
            facts += note_facts(read.notes, table)
        facts += note_facts({} if reading is None else reading.notes)
    return facts


def _cost(costs: Costs) -> str:
    policies = {name: _amount(figure.value) for name, figure in costs.policies.items()}
    others = (
        ("none", "all") if costs.threshold is not None else [name for name in policies if name != "model"]
    )
    told = [
        f"{policies[name]} {_POLICIES.get(name) or f'to {lower_first(policy_name(name))}'}" for name in others
    ]
    better = min(others, key=lambda name: costs.policies[name].value)
    figure = costs.saving[better]
    rival = "the better" if len(others) > 1 else "that"
    saving = f"the model saves {_amount(figure.value)} {bracket(figure, _amount)} against {rival}"
    note = f"; {costs.note}" if costs.note else ""
    return (
        f"{policies['model']} {costs.unit}".rstrip() + f" for 1,000 cases; {', '.join(told)}; {saving}{note}"
    )


def _amount(amount: float) -> str:
    return f"{amount:,.0f}" if abs(amount) >= 100 else f"{amount:,.3g}"


def _gaps(slices: Slices) -> str:
    """The two surest gaps, and the number of others."""
    told = []
    for each, metric, gap in flagged_gaps(slices.slices):
        write = partial(difference, metric)
        figure = f"{write(gap.value)} {bracket(gap, write)}"
        told.append(f"{each.column} = {each.value}: {metric.replace('_', ' ')} {figure} against all others")
    more = f"; {len(told) - 2} more in slices.json" if len(told) > 2 else ""
    return "; ".join(told[:2]) + more
