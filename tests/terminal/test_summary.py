from dataclasses import replace

import pandas as pd
import pytest

from lepton_pipeline.data.contracts.result import ContractResult
from lepton_pipeline.data.labels import OUTSIDE
from lepton_pipeline.data.reading import BrokenRecord, IngestionRecord, ReadFile, Reading
from lepton_pipeline.evaluation.costs import Costs, Curve
from lepton_pipeline.evaluation.decision import GateDecision
from lepton_pipeline.evaluation.measured_copies import MeasuredCopies, MeasuredRows, Remaining
from lepton_pipeline.evaluation.scope import Scope
from lepton_pipeline.evaluation.slices import Gap, Slice, Slices
from lepton_pipeline.features.column_record import NUMBER, UNUSED, Column, Columns
from lepton_pipeline.features.report import FeatureReport, Finding
from lepton_pipeline.registry.registration import Registration
from lepton_pipeline.statistics.estimates import Estimate, Evidence, Metrics, Rows
from lepton_pipeline.tasks.binary import Binary
from lepton_pipeline.tasks.find import Target
from lepton_pipeline.tasks.multiclass import Multiclass
from lepton_pipeline.tasks.regression import Regression
from lepton_pipeline.terminal.training import print_summary, summary_markdown

AUC = Estimate(0.8, 0.7, 0.9)


def gap(value, low, high):
    return Gap(value, low, high, flagged=True)


def a_slice(column, value, **gaps):
    return Slice(column, value, 100, 30, sensitive=False, small=False, metrics={}, gaps=gaps)


NOTE = "text in 4 of 1,200 rows: '1.959,36' (row 17)"
READING = Reading(
    files=[ReadFile("sales.csv", 1208, 8)],
    skipped=[],
    records=1208,
    set_apart=8,
    reasons={"short records": 8},
    examples=[BrokenRecord("sales.csv", 17, "short records", "1;2")],
    notes={"age": [NOTE]},
)
INGESTION = IngestionRecord(1200, {}, "", 0.5, reading=READING)
COLUMNS = [
    Column("age", "number", "feature", 0, 0.0, 500, NUMBER, notes=[NOTE]),
    Column("rv", "number", "feature", 5, 0.004, 1190, UNUSED, why_not="pure noise (leaks.on_noise: drop)"),
]
RESULTS = {
    "ingestion_record": INGESTION,
    "columns": Columns(1197, COLUMNS),
    "contract_result": ContractResult("contract", True, 1200, 3, 0.05, [], ["AGE is odd"], []),
    "split": pd.DataFrame({"part": ["train"] * 5 + ["validation"] * 2 + ["test"]}),
    "feature_report": FeatureReport(
        *(1000, 0.95, "warn", "drop", []),
        findings=[
            Finding("rv", "pure noise", "noise", "AUC 0.5", ""),
            Finding("delay", "an id", "leak", "distinct", "Name it."),
        ],
    ),
    "tables": {"lines": ContractResult("tables.lines", True, 9000, 2, 0.05, [], ["Price below 0"], [])},
    "about": {"caution": "synthetic data"},
    "target": Target(Binary()),
    "metrics": Metrics(
        threshold=0.25,
        thresholds={},
        threshold_rule="cost",
        rows={"validation": Rows(900, 250), "test": Rows(240, 66)},
        resamples=100,
        uncalibrated={"ece": 0.03125},
        test={
            "model": {"auc": AUC, "f1": AUC, "ece": Estimate(0.0125)},
            "network": {"auc": AUC, "f1": AUC},
        },
    ),
    "copies": MeasuredCopies(
        rows=1200,
        test_rows=240,
        strategy="stratified",
        copies=MeasuredRows(
            rows=24,
            by_chance=0,
            example=(0, 1),
            ignored=[],
            repeated=90,
            share=0.1,
            without=Remaining(216, 50, AUC),
            decide=False,
        ),
        entities=[],
        metric="auc",
        figure=AUC,
    ),
    "costs": Costs(
        declared=True,
        unit="EUR",
        threshold=0.25,
        what_if=[],
        policies={"model": Estimate(1234.5), "all": Estimate(5000.0), "none": Estimate(3000.0)},
        saving={"none": Estimate(1765.5, 1500.0, 2000.4), "all": Estimate(3765.5)},
        curve=Curve(),
        capacity=None,
        note="",
    ),
    "slices": Slices(
        slices=[
            a_slice("sex", "f", auc=gap(-0.02, -0.03, -0.01), recall=gap(0.1, 0.05, 0.15)),
            a_slice("sex", "m", auc=gap(0.02, 0.01, 0.03), recall=gap(-0.1, -0.15, -0.05)),
            a_slice("city", "[/b]", auc=gap(-0.3, -0.4, -0.2)),
            a_slice("city", "Rome", auc=Gap(-0.5, -1, 0.1)),
        ]
    ),
    "registration": Registration("shop", 4, "", "", "", "cpu", boosting_weight=1.0, plan="refit"),
    "decision": GateDecision(False, "challenger", "auc 0.8 is below 0.9", 4),
}


def test_the_summary_names_what_a_reader_looks_for(capsys):
    print_summary("shop", RESULTS, {"ingest_table": 1.25, "evaluate": 0.5}, "make ui")
    printed = capsys.readouterr().out
    for text in (
        "shop: version 4, alias challenger",
        "0.8000  [0.7000, 0.9000]",
        "1,200 in, 3 quarantined",
        "5 for training, 2 for validation, 1 for the test",
        "AGE is odd",
        "read         sales.csv 1,208 rows",
        "rows         1,208 in files, 8 set apart (8 short records, e.g. sales.csv line 17), 1,200 in, 3 quarantined",
        "rv           number feature 0.4% 1,190 not used: pure noise (leaks.on_noise: drop)",
        "age          number feature 500 number",
        "note         age: text in 4 of 1,200 rows: '1.959,36' (row 17)",
        "warning      delay: an id: distinct",
        "raw table    lines: 9,000 in, 2 quarantined",
        "lines: Price below 0",
        "caution      synthetic data",
        "network alone",
        "copies       24 of 240 test rows (10.0%) equal a training or validation row in every column, target included;",
        "without them 0.8000 [0.7000, 0.9000] on 216 rows; leave every row once in the data",
        "error 0.0312 before, 0.0125 after",
        "0.250 (least cost on the validation rows)",
        "1,234 EUR for 1,000 cases; 3,000 if none is acted on, 5,000 if all are;",
        "saves 1,766 [1,500, 2,000] against the better",
        "city = [/b]: auc -0.300 [-0.400, -0.200] against all others;",
        "recall +10.0 points [+5.0 points, +15.0 points] against all others; 1 more in slices.json",
        "model        Boosting alone; model and baselines learn from training rows, are tuned on validation rows, then",
        "refused: auc 0.8 is below 0.9",
        "1.8, the longest: ingest_table 1.2, evaluate 0.5",
        "make ui",
    ):
        assert " ".join(text.split()) in " ".join(printed.split())


def test_the_same_model_again_has_no_alias(capsys):
    decision = GateDecision(None, "", "nothing changes", 5)
    print_summary("shop", {"decision": decision}, {}, "make ui")
    printed = " ".join(capsys.readouterr().out.split())
    assert "shop: version 5, same as champion" in printed
    assert "gate same as champion: nothing changes" in printed


def test_what_costs_nothing_and_differs_nowhere_is_not_told(capsys):
    found = {
        **RESULTS,
        "metrics": replace(RESULTS["metrics"], threshold_rule="f1"),
        "costs": replace(RESULTS["costs"], declared=False),
        "slices": Slices(slices=RESULTS["slices"].slices[3:]),
    }
    print_summary("shop", found, {"evaluate": 0.5}, "make ui")
    printed = capsys.readouterr().out
    assert "0.250 (best F1 on the validation rows)" in printed
    assert "cost " not in printed
    assert "slices" not in printed


def test_few_cases_are_warned_of_and_too_few_have_no_interval(capsys):
    few = replace(
        RESULTS["metrics"],
        rows={"validation": Rows(40, 12), "test": Rows(40, 12)},
        evidence=Evidence(12, 40, "row"),
        test={"model": {"auc": replace(AUC, approximate=True), "f1": Estimate(0.5), "ece": Estimate(0.0125)}},
    )
    print_summary("shop", {"metrics": few, "target": Target(Binary())}, {"evaluate": 0.5}, "make ui")
    printed = " ".join(capsys.readouterr().out.split())
    assert "0.8000 ≈[0.7000, 0.9000] 0.5000 [cannot be judged]" in printed
    assert "warning intervals are approximate (≈): 12 test rows of the rarer class, below 50" in printed
    assert "warning the threshold was chosen on 12 held-out positive rows, below 100" in printed


def test_a_partial_run_shows_what_there_is(capsys):
    print_summary("shop", {}, {"ingest_table": 1.0}, "make ui")
    printed = capsys.readouterr().out
    assert "shop: no model registered" in printed
    assert "AUC" not in printed


def test_the_same_facts_stand_at_the_head_of_the_run_page():
    text = summary_markdown(RESULTS)
    assert "| model&emsp; | 0.8000  [0.7000, 0.9000]&emsp; |" in text
    assert "- **columns**: 2: 1 number, 1 not used; not used: rv (pure noise (leaks.on_noise: drop))" in text
    assert "- **gate**: refused: auc 0.8 is below 0.9" in text


def test_a_run_that_stopped_before_the_columns_says_what_was_guessed(capsys):
    print_summary("shop", {"ingestion_record": INGESTION}, {"ingest_table": 1.0}, "make ui")
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert "rows 1,208 in files, 8 set apart (8 short records, e.g. sales.csv line 17), 1,200 in" in lines
    assert f"note age: {NOTE}" in lines


def without_threshold(task, figures, **baselines):
    rows = {"validation": Rows(300), "test": Rows(200)}
    test = {"model": figures, **baselines}
    metrics = Metrics(threshold=None, thresholds={}, rows=rows, resamples=100, test=test)
    return {"metrics": metrics, "target": Target(task), "registration": RESULTS["registration"]}


def test_a_model_of_classes_is_judged_by_log_loss_and_macro_f1(capsys):
    loss, f1 = Estimate(0.4321, 0.35, 0.5), Estimate(0.9, 0.85, 0.95)
    results = without_threshold(
        Multiclass(["a", "b", "c"]), {"log_loss": loss, "macro_f1": f1, "accuracy": f1}
    )
    print_summary("shop", results, {"evaluate": 0.5}, "make ui")
    printed = " ".join(capsys.readouterr().out.split())
    assert "test rows Log loss [95 % interval] Macro F1 [95 % interval]" in printed
    assert "model 0.4321 [0.3500, 0.5000] 0.9000 [0.8500, 0.9500]" in printed
    assert "threshold" not in printed
    assert summary_markdown(results).startswith(
        "| test rows | Log loss [95 % interval] | Macro F1 [95 % interval] |"
    )


def test_that_many_classes_have_no_boosting_is_told(capsys):
    figures = {"log_loss": AUC, "macro_f1": AUC}
    results = without_threshold(Multiclass([str(each) for each in range(40)]), figures)
    results["registration"] = replace(RESULTS["registration"], boosting_weight=None)
    print_summary("shop", results, {"evaluate": 0.5}, "make ui")
    printed = " ".join(capsys.readouterr().out.split())
    assert (
        "Networks alone (gradient boosting is left out of more than 30 classes, and here are 40)" in printed
    )


def test_errors_are_in_the_unit_of_the_target_and_gaps_too(capsys):
    rmse, mae = Estimate(54321.09, 50000.0, 60000.0), Estimate(0.0123, 0.01, 0.015, approximate=True)
    results = without_threshold(
        Regression(), {"rmse": rmse, "mae": mae}, ridge_regression={"rmse": rmse, "mae": Estimate(0.02)}
    )
    results["slices"] = Slices(slices=[a_slice("town", "Graz", mae=gap(1234.5, 200.0, 2300.0))])
    print_summary("shop", results, {"evaluate": 0.5}, "make ui")
    printed = " ".join(capsys.readouterr().out.split())
    assert "model 54,321 [50,000, 60,000] 0.01230 ≈[0.01000, 0.01500]" in printed
    assert "ridge regression 54,321 [50,000, 60,000] 0.02000 [cannot be judged]" in printed
    assert "town = Graz: mae +1,234 [+200.0, +2,300] against all others" in printed


@pytest.mark.parametrize(
    ("width", "value", "lines"), [(80, 54321.0, 1), (80, 1234567.8, 2), (120, 1234567.8, 1)]
)
def test_figures_of_any_size_fit_into_a_narrow_terminal(capsys, monkeypatch, width, value, lines):
    monkeypatch.setattr("lepton_pipeline.terminal.console._WIDTH_OF_A_LOG", width)
    large = Estimate(value, 0.9 * value, 1.1 * value, approximate=True)
    results = without_threshold(Regression(), {"rmse": large, "mae": large})
    print_summary("shop", results, {"evaluate": 0.5}, "make ui")
    printed = capsys.readouterr().out.splitlines()
    assert max(map(len, printed)) <= width
    first = next(place for place, line in enumerate(printed) if line.lstrip().startswith("model "))
    assert sum(line.count("]") for line in printed[first : first + lines]) == 2
    assert printed[first + lines].strip() == ""


def test_costs_of_other_tasks_name_their_other_ways_to_decide(capsys):
    results = without_threshold(Multiclass(["a", "b", "c"]), {"log_loss": AUC, "macro_f1": AUC})
    policies = {"model": Estimate(300.0), "likeliest": Estimate(450.0), "hand_over": Estimate(500.0)}
    saving = {"likeliest": Estimate(150.0, 100.0, 200.0), "hand_over": Estimate(200.0, 190.0, 210.0)}
    results["costs"] = Costs(True, "EUR", policies=policies, saving=saving)
    print_summary("shop", results, {"evaluate": 0.5}, "make ui")
    printed = " ".join(capsys.readouterr().out.split())
    assert (
        "300 EUR for 1,000 cases; 450 to decide on the likeliest class, 500 to hand every case over;"
        in printed
    )
    assert "the model saves 150 [100, 200] against the better" in printed


def test_when_cases_are_handed_over_is_told_in_shares(capsys):
    results = without_threshold(Multiclass(["a", "b", "c"]), {"log_loss": AUC, "macro_f1": AUC})
    parts = ["train"] * 5 + ["validation"] * 3 + ["test"] * 2
    results["split"] = pd.DataFrame(
        {"part": [*parts, *[OUTSIDE["validation"]] * 20, *[OUTSIDE["test"]] * 30]}
    )
    figures = {name: Estimate(0.9, 0.85, 0.95) for name in ("accuracy", "answered", "right", "caught")}
    results["scope"] = Scope(inside=2, outside=30, threshold=0.625, figures=figures)
    results["contract_result"] = RESULTS["contract_result"]
    print_summary("shop", results, {"evaluate": 0.5}, "make ui")
    printed = " ".join(capsys.readouterr().out.split())
    assert "out of scope: 20 to choose when to hand over, 30 for the test" in printed
    assert "scope 90.0% [85.0%, 95.0%] of the test rows in scope are decided on, 90.0%" in printed
    assert "of those out of scope are handed over; decided on from a probability of 0.625" in printed
